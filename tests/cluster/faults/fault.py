"""One fault: what it does to a fleet under load, what has to be true afterwards, and how it is run.

Invariant: the load goes on before, during and after the fault, and the counts are taken when every accepted task is accounted for, or the time for that
is over, and no queue holds a message.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.cluster.faults.counting import Counts, Event, count, without_effect
from tests.cluster.faults.load import WORK, Answers, Load
from tests.cluster.faults.stage import Stage
from tests.cluster.running_fleet import eventually

BEFORE_SECONDS = 5.0
AFTER_SECONDS = 8.0
SETTLE_SECONDS = 240.0
STATISTICS_SECONDS = 8.0
"""The broker's counts are so old at most."""

ANSWER_SECONDS = 9.0
"""The web layer answers within five seconds, and waits for its turn on two busy cores as everybody does."""


@dataclass(kw_only=True)
class Scene:
    """A fault as it goes on."""

    stage: Stage
    answers: Answers
    in_flight: int = 0
    """Messages that what was struck held, or was being sent: so many may be run again."""
    struck_at: float | None = None
    """When the one thing died whose successor is waited for (seconds since the epoch)."""
    expected_dead: int = 0
    """Tasks that have to end as dead letters."""
    notes: dict[str, float] = field(default_factory=dict)
    """Further figures, by name."""

    def holds(self, in_flight: int) -> None:
        """What is about to die holds so many messages."""
        self.in_flight += in_flight


@dataclass(frozen=True, kw_only=True)
class Fault:
    """A row of the table."""

    name: str
    says: str
    """What it does."""
    strike: Callable[[Scene], None]
    """Does it and waits until its cause is over."""
    again: str
    """What may run again, in words; `in_flight` of the scene is its number."""
    first_start_seconds: float | None = None
    """A task that was sent after the blow has started by then."""
    cuts_requests: bool = False
    """Whether it ends the web layer with requests in hand, so that some are never answered."""
    settle_seconds: float = SETTLE_SECONDS


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of a fault."""

    counts: Counts
    in_flight: int
    expected_dead: int
    first_start_seconds: float | None
    """From the blow to the first start of a task that was sent after it; None where nobody's successor is waited for."""
    unexpected: tuple[str, ...]
    """Answers that were neither 202 nor 503."""
    without_effect: tuple[str, ...]
    """Each accepted task without an effect, with what is known of it."""
    left: dict[str, int]
    """Task queue -> messages that it still held in the end, where there were any."""
    seconds: float
    notes: dict[str, float]

    def figures(self) -> dict[str, Any]:
        """As a results file has it."""
        first = {} if self.first_start_seconds is None else {"first_start_seconds": self.first_start_seconds}
        return {**vars(self.counts), "in_flight": self.in_flight, **first, **self.notes}


def run_fault(stage: Stage, fault: Fault) -> Outcome:
    """Runs a fault on a fleet that is steady, and leaves it steady."""
    stage.wait_until_steady()
    stage.forget()
    begun = time.monotonic()
    with Load(stage.url) as load:
        scene = Scene(stage=stage, answers=load.answers)
        time.sleep(BEFORE_SECONDS)
        fault.strike(scene)
        time.sleep(AFTER_SECONDS)
    dead = _settle(scene, fault.settle_seconds)
    left = _drain(stage)
    events = stage.events()
    outcome = Outcome(
        counts=count(load.answers, events, dead),
        in_flight=scene.in_flight,
        expected_dead=scene.expected_dead,
        first_start_seconds=_first_start(scene, events),
        unexpected=tuple(load.answers.unexpected),
        without_effect=tuple(without_effect(load.answers, events, dead)),
        left=left,
        seconds=round(time.monotonic() - begun, 1),
        notes=scene.notes,
    )
    stage.wait_until_steady()
    return outcome


def _settle(scene: Scene, within_seconds: float) -> dict[str, str]:
    """Waits until each accepted task is done or a dead letter; the dead letters, each with its reason."""
    dead: dict[str, str] = {}

    def look() -> bool | None:
        missing = scene.answers.accepted.keys() - {event.id for event in scene.stage.events() if event.what == "done"}
        if missing:
            dead.update(scene.stage.dead_letters())
        return None if missing - dead.keys() else True

    end = time.monotonic() + within_seconds
    # What is still missing then is counted, not told here.
    while look() is None and time.monotonic() < end:
        time.sleep(2)
    return dead


def _drain(stage: Stage) -> dict[str, int]:
    """Waits until no queue holds a message, so that what runs again has run; what is left after a while."""
    time.sleep(STATISTICS_SECONDS)
    left: dict[str, int] = {}

    def look() -> bool | None:
        left.clear()
        left.update({queue: messages for queue, messages in stage.messages().items() if messages})
        return None if left else True

    try:
        eventually(look, within_seconds=60, waiting_for="empty queues", every_seconds=2)
    except AssertionError:
        return left
    return {}


def _first_start(scene: Scene, events: list[Event]) -> float | None:
    if scene.struck_at is None:
        return None
    accepted = scene.answers.accepted
    starts = [
        event.at
        for event in events
        if event.what == "started" and event.task == WORK.task and event.id in accepted
        and accepted[event.id].sent_at > scene.struck_at
    ]  # fmt: skip
    return round(min(starts) - scene.struck_at, 1) if starts else None


def violations(fault: Fault, outcome: Outcome) -> Iterator[str]:
    """What is not as it has to be."""
    counts, known = outcome.counts, "; ".join(outcome.without_effect)
    if not counts.accepted:
        yield "no task was accepted, so nothing was tried"
    if counts.lost:
        yield f"{counts.lost} accepted tasks are lost: {known}"
    if counts.dead_lettered != outcome.expected_dead:
        yield f"{counts.dead_lettered} tasks are dead letters, where {outcome.expected_dead} have to be: {known}"
    if counts.once_second_effects:
        yield f"{counts.once_second_effects} second effects of tasks with @once"
    again = counts.started_again + counts.once_started_again
    if again > outcome.in_flight:
        yield f"{again} tasks were started again, where what died held {outcome.in_flight}"
    if counts.slowest_answer_seconds > ANSWER_SECONDS:
        yield f"a request was answered after {counts.slowest_answer_seconds:g} s"
    if counts.unanswered and not fault.cuts_requests:
        yield f"{counts.unanswered} requests were never answered"
    if outcome.unexpected:
        yield f"unexpected answers, the first of {len(outcome.unexpected)}: {outcome.unexpected[0]}"
    if outcome.left:
        yield f"messages are left in {outcome.left}"
    if fault.first_start_seconds is not None and not (
        outcome.first_start_seconds is not None and outcome.first_start_seconds <= fault.first_start_seconds
    ):
        yield f"the first task started {outcome.first_start_seconds} s after the blow, not within {fault.first_start_seconds:g}"
