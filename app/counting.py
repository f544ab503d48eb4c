"""Counts on their way to the results store.

Invariant: counting never costs a task. Numbers are collected in memory, one thread writes them at most once a second, and what cannot be written waits for
the next second.
"""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, Protocol

FLUSH_SECONDS = 1.0

PENDING_AT_MOST = 20_000
"""Fields that wait for a store that is away; of more, those that would not stay are given up."""

logger = logging.getLogger(__name__)


class Store(Protocol):
    """What of a Redis client the counts use."""

    def pipeline(self, transaction: bool = ...) -> Any:
        """Commands that are sent together."""


class StoredCounts:
    """Hashes of counts that many processes add to."""

    def __init__(self, connect: Callable[[], Store]) -> None:
        self._connect = connect
        self._pending: Counter[tuple[str, str]] = Counter()
        """(key, field) -> what to add."""
        self._expiries: dict[str, int] = {}
        """Key -> seconds, of those that do not stay."""
        self._lock = threading.Lock()
        self._wakened = threading.Event()
        self._writer: threading.Thread | None = None
        self._store: Store | None = None

    def add(self, key: str, counts: Iterable[tuple[str, int]], *, expire_seconds: int | None = None) -> None:
        """Add to fields of a hash, soon; with `expire_seconds` the hash goes when nobody has added to it for so long."""
        with self._lock:
            for field, count in counts:
                self._pending[key, field] += count
            if expire_seconds is not None:
                self._expiries[key] = expire_seconds
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
            expiries, self._expiries = self._expiries, {}
        if not counts:
            return True
        try:
            if self._store is None:
                self._store = self._connect()
            pipeline = self._store.pipeline(transaction=False)
            for (key, field), count in counts.items():
                pipeline.hincrby(key, field, count)
            for key, seconds in expiries.items():
                pipeline.expire(key, seconds)
            pipeline.execute()
        except Exception as error:
            # Whatever the store's client raises, a count is not worth a task.
            logger.debug("counters are kept for the next second: %s", type(error).__name__)
            self._keep(counts, expiries)
            return False
        return True

    def _keep(self, counts: Counter[tuple[str, str]], expiries: dict[str, int]) -> None:
        with self._lock:
            self._pending.update(counts)
            self._expiries = {**expiries, **self._expiries}
            if len(self._pending) > PENDING_AT_MOST:
                lasting = {place: count for place, count in self._pending.items() if place[0] not in self._expiries}
                self._pending, self._expiries = Counter(lasting), {}
