"""The page in a real browser: on every screen, in both colour schemes, with and without its script."""

import base64
import itertools
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.web.page.routes import HELD_SECONDS
from tests.app.page.serving import PageServer, page_server
from tests.browser import Chromium, Tab, chromium, needs_chromium

pytestmark = [pytest.mark.scan, needs_chromium]

TOKEN = "0123456789abcdef-of-a-person"

SEEN_AGAIN = "document.dispatchEvent(new Event('visibilitychange'))"
"""Brings the page up to date at once."""

CONTRASTS = """
(() => {
  const channels = color => color.match(/[\\d.]+/g).map(Number);
  const luminance = color => channels(color).slice(0, 3).map(value => value / 255)
    .map(value => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4)
    .reduce((sum, value, place) => sum + value * [0.2126, 0.7152, 0.0722][place], 0);
  const behind = element => {
    for (let at = element; at; at = at.parentElement) {
      const color = getComputedStyle(at).backgroundColor;
      if (channels(color)[3] !== 0) return color;
    }
    return "rgb(255, 255, 255)";
  };
  return [...document.body.querySelectorAll("*:not(script):not(title)")]
    .filter(element => [...element.childNodes].some(node => node.nodeType === 3 && node.data.trim()))
    .map(element => {
      const [dark, light] = [getComputedStyle(element).color, behind(element)].map(luminance).sort((one, two) => one - two);
      return [(light + 0.05) / (dark + 0.05), element.textContent];
    });
})()
"""
"""Contrast of each text with what is behind it. Source: WCAG 2.2, "contrast ratio" and "relative luminance"."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Chromium]:
    with chromium() as made:
        yield made


@pytest.fixture
def tab(browser: Chromium) -> Tab:
    return Tab(browser)


@pytest.fixture(scope="module")
def page() -> Iterator[PageServer]:
    with page_server() as found:
        yield found


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 390, 768, 1280, 1920])
def test_the_page_can_be_read_on_every_screen(
    page: PageServer, tab: Tab, tmp_path: Path, width: int, scheme: str
) -> None:
    """Nothing is cut off or scrolls sideways, and every text stands out from what is behind it by 4.5 to 1."""
    tab.look_like(width=width, scheme=scheme)
    tab.open(f"{page.address}/fleet")
    (tmp_path / f"fleet-{width}-{scheme}.png").write_bytes(base64.b64decode(tab.picture()))
    assert tab.run("document.documentElement.scrollWidth") <= width
    contrasts: list[Any] = tab.run(CONTRASTS)
    assert len(contrasts) > 40
    assert [found for found in contrasts if found[0] < 4.5] == []
    dark = tab.run("getComputedStyle(document.body).backgroundColor") == "rgb(22, 25, 29)"
    assert dark == (scheme == "dark")
    assert tab.complaints() == []


@pytest.mark.parametrize("width", [390, 1280])
def test_the_answer_is_there_before_anything_is_scrolled_or_run(page: PageServer, tab: Tab, width: int) -> None:
    """Without a script, too; the browser then loads the page anew by itself."""
    tab.call("Emulation.setScriptExecutionDisabled", value=True)
    tab.look_like(width=width)
    tab.open_without_script(f"{page.address}/fleet")
    tree = tab.call("DOM.getOuterHTML", nodeId=tab.call("DOM.getDocument")["root"]["nodeId"])["outerHTML"]
    assert "1 of 3 promises is broken: default." in tree
    assert "All 6 pods that it may have are at work: 8,780 tasks wait" in tree
    assert '<meta http-equiv="refresh" content="10">' in tree


def test_it_is_brought_up_to_date_while_it_is_seen_and_rests_while_it_is_not(page: PageServer, tab: Tab) -> None:
    """The title too; what had the focus and where the page was scrolled to stay as they are."""
    tab.look_like(width=1280, height=500)
    tab.open(f"{page.address}/fleet")
    tab.run("window.scrollTo(0, 200)")
    page.broker.depths["default-0"] = (1, 3)
    page.broker.depths["default-1"] = (1, 3)
    tab.wait_for("document.querySelector('#queue-default .figure').textContent === '2'", within_seconds=60)
    assert tab.run("window.scrollY") == 200
    assert tab.complaints() == []
    tab.run(
        "Object.defineProperty(document, 'hidden', {value: true, configurable: true}); document.dispatchEvent(new Event('visibilitychange'))"
    )
    tab.run(
        "window.asked = 0; const real = fetch; window.fetch = (...all) => { window.asked++; return real(...all) }; 1"
    )
    time.sleep(6)
    assert tab.run("window.asked") == 0
    tab.run(
        "Object.defineProperty(document, 'hidden', {value: false}); document.dispatchEvent(new Event('visibilitychange'))"
    )
    tab.wait_for("window.asked === 1", within_seconds=2)
    page.broker.depths.update({"default-0": (4400, 3), "default-1": (4380, 3)})


def test_it_says_so_when_the_web_layer_is_gone(tab: Tab) -> None:
    """What was known stays on the page; a screen reader hears once that it is old."""
    with page_server(asked_queues=1) as mine:
        tab.open(f"{mine.address}/fleet")
    tab.run(SEEN_AGAIN)
    tab.wait_for("document.querySelector('[role=status]').textContent.includes('cannot be reached')", within_seconds=30)
    assert "default" in tab.run("document.querySelector('h1').textContent")


def test_a_person_signs_in_with_a_token(browser: Chromium) -> None:
    """The browser keeps what was typed, so the script need not know it."""
    with page_server(asked_queues=1, FLEET_WEB_TOKENS=f"person:{TOKEN}") as mine:
        assert httpx.get(f"{mine.address}/fleet").status_code == 401
        tab = Tab(browser)
        tab.open(mine.address.replace("http://", f"http://anybody:{TOKEN}@") + "/fleet")
        assert "promises" in tab.run("document.querySelector('h1').textContent")
        before = tab.run("document.querySelector('time').textContent")
        time.sleep(HELD_SECONDS)
        tab.run(SEEN_AGAIN)
        tab.wait_for(f"document.querySelector('time').textContent !== {before!r}", within_seconds=15)


def test_everything_is_reached_by_its_name(page: PageServer, tab: Tab) -> None:
    """Tables keep their roles where a narrow screen lays them out as blocks, and each chart has words."""
    tab.look_like(width=390)
    tab.open(f"{page.address}/fleet")
    nodes = tab.call("Accessibility.getFullAXTree")["nodes"]
    names = {(node["role"]["value"], node.get("name", {}).get("value", "")) for node in nodes if not node["ignored"]}
    roles = [role for role, _ in names]
    assert ("heading", "1 of 3 promises is broken: default.") in names
    assert {"table", "columnheader", "rowheader", "cell", "main"} <= {*roles}
    assert sum(role == "image" and "in each minute of the last hour" in name for role, name in names) >= 7
    assert not [name for role, name in names if role == "image" and not name]


def test_the_broker_is_asked_once_a_second_however_many_look(page: PageServer) -> None:
    """A hundred views at once, again and again."""
    begin, asked = time.monotonic(), len(page.broker.asked)
    with ThreadPoolExecutor(10) as readers, httpx.Client() as client:
        views = 0
        while time.monotonic() - begin < 5:
            answers = readers.map(client.get, itertools.repeat(f"{page.address}/fleet", 100))
            views += sum(answer.status_code == 200 for answer in answers)
    seconds = time.monotonic() - begin
    assert views >= 100
    assert 1 <= len(page.broker.asked) - asked <= seconds + 1
