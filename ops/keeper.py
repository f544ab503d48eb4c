"""Keeps one `kubectl port-forward` open: starts it again when it ends, until this process is told to end.

`kubectl` ends when the pod it chose goes away, which a rolling update does. Run as `python -m ops.keeper COMMAND …`; imports nothing but the
standard library and this room, because it stays in memory for as long as the fleet runs.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence

FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 10.0
HEALTHY_SECONDS = 30.0
"""A forward that lived this long starts again at once, and the pauses from the beginning."""


def keep(command: Sequence[str], ended: threading.Event) -> None:
    """Run the command again and again until `ended` is set; pauses grow while it fails at once."""
    pause = FIRST_PAUSE_SECONDS
    while not ended.is_set():
        started = time.monotonic()
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        watcher = threading.Thread(target=_end_with, args=(process, ended), daemon=True)
        watcher.start()
        process.wait()
        pause = FIRST_PAUSE_SECONDS if time.monotonic() - started > HEALTHY_SECONDS else pause
        ended.wait(pause)
        pause = min(2 * pause, LONGEST_PAUSE_SECONDS)


def _end_with(process: "subprocess.Popen[bytes]", ended: threading.Event) -> None:
    while process.poll() is None:
        if ended.wait(HEALTHY_SECONDS):
            process.terminate()
            return


def main() -> None:
    """Keep the command of the arguments."""
    # What the starting command had open (a lock, a pipe that somebody reads to its end) must not stay open for as long as the fleet runs.
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    with contextlib.suppress(PermissionError):
        os.setsid()  # Out of the terminal's reach: Ctrl-C ends the command that started this process, not the forward.
    os.chdir("/")
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: ended.set())
    keep(sys.argv[1:], ended)


if __name__ == "__main__":
    main()
