"""How long tasks waited and how many were done, counted in the results store.

Invariant: counting never holds a task up and never fails one. Each process adds up in memory, and a thread writes once a second; when the store is
away the counts of that time are lost, the tasks are not.
"""

import math
import threading
import time
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import redis
from celery import signals

SENT_HEADER = "fleet_sent_at"
"""Wall clock of the publisher in seconds; of a delayed task, when it is due."""

FLUSH_SECONDS = 1.0
BUCKET_GROWTH = 1.25
BUCKET_SMALLEST_SECONDS = 0.01
KEY = "fleet:{queue}:counters"


def bucket(wait_seconds: float) -> str:
    """Upper bound of the bucket of a wait, in seconds, log-spaced by a quarter."""
    if wait_seconds <= BUCKET_SMALLEST_SECONDS:
        return f"{BUCKET_SMALLEST_SECONDS:.6g}"
    steps = math.ceil(math.log(wait_seconds / BUCKET_SMALLEST_SECONDS, BUCKET_GROWTH) - 1e-9)
    return f"{BUCKET_SMALLEST_SECONDS * BUCKET_GROWTH**steps:.6g}"


def stamp_publish(headers: dict[str, Any] | None = None, **_: Any) -> None:
    """`before_task_publish`: writes when the message was sent, or will be due."""
    if headers is None:
        return
    due = headers.get("eta")
    sent = time.time()
    countdown = _seconds_until(due)
    headers[SENT_HEADER] = sent + max(0.0, countdown)


def _seconds_until(due: str | None) -> float:
    if not due:
        return 0.0
    moment = datetime.fromisoformat(due)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - time.time()


class WaitCounter:
    """The counters of one process for one queue."""

    def __init__(self, queue: str, store: redis.Redis) -> None:
        self._key = KEY.format(queue=queue)
        self._store = store
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def connect(self) -> None:
        """Listens to Celery's signals."""
        signals.task_prerun.connect(self._started, weak=False)
        signals.task_postrun.connect(self._ended, weak=False)

    def _started(self, task: Any = None, **_: Any) -> None:
        sent = (getattr(task.request, "headers", None) or {}).get(SENT_HEADER) if task is not None else None
        if sent is None and task is not None:
            sent = getattr(task.request, SENT_HEADER, None)
        self._add("started")
        if isinstance(sent, int | float):
            self._add(f"wait:{bucket(max(0.0, time.time() - sent))}")

    def _ended(self, state: str | None = None, **_: Any) -> None:
        if state in ("RETRY", None):
            return
        self._add("failed" if state == "FAILURE" else "done")

    def _add(self, field: str) -> None:
        with self._lock:
            self._counts[field] += 1
            if self._thread is None or not self._thread.is_alive():
                # Started with the first task: a prefork parent forks its children before it.
                self._thread = threading.Thread(target=self._run, name="wait-counter", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while True:
            time.sleep(FLUSH_SECONDS)
            self.flush()

    def flush(self) -> None:
        """Writes what was counted since the last time; what the store refuses is dropped."""
        with self._lock:
            counts, self._counts = self._counts, Counter()
        if not counts:
            return
        try:
            pipeline = self._store.pipeline(transaction=False)
            for field, count in counts.items():
                pipeline.hincrby(self._key, field, count)
            pipeline.execute()
        except redis.RedisError:
            return
