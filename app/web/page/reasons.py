"""Why a promise is not kept, in sentences: what a person would find who looked at all the counts.

Invariant: a sentence says what was counted and what to do about it; no name or number in it comes from a message.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from app.minutes import Minute
from app.web.page.facts import RECENT_MINUTES, QueueFacts, busiest_per_second, share_of
from app.web.page.verdicts import State
from app.web.page.words import about, clock, exactly, number
from fleet.metrics import FinishedOutcome
from fleet.units import format_rate

SLOW_FACTOR = 1.25
"""From this many times the declared mean on, tasks are slower than what the plan counts with: above the scatter of a quarter of an hour."""

BUSY_FACTOR = 1.1
"""From this many times the declared peak on, more arrives than the plan counts with."""

FEWEST_RUNS = 20
"""A mean of fewer runs says little."""

RETRIED_SHARE = 0.1


@dataclass(frozen=True, kw_only=True)
class Reason:
    """Why a promise is not kept, or soon will not be."""

    text: str
    command: str | None = None
    """What to run to see more."""


def reasons(facts: QueueFacts, state: State, *, fleet: str) -> Iterator[Reason]:
    """Why the promise is not kept or soon will not be, and what is not as the plan counts with, the nearest cause first."""
    if state in {State.BROKEN, State.AT_RISK}:
        yield from _waiting(facts, fleet)
    yield from _more_than_planned(facts)
    yield from _cut_short(facts, fleet)
    if state is State.BROKEN and (times := late_times(facts.recent, facts.queue.promise_seconds)):
        over = (
            f" Nothing waits now; the promise counts as kept again once that is {RECENT_MINUTES} min ago."
            if facts.ready == 0
            else ""
        )
        yield Reason(text=f"Tasks started late at {times} UTC.{over}")
    if state is State.UNKNOWN and facts.recent_share.started and not facts.recent_share.timed:
        yield Reason(text="Its publishers do not say when their tasks were due, so nobody knows how long they waited.")


def _waiting(facts: QueueFacts, fleet: str) -> Iterator[Reason]:
    queue, ready, pods = facts.queue, facts.ready, facts.pods
    if not ready:
        return
    look = f"kubectl -n {fleet} get scaledobjects,pods -l celery-fleet/queue={queue.name}"
    waiting = f"{number(ready)} {'task waits' if ready == 1 else 'tasks wait'}"
    if not pods:
        since = f" Nothing has started for {facts.stalled_minutes} min." if facts.stalled_minutes else ""
        yield Reason(
            text=f"{waiting} and no pod is at work.{since} One comes about {about(queue.reaction_seconds)} after the first task.",
            command=look,
        )
        return
    work = f"{waiting}, about {about(facts.work_seconds or 0)} of work for the pods there are"
    if pods >= queue.pods_max:
        yield Reason(
            text=f"All {pods} pods that it may have are at work: {work}. More arrives than they can take; raise load.peak or "
            "replicas.max in the catalogue.",
            command=look,
        )
    elif facts.stalled_minutes:
        yield Reason(
            text=f"Nothing has started for {facts.stalled_minutes} min: {waiting} and all slots are taken.",
            command=look,
        )
    else:
        yield Reason(
            text=f"{pods} of {queue.pods_max} pods at most are at work: {work}. More come within about {about(queue.reaction_seconds)}."
        )


def _more_than_planned(facts: QueueFacts) -> Iterator[Reason]:
    queue = facts.queue
    mean = facts.mean_seconds
    if mean is not None and facts.runs >= FEWEST_RUNS and mean > SLOW_FACTOR * queue.mean_seconds:
        yield Reason(
            text=f"A task runs for {about(mean)} on average, {mean / queue.mean_seconds:.1f} times the "
            f"{exactly(queue.mean_seconds)} that the catalogue states and the plan counts with: correct runtime.mean (fleet measure proposes it)."
        )
    arrived = busiest_per_second(facts.recent)
    if arrived > BUSY_FACTOR * queue.peak_per_second:
        yield Reason(
            text=f"{format_rate(float(f'{arrived:.2g}'))} arrived in the busiest minute; the plan counts with "
            f"{format_rate(queue.peak_per_second)} at peak: correct load.peak."
        )


def _cut_short(facts: QueueFacts, fleet: str) -> Iterator[Reason]:
    ended = dict.fromkeys(FinishedOutcome, 0)
    for minute in facts.recent:
        for (_, outcome), count in minute.ended.items():
            ended[outcome] += count
    if lost := ended[FinishedOutcome.LOST]:
        runs = f"{number(lost)} {'run was' if lost == 1 else 'runs were'}"
        yield Reason(
            text=f"{runs} cut short and had to begin again: a process, a pod or a connection was lost.",
            command=f"kubectl -n {fleet} get events --field-selector type=Warning",
        )
    total = sum(ended.values())
    if total and ended[FinishedOutcome.RETRIED] > RETRIED_SHARE * total:
        share = 100 * ended[FinishedOutcome.RETRIED] / total
        yield Reason(text=f"{share:.0f} % of the runs raised and are tried again; each takes a slot once more.")


def late_times(minutes: Sequence[Minute], promise_seconds: float) -> str:
    """The times at which late tasks started, as stretches of minutes in UTC: `12:03 to 12:05, 12:09`."""
    late = [minute.number for minute in minutes if share_of([minute], promise_seconds).late]
    stretches: list[list[int]] = []
    for at in late:
        if stretches and at == stretches[-1][1] + 1:
            stretches[-1][1] = at
        else:
            stretches.append([at, at])
    return ", ".join(clock(first) if first == last else f"{clock(first)} to {clock(last)}" for first, last in stretches)
