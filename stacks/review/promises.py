"""Whether each queue keeps its promise, simulated with the plan before and the plan after.

Invariant: both sides meet the same loads (one seed), so what differs is the plan. What is modelled stands in docs/explanation/simulation.md.
"""

from collections.abc import Collection, Iterator

from fleet.environment import Environment
from fleet.plan import Plan, QueuePlan
from fleet.simulate.examining import Question, examine
from fleet.simulate.model import simulated_queue, world_of
from fleet.simulate.policies import PolicyName
from fleet.simulate.traces import Trace
from fleet.units import format_duration, format_number
from stacks.review.model import Outcome, PromiseChange

SEED = 1
QUESTION = Question(
    traces=tuple(Trace), asked=False, policies=(PolicyName.PLAN,), seed=SEED, hours=None, stressed=False
)


def promise_changes(
    before: tuple[Plan, Environment] | None, after: tuple[Plan, Environment], queues: Collection[str]
) -> Iterator[PromiseChange]:
    """Of each of these queues that is in the plan after."""
    plan, environment = after
    old = {queue.name: queue for queue in before[0].queues} if before else {}
    for queue in plan.queues:
        if queue.name not in queues:
            continue
        promised = f"{format_number(queue.promise.percentile)} % within {format_duration(queue.promise.wait_seconds)}"
        yield PromiseChange(
            queue=queue.name,
            promise=promised,
            before=_outcome(old[queue.name], before[1]) if before and queue.name in old else None,
            after=_outcome(queue, environment),
        )


def _outcome(queue: QueuePlan, environment: Environment) -> Outcome:
    report = examine("", environment.name, [simulated_queue(queue)], world_of(environment), QUESTION).report
    beyond = {item.trace for item in report.beyond}
    counted = [outcome for outcome in report.outcomes if outcome.trace not in beyond]
    worst = min(counted, key=lambda outcome: (outcome.kept, outcome.within_percent))
    return Outcome(kept=report.kept, worst_trace=worst.trace, within_percent=worst.within_percent)
