"""The health files of a pod, and the probe that reads them.

Invariant: run as a script this imports nothing but the standard library's smallest, because it runs every few seconds in every pod. Liveness proves that
the worker's loop turns and that it consumes (or is within its time to reconnect); it never asks the broker, so an outage restarts nobody.
"""

import os
import sys
import time

FOLDER = "/run/fleet"
READY, HEARTBEAT, BEAT = "ready", "heartbeat", "beat"
STALE_SECONDS = 180.0
"""A loop that did not turn for this long is stuck."""


def touch(name: str, folder: str = FOLDER) -> None:
    """Marks a file as of now; a folder that is not there (outside a pod) is no error."""
    try:
        with open(os.path.join(folder, name), "w"):  # noqa: PTH118, PTH123 - pathlib would double the probe's start-up
            pass
    except FileNotFoundError:
        return


def remove(name: str, folder: str = FOLDER) -> None:
    """Takes a mark away."""
    try:
        os.unlink(os.path.join(folder, name))  # noqa: PTH108, PTH118 - see touch
    except FileNotFoundError:
        return


def healthy(question: str, folder: str = FOLDER, now: float | None = None) -> bool:
    """The answer to `live`, `ready` or `beat`."""
    if question == "ready":
        return os.path.exists(os.path.join(folder, READY))  # noqa: PTH110, PTH118 - see touch
    name = HEARTBEAT if question == "live" else BEAT
    try:
        touched = os.stat(os.path.join(folder, name)).st_mtime  # noqa: PTH116, PTH118 - see touch
    except FileNotFoundError:
        return False
    return (time.time() if now is None else now) - touched < STALE_SECONDS


if __name__ == "__main__":
    sys.exit(0 if len(sys.argv) == 2 and healthy(sys.argv[1]) else 1)
