"""How long tasks wait and how they end, counted for each queue in the results store.

The wait of a task is from when it was due (sent, or the end of its countdown) to when a slot took it up: publishers write the due time into a header,
workers count the difference into a histogram. These counts are cumulative, since the store started; `app.minutes` has those of each minute.
"""

import math
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from celery import signals

from app.counting import StoredCounts
from app.worker.outcomes import TaskOutcome

DUE_HEADER = "fleet_due_at"
"""Seconds since the epoch, written by the publisher."""

WAIT_BOUNDS_SECONDS = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0)
"""Upper bounds of the histogram, about two to a doubling and a half; whatever is longer counts as infinite."""

WAIT_FIELD = "wait:"

ENDED = {
    TaskOutcome.SUCCEEDED: "done",
    TaskOutcome.FAILED: "failed",
    TaskOutcome.TIMED_OUT: "failed",
    TaskOutcome.REVOKED: "failed",
}


def counters_key(fleet: str, queue: str) -> str:
    """Key of the hash with a logical queue's counters."""
    return f"fleet:{fleet}:queue:{queue}"


def bucket(wait_seconds: float, bounds: Sequence[float] = WAIT_BOUNDS_SECONDS) -> str:
    """The histogram bucket of a wait: its upper bound, as it is shown."""
    for bound in bounds:
        if wait_seconds <= bound:
            return f"{bound:.12g}"
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
    """Counts the deliveries of one worker for its queue; an observer (`app.worker.requests`)."""

    def __init__(self, counts: StoredCounts, key: str) -> None:
        self._counts = counts
        self._key = key

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
        self._counts.add(self._key, [(field, 1) for field in fields])
