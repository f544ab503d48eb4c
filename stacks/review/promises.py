"""Whether each queue keeps its promise, simulated with the plan before and the plan after.

Invariant: both sides meet the same loads (one seed), so what differs is the plan. What is modelled stands in docs/explanation/simulation.md.
"""

from collections.abc import Iterator

from fleet.environment import Environment
from fleet.plan import Plan, QueuePlan
from fleet.simulate.examining import Question, examine
from fleet.simulate.model import SimulatedQueue, World, simulated_queue, world_of
from fleet.simulate.policies import PolicyName
from fleet.simulate.traces import Trace
from fleet.units import format_duration, format_number
from stacks.review.model import Outcome, PromiseChange

SEED = 1
QUESTION = Question(
    traces=tuple(Trace), asked=False, policies=(PolicyName.PLAN,), seed=SEED, hours=None, stressed=False
)


Side = tuple[Plan, Environment]


def promise_changes(before: Side | None, after: Side) -> Iterator[PromiseChange]:
    """Of each queue whose simulation can come out otherwise than before; without a base, of every queue."""
    plan, environment = after
    old = {queue.name: queue for queue in before[0].queues} if before else {}
    for queue in plan.queues:
        earlier = old.get(queue.name)
        if before and earlier and _simulated(earlier, before[1]) == _simulated(queue, environment):
            continue
        percentile, wait = format_number(queue.promise.percentile), format_duration(queue.promise.wait_seconds)
        yield PromiseChange(
            queue=queue.name,
            promise=f"{percentile} % within {wait}",
            before=_outcome(earlier, before[1]) if before and earlier else None,
            after=_outcome(queue, environment),
        )


def _simulated(queue: QueuePlan, environment: Environment) -> tuple[SimulatedQueue, World]:
    """All that a simulation hears of."""
    return simulated_queue(queue), world_of(environment)


def _outcome(queue: QueuePlan, environment: Environment) -> Outcome:
    simulated, world = _simulated(queue, environment)
    report = examine("", environment.name, [simulated], world, QUESTION).report
    beyond = {item.trace for item in report.beyond}
    counted = [outcome for outcome in report.outcomes if outcome.trace not in beyond]
    worst = min(counted, key=lambda outcome: (outcome.kept, outcome.within_percent))
    return Outcome(kept=report.kept, worst_trace=worst.trace, within_percent=worst.within_percent)
