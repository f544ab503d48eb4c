"""What a promise costs: the same queues with the promised wait half as long and twice as long, derived again.

A shorter wait needs more pods that are there before the work is (the minimum) and more slots at peak; the table shows where that begins to cost.
"""

from fleet.catalogue import Catalogue
from fleet.demand import Month, PromiseCost
from fleet.deriving import derive_plan
from fleet.environment import Environment
from fleet.plan import Plan


def promise_costs(plan: Plan, catalogue: Catalogue, environment: Environment) -> tuple[PromiseCost, ...]:
    """Each queue's month under the promise that is stated, under half of it and under twice as long."""
    half, twice = (_months(catalogue, environment, factor) for factor in (0.5, 2.0))
    return tuple(
        PromiseCost(
            queue=queue.name,
            wait_seconds=queue.promise.wait_seconds,
            half=half[queue.name],
            stated=cost.month,
            twice=twice[queue.name],
        )
        for queue, cost in zip(plan.queues, plan.cost.queues, strict=True)
    )


def _months(catalogue: Catalogue, environment: Environment, factor: float) -> dict[str, Month]:
    queues = {
        name: spec.model_copy(update={"wait": spec.wait.model_copy(update={"promise": spec.wait.promise * factor})})
        for name, spec in catalogue.queues.items()
    }
    derived = derive_plan(catalogue.model_copy(update={"queues": queues}), environment)
    return {cost.queue: cost.month for cost in derived.cost.queues}
