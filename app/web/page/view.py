"""What the page shows, as words, numbers and charts: everything but the markup.

Invariant: the state of each promise comes with its count, each number that is old with its age, and each that cannot be known with the reason.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from app.minutes import Minute
from app.web.page.collecting import SELDOM, TURN_SECONDS, Snapshot, Source
from app.web.page.facts import QueueFacts, facts_of
from app.web.page.rows import QueueRow, queue_row
from app.web.page.verdicts import State, judge
from app.web.page.words import age, at_time, clock, number
from fleet.documents import WebDocument
from fleet.metrics import FinishedOutcome

OLD_ROUNDS = 3
"""A depth that was not asked anew for so many rounds is shown with its age."""

LEAST_OLD_SECONDS = 15.0

FAILURES_AT_MOST = 20
NAMED_AT_MOST = 3


@dataclass(frozen=True, kw_only=True)
class FailureRow:
    """One task that did not go well in the last hour."""

    task: str
    queue: str
    failed: int
    retried: int
    rejected: int
    lost: int
    runs: str
    """Of how many."""
    last: str
    """When it last happened, to the minute."""


@dataclass(frozen=True, kw_only=True)
class LetterRow:
    """One queue of messages that were given up on."""

    queue: str
    """As `fleet dlq` calls it."""
    count: str
    none: bool
    """Whether it is known to be empty."""
    some: bool
    age: str
    command: str


@dataclass(frozen=True, kw_only=True)
class SourceLine:
    """How one of the two sources answers."""

    name: str
    text: str
    well: bool


@dataclass(frozen=True, kw_only=True)
class PageView:
    """The whole page."""

    fleet: str
    environment: str
    headline: str
    state: State
    """The worst of the promises."""
    at: str
    queues: tuple[QueueRow, ...]
    failures: tuple[FailureRow, ...]
    failures_left: int
    letters: tuple[LetterRow, ...]
    sources: tuple[SourceLine, ...]


def view_page(document: WebDocument, snapshot: Snapshot, *, now: float) -> PageView:
    """The page of one moment."""
    fleet = document.producer.fleet
    broker_queues = sum(len(queue.shards) + 1 / SELDOM for queue in document.queues)
    old_seconds = max(LEAST_OLD_SECONDS, OLD_ROUNDS * TURN_SECONDS * broker_queues)
    judged = [(facts, judge(facts)) for facts in (facts_of(queue, snapshot, now=now) for queue in document.queues)]
    failures = sorted(
        _failures(facts for facts, _ in judged), key=lambda row: (-row.failed, -row.retried - row.rejected - row.lost)
    )
    return PageView(
        fleet=fleet,
        environment=document.environment,
        headline=headline({facts.queue.name: state for facts, state in judged}),
        state=min((state for _, state in judged), key=list(State).index, default=State.UNKNOWN),
        at=at_time(now),
        queues=tuple(queue_row(facts, state, fleet=fleet, now=now, old_seconds=old_seconds) for facts, state in judged),
        failures=tuple(failures[:FAILURES_AT_MOST]),
        failures_left=max(0, len(failures) - FAILURES_AT_MOST),
        letters=tuple(_letters(document, snapshot, now=now, old_seconds=old_seconds * SELDOM)),
        sources=(
            _source("Results store", "waits, runs and outcomes", snapshot.store, now),
            _source("Broker", "messages and pods", _shared_broker(snapshot), now),
        ),
    )


def headline(states: Mapping[str, State]) -> str:
    """The answer in a sentence, from the state of each queue's promise."""
    worse = {
        words: [name for name, state in states.items() if state is kind]
        for kind, words in (
            (State.BROKEN, "broken"),
            (State.AT_RISK, "at risk"),
            (State.UNKNOWN, "not known to be kept"),
        )
    }
    said = [_of_all(names, len(states), words) for words, names in worse.items() if names]
    if said:
        return "; ".join(said) + "."
    if State.KEPT in states.values():
        return "Every promise is kept."
    return "Nothing to do: no task waits, and none has started lately."


def _of_all(names: Sequence[str], total: int, words: str) -> str:
    are = "promise is" if total == 1 else "promises is" if len(names) == 1 else "promises are"
    more = f" and {len(names) - NAMED_AT_MOST} more" if len(names) > NAMED_AT_MOST else ""
    return f"{len(names)} of {total} {are} {words}: {', '.join(names[:NAMED_AT_MOST])}{more}"


def _failures(queues: Iterable[QueueFacts]) -> Iterator[FailureRow]:
    for facts in queues:
        tasks: dict[str, Counter[FinishedOutcome]] = {}
        last: dict[str, Minute] = {}
        for minute in facts.hour:
            for (task, outcome), count in minute.ended.items():
                tasks.setdefault(task, Counter())[outcome] += count
                if outcome is not FinishedOutcome.SUCCEEDED:
                    last[task] = minute
        for task, minute in last.items():
            ended = tasks[task]
            yield FailureRow(
                task=task,
                queue=facts.queue.name,
                failed=ended[FinishedOutcome.FAILED],
                retried=ended[FinishedOutcome.RETRIED],
                rejected=ended[FinishedOutcome.REJECTED],
                lost=ended[FinishedOutcome.LOST],
                runs=number(ended.total()),
                last=clock(minute.number),
            )


def _letters(document: WebDocument, snapshot: Snapshot, *, now: float, old_seconds: float) -> Iterator[LetterRow]:
    places = [(queue.name, queue.dead_letter_queue) for queue in document.queues]
    unrouted = document.producer.unrouted
    for name, broker_queue in [*places, (unrouted, unrouted)]:
        depth = snapshot.depths.get(broker_queue)
        ready = None if depth is None else depth.ready
        yield LetterRow(
            queue=name,
            count=number(ready) if ready is not None else "the broker has no such queue" if depth else "not asked yet",
            none=ready == 0,
            some=bool(ready),
            age="" if depth is None else age(now - depth.asked_at, old_seconds),
            command=f"fleet dlq show {name} -s {document.environment}",
        )


def _shared_broker(snapshot: Snapshot) -> Source:
    """The broker has answered, if it has answered any pod."""
    own, latest = snapshot.broker, max((depth.asked_at for depth in snapshot.depths.values()), default=None)
    if latest is None or (own.failing_since is not None and latest < own.failing_since):
        return own
    return Source(answered_at=latest)


def _source(name: str, what: str, source: Source, now: float) -> SourceLine:
    if source.failing_since is not None:
        last = (
            "It has never answered this pod."
            if source.answered_at is None
            else f"Shown is what it said at {at_time(source.answered_at)}."
        )
        return SourceLine(
            name=name,
            text=f"{what}: no answer since {at_time(source.failing_since)} ({source.problem}). {last}",
            well=False,
        )
    if source.answered_at is None:
        return SourceLine(name=name, text=f"{what}: not asked yet; reload in a moment.", well=False)
    return SourceLine(name=name, text=f"{what}: read {max(0, now - source.answered_at):.0f} s ago", well=True)
