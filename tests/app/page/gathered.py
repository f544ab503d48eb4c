"""What a collector would have gathered of a small fleet, as a test states it."""

from app.minutes import Minute
from app.web.page.collecting import Snapshot, Source
from app.web.page.depths import Depth
from app.web.page.facts import QueueFacts, facts_of
from fleet.documents import WatchedQueue
from tests.app.documents import DEFAULT, HIGH, REPORTS

NOW = 1_800_000_030.0
"""Half a minute into minute 30,000,000, which is 08:00 UTC."""

LAST = 30_000_000


def hour(*latest: Minute) -> tuple[Minute, ...]:
    """An hour in which nothing happened but in its latest minutes; they are numbered here."""
    quiet = [Minute(number=0)] * (60 - len(latest))
    return tuple(
        Minute(**{**vars(minute), "number": LAST - 59 + place}) for place, minute in enumerate([*quiet, *latest])
    )


def depth(ready: int | None = 0, consumers: int = 1, *, seconds_ago: float = 1.0) -> Depth:
    return Depth(ready=ready, consumers=consumers, asked_at=NOW - seconds_ago)


def snapshot(
    *, minutes: dict[str, tuple[Minute, ...]] | None = None, depths: dict[str, Depth] | None = None, **sources: Source
) -> Snapshot:
    """All is well and nothing happens, but for what is given."""
    queues = (HIGH, DEFAULT, REPORTS)
    broker_queues = [name for queue in queues for name in (*queue.shards, queue.dead_letter_queue)]
    return Snapshot(
        minutes={**{queue.name: hour() for queue in queues}, **(minutes or {})},
        depths={**dict.fromkeys([*broker_queues, "unrouted"], depth()), **(depths or {})},
        **{"store": Source(answered_at=NOW - 2), "broker": Source(answered_at=NOW - 1), **sources},
    )


def facts(queue: WatchedQueue, *latest: Minute, depths: dict[str, Depth] | None = None) -> QueueFacts:
    """What is known of one queue, its latest minutes given."""
    return facts_of(queue, snapshot(minutes={queue.name: hour(*latest)}, depths=depths), now=NOW)
