"""A plan tried out on the tasks that were measured; needs numpy."""

from collections.abc import Callable
from dataclasses import replace

from fleet.environment import Environment
from fleet.measure.consequences import Simulated
from fleet.plan import QueuePlan
from fleet.simulate.examining import Question, examine, usual_seconds
from fleet.simulate.model import SimulatedQueue, simulated_queue, world_of
from fleet.simulate.policies import PolicyName
from fleet.simulate.traces import Trace

TASKS_MAX = 2_000_000
"""Of one load; a queue that is busier is tried for a shorter time than `fleet simulate` takes, so that an answer is there in a minute."""

QUESTION = Question(traces=tuple(Trace), asked=False, policies=(PolicyName.PLAN,), seed=1, hours=None, stressed=False)


def simulate_plan_of(
    planned: QueuePlan, actual: QueuePlan, environment: Environment, tick: Callable[[str], None]
) -> Simulated:
    """The pods and the autoscaler of one plan, the tasks of another; `tick` is called before each load with its name."""
    truth = simulated_queue(actual)
    queue = replace(
        simulated_queue(planned),
        mean_seconds=truth.mean_seconds,
        p99_seconds=truth.p99_seconds,
        peak_per_second=truth.peak_per_second,
        batch_messages=truth.batch_messages,
    )
    question = replace(QUESTION, hours=_hours(queue))
    report = examine("", environment.name, [queue], world_of(environment), question, tick=tick).report
    left_out = {item.trace for item in report.beyond}
    counted = [outcome for outcome in report.outcomes if outcome.trace not in left_out]
    worst = min(counted, key=lambda outcome: (outcome.kept, outcome.within_percent))
    return Simulated(
        kept=report.kept,
        traces_kept=sum(outcome.kept for outcome in counted),
        traces=len(counted),
        worst_trace=worst.trace,
        within_percent=worst.within_percent,
    )


def _hours(queue: SimulatedQueue) -> float | None:
    """How long each load lasts; None as long as usual."""
    seconds = TASKS_MAX / queue.peak_per_second
    return seconds / 3600 if seconds < usual_seconds(queue) else None
