"""The files by which a worker or beat says how it is, and the probe that reads them.

Responsible for: `ready` exists while the worker consumes; `alive` and `beat` hold the monotonic time of the last turn of the loop that wrote them.
A probe never imports Celery and never touches the broker, so a broker outage restarts no pod; it runs as
`python -I -S health.py live|ready|beat` and therefore uses the standard library only.
"""

import os
import sys
import time
from pathlib import Path

LIVE_SECONDS = 180.0
"""Without a turn of the loop for so long a process is stuck."""

ALIVE, READY, BEAT = "alive", "ready", "beat"
DEFAULT_FOLDER = "/run/fleet"
"""An emptyDir in memory; `FLEET_RUN_DIR` names another one outside a pod."""


def run_folder() -> Path:
    """Where the files are."""
    return Path(os.environ.get("FLEET_RUN_DIR") or DEFAULT_FOLDER)


class HealthFiles:
    """Writes what the probe reads."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def turned(self, name: str = ALIVE) -> None:
        """The loop turned now."""
        self._write(name, str(time.monotonic()))

    def ready(self) -> None:
        """The worker consumes."""
        self._write(READY, "")

    def not_ready(self) -> None:
        """The worker does not consume (any more)."""
        (self._folder / READY).unlink(missing_ok=True)

    def _write(self, name: str, text: str) -> None:
        # Renamed into place: a probe never reads half a number.
        unfinished = self._folder / f".{name}"
        unfinished.write_text(text)
        unfinished.replace(self._folder / name)


def judge(question: str, folder: Path, now: float) -> str | None:
    """Why the answer to `live`, `ready` or `beat` is no; None when it is yes. `now` is monotonic time, which all processes of a node share."""
    if question == "ready":
        return None if (folder / READY).exists() else "the worker does not consume"
    name = {"live": ALIVE, "beat": BEAT}.get(question)
    if name is None:
        return f"{question!r} is no question; ask live, ready or beat"
    try:
        age = now - float((folder / name).read_text())
    except FileNotFoundError:
        return "its loop has not turned yet"
    return None if age < LIVE_SECONDS else f"its loop has not turned for {age:.0f} s"


def main(arguments: list[str]) -> int:
    """Exit code of the probe; a reason goes to standard output, where Kubernetes shows it."""
    reason = judge(arguments[0] if arguments else "", run_folder(), time.monotonic())
    if reason is not None:
        sys.stdout.write(reason + "\n")
    return 0 if reason is None else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
