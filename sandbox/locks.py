"""The locks that keep two commands apart: one of each sandbox, and one of the cache that all of them share."""

import fcntl
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from sandbox.errors import SandboxError
from sandbox.progress import Progress

LOCK_PATIENCE_SECONDS = 2400
"""As long as a cold start may take on a slow machine: the second caller waits for the first."""


@contextmanager
def locked(file: Path, what: str, progress: Progress) -> Iterator[None]:
    """Alone with a sandbox or with the cache; waits for another command to be done with it."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with file.open("w") as lock:
        deadline = time.monotonic() + LOCK_PATIENCE_SECONDS
        with progress.step(f"wait for another command that uses {what}"):
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        raise SandboxError(
                            str(file), "another command holds the lock", "See what it does: ps -ef"
                        ) from None
                    time.sleep(0.5)
        yield


def locked_cache(cache: Path, progress: Progress) -> AbstractContextManager[None]:
    """Alone with the cache, to put into it what it lacks."""
    return locked(cache / "build.lock", "the cache", progress)
