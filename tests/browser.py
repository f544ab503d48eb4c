"""A real Chromium without a window, over the pipe of the Chrome DevTools Protocol.

Invariant: the browser and its profile are gone when the block ends; each wait is bounded. Sources: Chromium's `--remote-debugging-pipe` (commands on
descriptor 3, answers on 4, each ended by a zero byte); the protocol's domains Target, Page, Runtime, Emulation, Network and Log.
"""

import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "chrome")
PROGRAM = next((found for found in map(shutil.which, PROGRAMS) if found), None)

ANSWER_SECONDS = 60.0
END = b"\0"

needs_chromium = pytest.mark.skipif(
    PROGRAM is None, reason="needs Chromium: apt-get install chromium, or Google Chrome"
)


class Chromium:
    """The browser's side of the pipe."""

    def __init__(self, write: int, read: int) -> None:
        self._write = write
        self._read = read
        self._number = 0
        self._received = b""
        self.events: list[dict[str, Any]] = []
        """Whatever it told unasked, in order."""

    def call(self, method: str, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        """The answer to one command."""
        self._number += 1
        command: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if session is not None:
            command["sessionId"] = session
        os.write(self._write, json.dumps(command).encode() + END)
        end = time.monotonic() + ANSWER_SECONDS
        while True:
            message = self._message(end, method)
            if message.get("id") == self._number:
                assert "error" not in message, f"{method}: {message}"
                result: dict[str, Any] = message["result"]
                return result
            self.events.append(message)

    def wait_for(self, session: str, method: str) -> None:
        """Wait until a page tells of something; what it told before counts."""
        end = time.monotonic() + ANSWER_SECONDS
        while not any((event.get("sessionId"), event["method"]) == (session, method) for event in self.events):
            self.events.append(self._message(end, method))

    def _message(self, end: float, waiting_for: str) -> dict[str, Any]:
        while END not in self._received:
            ready, _, _ = select.select([self._read], [], [], max(0.0, end - time.monotonic()))
            assert ready, f"Chromium did not answer {waiting_for} within {ANSWER_SECONDS:g} s"
            part = os.read(self._read, 1 << 20)
            assert part, "Chromium has ended"
            self._received += part
        message, _, self._received = self._received.partition(END)
        found: dict[str, Any] = json.loads(message)
        return found


class Tab:
    """One page in a profile of its own."""

    def __init__(self, chromium: Chromium) -> None:
        self._chromium = chromium
        context = chromium.call("Target.createBrowserContext")["browserContextId"]
        target = chromium.call("Target.createTarget", url="about:blank", browserContextId=context)["targetId"]
        self._session = chromium.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """The answer to one command about this page."""
        return self._chromium.call(method, self._session, **parameters)

    def look_like(self, *, width: int, height: int = 900, scheme: str = "light") -> None:
        """The screen, and what the reader's machine prefers."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def open(self, address: str) -> None:
        """Go there, and wait until it is loaded."""
        answer = self.call("Page.navigate", url=address)
        assert "errorText" not in answer, answer
        self.wait_for("document.readyState === 'complete' && location.protocol !== 'about:'")

    def open_without_script(self, address: str) -> None:
        """Go there where no script may run, so that the page cannot be asked."""
        self.call("Page.navigate", url=address)
        self._chromium.wait_for(self._session, "Page.loadEventFired")

    def run(self, script: str) -> Any:
        """The value of an expression, awaited where it is a promise."""
        answer = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def wait_for(self, script: str, *, within_seconds: float = 20) -> None:
        """Wait until an expression is true."""
        end = time.monotonic() + within_seconds
        while not self.run(script):
            assert time.monotonic() < end, f"{within_seconds:g} s were not enough for: {script}"
            time.sleep(0.05)

    def complaints(self) -> list[str]:
        """What the browser wrote to its console of its own accord: refused styles and scripts, errors, requests that failed."""
        self.run("1")
        return [
            event["params"]["entry"]["text"]
            for event in self._chromium.events
            if event.get("sessionId") == self._session and event["method"] == "Log.entryAdded"
        ]

    def picture(self) -> str:
        """The whole page as PNG, in base64."""
        return str(self.call("Page.captureScreenshot", captureBeyondViewport=True)["data"])


@contextmanager
def chromium(arguments: Sequence[str] = (), environment: Mapping[str, str] | None = None) -> Iterator[Chromium]:
    """A browser that starts with nothing and leaves nothing."""
    assert PROGRAM is not None
    (command_read, command_write), (answer_read, answer_write) = os.pipe(), os.pipe()
    with tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True) as profile:
        options = [
            "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars", "--no-first-run",
            "--disable-background-networking", "--disable-extensions", f"--user-data-dir={profile}", "--remote-debugging-pipe", *arguments,
        ]  # fmt: skip
        process = subprocess.Popen(
            ["bash", "-c", f'exec "$0" "$@" 3<&{command_read} 4>&{answer_write}', PROGRAM, *options],
            pass_fds=(command_read, answer_write), env=None if environment is None else dict(environment),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(command_read)
        os.close(answer_write)
        try:
            made = Chromium(command_write, answer_read)
            yield made
            made.call("Browser.close")
        finally:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            os.close(command_write)
            os.close(answer_read)
