"""What a person sees while something takes longer than two seconds.

On a terminal one live line with its seconds; elsewhere a line when a step starts to take long, one every few seconds, and one at its end.
Everything goes to standard error: standard output belongs to tables and JSON.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.status import Status

QUIET_SECONDS = 2.0
"""Shorter steps say nothing where lines cannot be taken back."""

LINE_SECONDS = 10.0
"""How often a log hears from a running step."""


class Step:
    """One piece of work that runs now."""

    def __init__(self, label: str, status: Status | None) -> None:
        self.label = label
        self.detail = ""
        self.started = time.monotonic()
        self._status = status

    @property
    def seconds(self) -> float:
        """How long it has been running."""
        return time.monotonic() - self.started

    def note(self, detail: str) -> None:
        """Say how far it is, in a few words."""
        self.detail = detail
        self.draw()

    def draw(self) -> None:
        """Bring the live line up to date."""
        if self._status is not None:
            self._status.update(f"{escape(self.label)} [dim]{self.seconds:.0f} s {escape(self.detail)}[/dim]")


class Progress:
    """Where steps are shown."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(stderr=True, highlight=False)

    def say(self, line: str) -> None:
        """One lasting line."""
        self.console.print(line, markup=False, soft_wrap=True)

    @contextmanager
    def step(self, label: str) -> Iterator[Step]:
        """Show `label` while the body runs, and how long it took when it was long."""
        live = self.console.is_terminal
        status = self.console.status(escape(label)) if live else None
        step = Step(label, status)
        done = threading.Event()
        ticker = threading.Thread(target=self._tick, args=(step, done, live), daemon=True)
        if status is not None:
            status.start()
        ticker.start()
        try:
            yield step
        finally:
            done.set()
            ticker.join()
            if status is not None:
                status.stop()
        if step.seconds >= QUIET_SECONDS:
            self.say(f"{label}: {step.seconds:.0f} s")

    def _tick(self, step: Step, done: threading.Event, live: bool) -> None:
        pause = 1.0 if live else QUIET_SECONDS
        while not done.wait(pause):
            if live:
                step.draw()
            else:
                self.say(f"{step.label} … {step.detail}".rstrip())
                pause = LINE_SECONDS
