// Puts what is now in the place of what was, every few seconds while somebody looks.
(() => {
  const seconds = 5, now = document.getElementById("now"), live = document.getElementById("live");
  let timer, last = Date.now();
  const later = () => { clearTimeout(timer); timer = setTimeout(refresh, seconds * 1000); };
  async function refresh() {
    clearTimeout(timer);
    if (document.hidden) return;
    try {
      const answer = await fetch(`${location.origin}${location.pathname}/now`, { cache: "no-store", signal: AbortSignal.timeout(seconds * 1000) });
      if (!answer.ok) throw new Error(`it answers ${answer.status}`);
      now.innerHTML = await answer.text();
      document.title = `${now.querySelector("h1").textContent} ${document.title.split(" ").pop()}`;
      last = Date.now();
      if (live.textContent) live.textContent = "";
    } catch (error) {
      const text = `Shown is what was known ${Math.round((Date.now() - last) / 60000)} min ago: the web layer cannot be reached.`;
      if (live.textContent !== text) live.textContent = text;
    }
    later();
  }
  document.addEventListener("visibilitychange", refresh);
  later();
})();
