"""An application for the tests of the pools: its tasks write what happens to them into a file, one line an event.

A file outlives the worker that is killed, and a line is written whole (`O_APPEND`), so nothing that a test counts depends on the results store.
"""

import os
import signal
import time
from pathlib import Path
from typing import Any

from celery import Celery
from celery.exceptions import Reject

from app.once import fence, once

app = Celery("pools")


def _write(log: str, line: str) -> None:
    with Path(log).open("a", encoding="utf-8") as file:
        file.write(line + "\n")


@app.task(name="pools.mark")
def mark(log: str, name: str) -> None:
    """Runs once."""
    _write(log, f"ran {name}")


@app.task(name="pools.again", bind=True, max_retries=5)
def again(self: Any, log: str, name: str, times: int) -> None:
    """Fails `times` times and is tried again after less than a second."""
    if self.request.retries < times:
        raise self.retry(countdown=0.2)
    _write(log, f"ran {name}")


@app.task(name="pools.fail")
def fail(log: str, name: str) -> None:
    """Always fails; says when it was tried."""
    _write(log, f"tried {name} {time.time():.3f}")
    raise ConnectionError(name)


@app.task(name="pools.reject_once")
def reject_once(log: str, name: str) -> None:
    """Gives its message up the first time, runs the second."""
    line = f"rejected {name}"
    if not Path(log).exists() or line not in Path(log).read_text(encoding="utf-8"):
        _write(log, line)
        raise Reject(name, requeue=False)
    _write(log, f"ran {name}")


@app.task(name="pools.vanish_once")
def vanish_once(log: str, name: str) -> None:
    """Its process is gone the first time, as one that the kernel kills for want of memory; runs the second."""
    line = f"vanished {name}"
    if not Path(log).exists() or line not in Path(log).read_text(encoding="utf-8").splitlines():
        _write(log, line)
        os.kill(os.getpid(), signal.SIGKILL)
    _write(log, f"ran {name}")


@app.task(name="pools.ordered.urgent")
def urgent(log: str, name: str) -> None:
    """Goes first by the catalogue."""
    _write(log, f"ran {name}")


@app.task(name="pools.ordered.plain")
def plain(log: str, name: str) -> None:
    """Has no priority of its own."""
    _write(log, f"ran {name}")


@app.task(name="pools.ordered.bulk")
def bulk(log: str, name: str) -> None:
    """Goes last by the catalogue."""
    _write(log, f"ran {name}")


@app.task(name="pools.identify")
def identify(log: str, name: str) -> None:
    """Says which process ran it."""
    _write(log, f"ran {name} {os.getpid()}")


@app.task(name="pools.hold")
def hold(log: str, name: str, seconds: float) -> None:
    """Waits as a task that waits for someone else; says whether it came to its end."""
    _write(log, f"started {name}")
    time.sleep(seconds)
    _write(log, f"ran {name}")


@app.task(name="pools.charge")
@once(key=lambda log, order, seconds: order)
def charge(log: str, order: str, seconds: float) -> str:
    """Says when it starts and when it has had its effect, each with the fence."""
    _write(log, f"started {order} {fence()}")
    time.sleep(seconds)
    _write(log, f"charged {order} {fence()}")
    return order


@app.task(name="pools.stubborn")
def stubborn(log: str, name: str, seconds: float) -> None:
    """Takes no notice of its soft limit."""
    _write(log, f"started {name}")
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            time.sleep(max(0.0, end - time.monotonic()))
        except Exception:
            _write(log, f"warned {name}")
    _write(log, f"ran {name}")
