"""What follows from a proposed change: the plan before and after, and whether tasks as they were measured keep the promise under either.

Both sides of a simulation meet the same tasks, the measured ones: before it the plan was derived from what the catalogue declared of them, after it from
what they are.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from fleet.comparing import Comparison, compare
from fleet.environment import Environment
from fleet.errors import Finding
from fleet.files import parse_catalogue
from fleet.loading import Draft, draft_plan
from fleet.measure.proposing import Proposal
from fleet.plan import QueuePlan
from fleet.records import Record


class Simulated(Record, frozen=True, kw_only=True):
    """One plan of a queue on the ten built-in loads."""

    kept: bool
    """On every load that counts."""
    traces_kept: int
    traces: int
    """Those that count: see `fleet simulate`."""
    worst_trace: str
    within_percent: float
    """Share of the tasks that started in time on the worst."""


class PromiseChange(Record, frozen=True, kw_only=True):
    """A queue's promise under the tasks that were measured."""

    queue: str
    promised_percent: float
    promised_wait_seconds: float
    before: Simulated
    after: Simulated


Simulate = Callable[[QueuePlan, QueuePlan], Simulated]
"""Simulates the first plan of a queue under the tasks of the second: `fleet.measure.simulating`, which needs numpy."""


class Consequences(Record, frozen=True, kw_only=True):
    """All that follows."""

    comparison: Comparison | None
    """None where the changed catalogue has findings."""
    promises: tuple[PromiseChange, ...]
    """Of queues whose runtime or peak changes; none without numpy."""
    findings: tuple[Finding, ...]
    """What is wrong with the changed catalogue."""


def consequences(
    before: Draft, proposal: Proposal, environment: Environment, *, simulate: Simulate | None
) -> Consequences:
    """What the proposal leads to; without `simulate` no promise is tried out.

    `before` is a draft without findings, with its reasons.
    """
    source = replace(parse_catalogue(proposal.texts), settings=before.source.settings)
    fleet = before.plan.fleet if before.plan else ""
    after = draft_plan(source, environment, fleet=fleet, explain=True)
    if after.errors:
        return Consequences(comparison=None, promises=(), findings=tuple(after.errors))
    touched = dict.fromkeys(change.queue for change in proposal.changes if change.path != "memory")
    return Consequences(
        comparison=compare(before, after),
        promises=tuple(_promises(before, after, touched, simulate)) if simulate else (),
        findings=(),
    )


def _promises(before: Draft, after: Draft, names: Iterable[str], simulate: Simulate) -> Iterator[PromiseChange]:
    old, new = ({queue.name: queue for queue in draft.plan.queues} if draft.plan else {} for draft in (before, after))
    for name in names:
        promise = new[name].promise
        yield PromiseChange(
            queue=name,
            promised_percent=promise.percentile,
            promised_wait_seconds=promise.wait_seconds,
            before=simulate(old[name], new[name]),
            after=simulate(new[name], new[name]),
        )
