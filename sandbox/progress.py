"""What a person sees while the sandbox works: one line for everything that takes longer than two seconds.

On a terminal a running step is a live line with its seconds; elsewhere (a CI log) it is one line when it starts to
take long and one when it is done. Everything goes to standard error: standard output belongs to `env` and `--json`.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress as LiveProgress
from rich.progress import SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

QUIET_SECONDS = 2.0
"""A step shorter than this leaves no line where lines cannot be taken back."""
HEARTBEAT_SECONDS = 60.0
"""A log of a long build says at least this often that it is alive."""


class Step:
    """One running piece of work; `note` says how far it is."""

    def __init__(self, label: str, live: LiveProgress | None, task: TaskID | None) -> None:
        self.label = label
        self.started = time.monotonic()
        self.progress = ""
        self._live = live
        self._task = task

    @property
    def seconds(self) -> float:
        """How long the step has been running."""
        return time.monotonic() - self.started

    def note(self, progress: str) -> None:
        """Say how far the step is, in a few words."""
        self.progress = progress
        if self._live is not None and self._task is not None:
            self._live.update(self._task, description=f"{self.label} [dim]{progress}[/dim]")


class Progress:
    """The steps that run now; several may, from several threads."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(stderr=True, highlight=False)
        self._live: LiveProgress | None = None
        self._running = 0
        self._lock = threading.Lock()

    def say(self, line: str) -> None:
        """One lasting line."""
        self.console.print(line, markup=False, soft_wrap=True)

    @contextmanager
    def step(self, label: str) -> Iterator[Step]:
        """Show `label` while the body runs."""
        if self.console.is_terminal:
            with self._terminal_step(label) as step:
                yield step
        else:
            with self._logged_step(label) as step:
                yield step

    @contextmanager
    def _terminal_step(self, label: str) -> Iterator[Step]:
        with self._lock:
            if self._live is None:
                self._live = LiveProgress(
                    SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(),
                    console=self.console, transient=True, refresh_per_second=4,
                )  # fmt: skip
                self._live.start()
            live = self._live
            self._running += 1
            task = live.add_task(label)
        step = Step(label, live, task)
        try:
            yield step
        except BaseException:
            self._finish(live, task)
            raise
        self._finish(live, task)
        if step.seconds >= QUIET_SECONDS:
            self.say(f"{label}: {step.seconds:.0f} s")

    def _finish(self, live: LiveProgress, task: TaskID) -> None:
        with self._lock:
            live.remove_task(task)
            self._running -= 1
            if self._running == 0:
                live.stop()
                self._live = None

    @contextmanager
    def _logged_step(self, label: str) -> Iterator[Step]:
        step = Step(label, None, None)
        done = threading.Event()

        def heartbeat() -> None:
            pause = QUIET_SECONDS
            while not done.wait(pause):
                pause = HEARTBEAT_SECONDS
                self.say(f"{label} … {step.progress}".rstrip())

        watcher = threading.Thread(target=heartbeat, daemon=True)
        watcher.start()
        try:
            yield step
        finally:
            done.set()
            watcher.join()
        if step.seconds >= QUIET_SECONDS:
            self.say(f"{label}: {step.seconds:.0f} s")
