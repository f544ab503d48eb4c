"""What is known of one queue at one moment: counts of the last minutes, and what the broker said last.

Invariant: what nobody said is None, never zero.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from app.minutes import MINUTE_SECONDS, Minute
from app.web.page.collecting import Snapshot
from fleet.documents import WatchedQueue

RECENT_MINUTES = 15
"""What "now" means to a verdict: long enough for a share of slow tasks to be one, short enough to see that it is over."""

UNREAD_SECONDS = 60.0
"""Counts of the results store that were read before so long say nothing about now."""


@dataclass(frozen=True, kw_only=True)
class Share:
    """Tasks that started in a stretch of time."""

    started: int = 0
    timed: int = 0
    """Of them those whose publisher said when they were due; the others are in no share."""
    late: int = 0

    @property
    def kept(self) -> float | None:
        """Share within the promise, in percent; None where none was timed."""
        return None if not self.timed else 100 * (self.timed - self.late) / self.timed


@dataclass(frozen=True, kw_only=True)
class QueueFacts:
    """One queue."""

    queue: WatchedQueue
    hour: Sequence[Minute]
    """Oldest first, the running minute last; empty where nothing was ever read."""
    read: bool
    """Whether the minutes were read lately."""
    ready: int | None
    """Messages that wait; None where the broker has not said it of every shard."""
    pods: int | None
    """Workers that consume."""
    asked_at: float | None
    """When the broker was asked, of the shards the longest ago."""

    @cached_property
    def recent(self) -> Sequence[Minute]:
        """The minutes that a verdict is about."""
        return self.hour[-RECENT_MINUTES:]

    @cached_property
    def recent_share(self) -> Share:
        """What started in them."""
        return share_of(self.recent, self.queue.promise_seconds)

    @cached_property
    def hour_share(self) -> Share:
        """What started in the whole hour."""
        return share_of(self.hour, self.queue.promise_seconds)

    @cached_property
    def runs(self) -> int:
        """Runs that ended lately."""
        return sum(minute.runs for minute in self.recent)

    @cached_property
    def mean_seconds(self) -> float | None:
        """How long they took on average; None where there were none."""
        return sum(minute.run_seconds for minute in self.recent) / self.runs if self.runs else None

    @cached_property
    def work_seconds(self) -> float | None:
        """How long the pods that are there need for what waits; None where there is none of either, or nobody knows."""
        if not self.ready or not self.pods:
            return None
        return self.ready * (self.mean_seconds or self.queue.mean_seconds) / (self.pods * self.queue.concurrency)

    @cached_property
    def stalled_minutes(self) -> int:
        """Whole minutes up to now in which tasks waited and none started."""
        count = 0
        for minute in reversed(self.recent[:-1]):
            if minute.started or not sum(minute.ready.values()):
                break
            count += 1
        return count


def facts_of(queue: WatchedQueue, snapshot: Snapshot, *, now: float) -> QueueFacts:
    """What is known of a queue."""
    depths = [snapshot.depths[shard] for shard in queue.shards if shard in snapshot.depths]
    said = len(depths) == len(queue.shards)
    read_at = snapshot.store.answered_at
    return QueueFacts(
        queue=queue,
        hour=snapshot.minutes.get(queue.name, ()),
        read=read_at is not None and now - read_at < UNREAD_SECONDS,
        ready=sum(depth.ready or 0 for depth in depths) if said else None,
        pods=sum(depth.consumers for depth in depths) if said else None,
        asked_at=min(depth.asked_at for depth in depths) if said else None,
    )


def share_of(minutes: Sequence[Minute], promise_seconds: float) -> Share:
    """What started in these minutes, and how much of it late."""
    return Share(
        started=sum(minute.started for minute in minutes),
        timed=sum(sum(minute.waits.values()) for minute in minutes),
        late=sum(count for minute in minutes for bound, count in minute.waits.items() if bound > promise_seconds),
    )


def wait_within(minutes: Sequence[Minute], percent: float) -> float | None:
    """The least bound of the histogram within which so many percent of the tasks started; None where none did."""
    waits: Counter[float] = Counter()
    for minute in minutes:
        waits.update(minute.waits)
    wanted, counted = waits.total() * percent / 100, 0
    for bound, count in sorted(waits.items()):
        counted += count
        if counted >= wanted:
            return bound
    return None


def busiest_per_second(minutes: Sequence[Minute]) -> float:
    """Arrivals a second in the busiest whole minute: what started, and by how much the queue grew."""
    found = [0.0]
    for before, minute in pairwise(minutes[:-1]):
        grown = sum(minute.ready.values()) - sum(before.ready.values()) if minute.ready and before.ready else 0
        found.append((minute.started + grown) / MINUTE_SECONDS)
    return max(found)
