"""Gathers what the page shows, in the background, once for all who look.

Invariant: a view waits for nobody; it shows what was gathered last, and how old that is. The broker is asked one question a second by all pods of the web layer
together, however many look: whoever sets the turn in the results store asks, about the queue that was asked about longest ago, and leaves the answer there for
the others. Without the store each pod takes its share of the seconds by its own clock. The results store is read once every few seconds by each pod.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from app.minutes import KEPT_SECONDS, PODS_FIELD, READY_FIELD, Minute, minute_key, minute_of, read_minute
from app.store import StoreError
from app.web.page.depths import BrokerAwayError, Depth
from fleet.documents import WebDocument

TURN_SECONDS = 1.0
"""Between two questions to the broker."""

ATTEMPT_SECONDS = 0.5
"""Between two tries for a turn: a turn that has just ended is not left for a whole second."""

RETRY_SECONDS = 5.0
"""A pod that got no answer leaves the turns to the others for so long."""

READ_SECONDS = 5.0
SHOWN_MINUTES = 60
UNSETTLED_MINUTES = 2
"""Minutes that workers may still add to; older ones are read once."""

SELDOM = 6
"""Dead letters are for people: their queues are asked about so many times less often."""

logger = logging.getLogger(__name__)


class Depths(Protocol):
    """What of `app.web.page.depths.QueueDepths` is used here."""

    def ask(self, queue: str) -> Depth:
        """The depth of a queue, now; raises BrokerAwayError."""

    def close(self) -> None:
        """Give the connection up."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """How one of the two that are asked has answered this pod."""

    answered_at: float | None = None
    """Seconds since the epoch; None where it never has."""
    failing_since: float | None = None
    """When it first gave no answer; None where its last answer was one."""
    problem: str = ""


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """All that is known, at one moment."""

    minutes: Mapping[str, tuple[Minute, ...]] = field(default_factory=dict)
    """Logical queue -> the last hour, oldest first, the running minute last; a minute in which nothing happened is empty."""
    depths: Mapping[str, Depth] = field(default_factory=dict)
    """Broker queue -> its depth; none where it has not been asked about."""
    store: Source = Source()
    broker: Source = Source()


class Collector:
    """One for each process of the web layer; `start` and `stop` belong to its life span."""

    def __init__(
        self, document: WebDocument, store: Any, depths: Depths, *, pod: str, clock: Callable[[], float] = time.time
    ) -> None:
        self._document = document
        self._fleet = document.producer.fleet
        self._store = store
        self._depths = depths
        self._pod = pod
        self._clock = clock
        self._logical = {shard: queue.name for queue in document.queues for shard in queue.shards}
        dead = [*(queue.dead_letter_queue for queue in document.queues), document.producer.unrouted]
        self._weights = {**dict.fromkeys(self._logical, 1), **dict.fromkeys(dead, SELDOM)}
        self._settled: dict[str, dict[int, Minute]] = {queue.name: {} for queue in document.queues}
        self._own_turn_at = 0.0
        self._read_at = 0.0
        self._ended = threading.Event()
        self.snapshot = Snapshot()
        """What was gathered last; replaced as a whole."""

    def start(self) -> None:
        """Gather until `stop`, in a thread that ends with the process."""
        threading.Thread(target=self._run, name="fleet-page", daemon=True).start()

    def stop(self) -> None:
        """End the thread soon; it is not waited for."""
        self._ended.set()

    def _run(self) -> None:
        while not self._ended.wait(ATTEMPT_SECONDS):
            try:
                self.turn()
            except Exception:
                # The page says how old it is; the web layer goes on.
                logger.exception("the page could not be gathered")
        self._depths.close()

    def turn(self) -> None:
        """Look at the results store where it is time, and ask the broker one question where it is our turn."""
        now = self._clock()
        if now >= self._read_at:
            self._read_at = now + READ_SECONDS
            self._read_minutes(now)
        if self._is_our_turn(now):
            self._ask(self._longest_ago())

    def _is_our_turn(self, now: float) -> bool:
        if self.snapshot.broker.failing_since is not None and now < self._own_turn_at:
            return False
        try:
            key = f"fleet:{self._fleet}:depths:turn"
            ours = bool(self._store.set(key, self._pod, nx=True, px=int(TURN_SECONDS * 1000)))
            self._read_depths()
            return ours
        except StoreError as error:
            self._store_failed(now, error)
        if now < self._own_turn_at:
            return False
        self._own_turn_at = now + TURN_SECONDS * self._document.pods_max
        return True

    def _longest_ago(self) -> str:
        now, known = self._clock(), self.snapshot.depths
        return max(
            self._weights,
            key=lambda queue: (now - known[queue].asked_at) / self._weights[queue] if queue in known else float("inf"),
        )

    def _ask(self, queue: str) -> None:
        now = self._clock()
        try:
            depth = self._depths.ask(queue)
        except BrokerAwayError as error:
            self._own_turn_at = now + max(RETRY_SECONDS, TURN_SECONDS * self._document.pods_max)
            self._replace(broker=_failed(self.snapshot.broker, now, str(error)))
            return
        self._replace(depths={**self.snapshot.depths, queue: depth}, broker=Source(answered_at=depth.asked_at))
        try:
            self._share(queue, depth)
        except StoreError as error:
            self._store_failed(now, error)

    def _share(self, queue: str, depth: Depth) -> None:
        pipeline = self._store.pipeline(transaction=False)
        pipeline.hset(_depths_key(self._fleet), queue, _written(depth))
        logical = self._logical.get(queue)
        if logical is not None and depth.ready is not None:
            key = minute_key(self._fleet, logical, minute_of(depth.asked_at))
            pipeline.hset(key, f"{READY_FIELD}{queue}", depth.ready)
            pipeline.hset(key, f"{PODS_FIELD}{queue}", depth.consumers)
            pipeline.expire(key, KEPT_SECONDS)
        pipeline.execute()

    def _read_depths(self) -> None:
        shared = _read_depths(self._store.hgetall(_depths_key(self._fleet)), self._weights)
        own = self.snapshot.depths
        newer = {
            queue: depth for queue, depth in shared.items() if queue not in own or depth.asked_at > own[queue].asked_at
        }
        if newer:
            self._replace(depths={**own, **newer})

    def _read_minutes(self, now: float) -> None:
        last = minute_of(now)
        shown = range(last - SHOWN_MINUTES + 1, last + 1)
        wanted = [(queue, number) for queue, kept in self._settled.items() for number in shown if number not in kept]
        try:
            pipeline = self._store.pipeline(transaction=False)
            for queue, number in wanted:
                pipeline.hgetall(minute_key(self._fleet, queue, number))
            read = pipeline.execute()
        except StoreError as error:
            self._store_failed(now, error)
            return
        found = {place: read_minute(place[1], fields) for place, fields in zip(wanted, read, strict=True)}
        minutes = {}
        for queue, kept in self._settled.items():
            minutes[queue] = tuple(kept.get(number) or found[queue, number] for number in shown)
            self._settled[queue] = {
                minute.number: minute for minute in minutes[queue] if minute.number <= last - UNSETTLED_MINUTES
            }
        self._replace(minutes=minutes, store=Source(answered_at=now))

    def _store_failed(self, now: float, error: Exception) -> None:
        self._replace(store=_failed(self.snapshot.store, now, type(error).__name__))

    def _replace(self, **changed: Any) -> None:
        self.snapshot = replace(self.snapshot, **changed)


def _failed(source: Source, now: float, problem: str) -> Source:
    since = now if source.failing_since is None else source.failing_since
    return Source(answered_at=source.answered_at, failing_since=since, problem=problem)


def _depths_key(fleet: str) -> str:
    """Key of the hash with what the broker was asked last, for each broker queue."""
    return f"fleet:{fleet}:depths"


def _written(depth: Depth) -> str:
    return f"{'' if depth.ready is None else depth.ready} {depth.consumers} {depth.asked_at:.3f}"


def _read_depths(fields: Mapping[str, str], queues: Iterable[str]) -> dict[str, Depth]:
    found = {}
    for queue in queues:
        if queue in fields:
            ready, consumers, asked_at = fields[queue].split(" ")
            found[queue] = Depth(
                ready=int(ready) if ready else None, consumers=int(consumers), asked_at=float(asked_at)
            )
    return found
