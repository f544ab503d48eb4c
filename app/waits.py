"""How long tasks wait and how they end, counted for each queue in the results store.

The wait of a task is from when it was due (sent, or the end of its countdown) to when a slot took it up: publishers write the due time into a header,
workers count the difference into a histogram. Counting never costs a task: numbers are collected in memory, one thread writes them at most
once a second, and what cannot be written waits for the next second.
"""

import logging
import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Protocol

from celery import signals

from app.worker.outcomes import TaskOutcome

DUE_HEADER = "fleet_due_at"
"""Seconds since the epoch, written by the publisher."""

FLUSH_SECONDS = 1.0

WAIT_BOUNDS_SECONDS = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0)
"""Upper bounds of the histogram, about two to a doubling and a half; whatever is longer counts as infinite."""

WAIT_FIELD = "wait:"

ENDED = {
    TaskOutcome.SUCCEEDED: "done",
    TaskOutcome.FAILED: "failed",
    TaskOutcome.TIMED_OUT: "failed",
    TaskOutcome.REVOKED: "failed",
}

logger = logging.getLogger(__name__)


class Store(Protocol):
    """What of a Redis client the counters use."""

    def pipeline(self, transaction: bool = ...) -> Any:
        """Commands that are sent together."""


def counters_key(fleet: str, queue: str) -> str:
    """Key of the hash with a logical queue's counters."""
    return f"fleet:{fleet}:queue:{queue}"


def bucket(wait_seconds: float) -> str:
    """The histogram bucket of a wait: its upper bound, as it is shown."""
    for bound in WAIT_BOUNDS_SECONDS:
        if wait_seconds <= bound:
            return f"{bound:g}"
    return "inf"


def read_counters(fields: Mapping[str, str]) -> dict[str, Any]:
    """A queue's counters as the web layer shows them."""
    return {
        "started": int(fields.get("started", 0)),
        "done": int(fields.get("done", 0)),
        "failed": int(fields.get("failed", 0)),
        "wait_buckets": {
            name.removeprefix(WAIT_FIELD): int(count)
            for name, count in sorted(fields.items())
            if name.startswith(WAIT_FIELD)
        },
    }


def stamp_due_times() -> None:
    """Make every publish of this process say when its task is due."""
    signals.before_task_publish.connect(_stamp, weak=False, dispatch_uid="fleet.due")


def _stamp(headers: dict[str, Any], **_: Any) -> None:
    eta = headers.get("eta")
    headers[DUE_HEADER] = datetime.fromisoformat(eta).timestamp() if eta else time.time()


def seconds_since(due: Any, now: float) -> float | None:
    """The wait of a task that a header says was due; None for a header that is missing or no time. Publishers write what they like."""
    try:
        wait_seconds = now - float(due)
    except (TypeError, ValueError, OverflowError):
        return None
    return max(0.0, wait_seconds) if math.isfinite(wait_seconds) else None


class QueueCounters:
    """Counts of one worker, on their way to the results store; an observer of its deliveries (`app.worker.requests`)."""

    def __init__(self, connect: Callable[[], Store], key: str) -> None:
        self._connect = connect
        self._key = key
        self._pending: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._wakened = threading.Event()
        self._writer: threading.Thread | None = None
        self._store: Store | None = None

    def redelivered(self, task: str) -> None:
        """No task of its own."""

    def started(self, task: str, wait_seconds: float | None) -> None:
        """A slot took up a task; None when its publisher did not say when it was due."""
        self._count("started", *([] if wait_seconds is None else [WAIT_FIELD + bucket(wait_seconds)]))

    def ended(self, task: str, outcome: TaskOutcome, run_seconds: float | None) -> None:
        """A task ended: what runs again has not, and what rejects its own message is among the dead letters."""
        if field := ENDED.get(outcome):
            self._count(field)

    def _count(self, *fields: str) -> None:
        with self._lock:
            self._pending.update(fields)
            if self._writer is None:
                self._writer = threading.Thread(target=self._write_for_ever, name="fleet-counters", daemon=True)
                self._writer.start()
        self._wakened.set()

    def _write_for_ever(self) -> None:
        while True:
            self._wakened.wait()
            self._wakened.clear()
            if not self.flush():
                self._wakened.set()
            time.sleep(FLUSH_SECONDS)

    def flush(self) -> bool:
        """Write what was counted; False when the store did not take it, and it is kept."""
        with self._lock:
            counts, self._pending = self._pending, Counter()
        if not counts:
            return True
        try:
            if self._store is None:
                self._store = self._connect()
            pipeline = self._store.pipeline(transaction=False)
            for field, count in counts.items():
                pipeline.hincrby(self._key, field, count)
            pipeline.execute()
        except Exception as error:
            # Whatever the store's client raises, a count is not worth a task.
            logger.debug("counters are kept for the next second: %s", type(error).__name__)
            with self._lock:
                self._pending.update(counts)
            return False
        return True
