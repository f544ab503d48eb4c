"""A queue of keys to reconcile, with the promises that controllers rely on.

Invariant: a key is never worked on twice at once; a key that comes in while it is worked on is worked on again
afterwards; a key that fails comes back later and later, up to a ceiling, and starts afresh after a success.
Facts from: `k8s.io/client-go/util/workqueue` and controller-runtime `pkg/internal/controller/controller.go`, whose
promises these are; the delays are longer than theirs, because one node with two cores runs everything.
"""

import asyncio
import heapq
import itertools
import logging
from collections.abc import Awaitable, Callable
from typing import Final, Generic, TypeVar

_KeyT = TypeVar("_KeyT")

FIRST_RETRY_SECONDS: Final = 0.25
LAST_RETRY_SECONDS: Final = 15.0

logger = logging.getLogger(__name__)


class RetryLaterError(Exception):
    """An expected failure that time may cure; the text says what is waited for."""


class WorkQueue(Generic[_KeyT]):
    """Keys waiting for their turn, and the workers that take them."""

    def __init__(
        self,
        reconcile: Callable[[_KeyT], Awaitable[float | None]],
        *,
        workers: int,
        first_retry_seconds: float = FIRST_RETRY_SECONDS,
        last_retry_seconds: float = LAST_RETRY_SECONDS,
    ) -> None:
        """`reconcile` returns None, or after how many seconds it wants to see the key again."""
        self._reconcile = reconcile
        self._workers = workers
        self._first = first_retry_seconds
        self._last = last_retry_seconds
        self._due: dict[_KeyT, float] = {}
        self._heap: list[tuple[float, int, _KeyT]] = []
        self._order = itertools.count()
        self._busy: set[_KeyT] = set()
        self._failures: dict[_KeyT, int] = {}
        self._changed = asyncio.Event()

    def add(self, key: _KeyT, *, after_seconds: float = 0.0) -> None:
        """Work on `key`, at once or later; the earlier of two requests counts."""
        due = asyncio.get_running_loop().time() + after_seconds
        if key in self._due and self._due[key] <= due:
            return
        self._due[key] = due
        heapq.heappush(self._heap, (due, next(self._order), key))
        self._changed.set()

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            for _ in range(self._workers):
                group.create_task(self._work())

    async def _work(self) -> None:
        while True:
            key = await self._take()
            again: float | None
            try:
                again = await self._reconcile(key)
            except RetryLaterError as reason:
                again = self._backoff(key)
                logger.info("%s: %s; again in %.1f s", key, reason, again)
            except Exception:  # a controller outlives whatever one object does to it
                again = self._backoff(key)
                logger.exception("%s: failed; again in %.1f s", key, again)
            else:
                self._failures.pop(key, None)
            self._busy.discard(key)
            self._changed.set()
            if again is not None:
                self.add(key, after_seconds=again)

    def _backoff(self, key: _KeyT) -> float:
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        return float(min(self._first * 2 ** min(failures, 30), self._last))

    async def _take(self) -> _KeyT:
        while True:
            key, wait_seconds = self._next()
            if key is not None:
                return key
            self._changed.clear()
            try:
                async with asyncio.timeout(wait_seconds):
                    await self._changed.wait()
            except TimeoutError:
                continue

    def _next(self) -> tuple[_KeyT | None, float | None]:
        """A key whose time has come, or how long until the next one's."""
        now = asyncio.get_running_loop().time()
        postponed = []
        found: _KeyT | None = None
        while self._heap and found is None:
            due, _, key = self._heap[0]
            if self._due.get(key) != due:
                heapq.heappop(self._heap)  # an earlier request has taken its place
            elif due > now:
                break
            elif key in self._busy:
                postponed.append(heapq.heappop(self._heap))
            else:
                heapq.heappop(self._heap)
                del self._due[key]
                self._busy.add(key)
                found = key
        for entry in postponed:
            heapq.heappush(self._heap, entry)
        waiting = [due for due, _, key in self._heap if key not in self._busy]
        return found, max(0.0, min(waiting) - now) if waiting else None
