"""What policies come to on the same tasks: ours keeps what it promises, and nobody is cheaper than the bound."""

import msgspec
import pytest

from fleet.simulate.model import SimulatedQueue, World, simulated_queue
from fleet.simulate.outcome import Outcome
from fleet.simulate.policies import PolicyName
from fleet.simulate.study import Comparison, compare
from fleet.simulate.traces import Trace, generate
from tests.fleet.simulate.scripted import sample_plan

HALF_HOUR = 1800.0


def compared(queue: SimulatedQueue, trace: Trace, *policies: PolicyName, startup: float, seed: int = 1) -> Comparison:
    workload = generate(trace, queue, duration_seconds=HALF_HOUR, seed=seed)
    world = World(startup_seconds=(startup / 2, startup))
    return compare(workload, queue, world, policies, seed=seed, price_per_pod_hour=0.05)


def by_policy(comparison: Comparison) -> dict[str, Outcome]:
    return {result.policy: result for result in comparison.outcomes}


@pytest.mark.parametrize("trace", [Trace.STEADY, Trace.STEP, Trace.FLASH, Trace.BURSTY])
@pytest.mark.parametrize(
    ("environment", "number", "startup"),
    [pytest.param("local", 1, 5.0, id="mid"), pytest.param("local", 2, 5.0, id="long"), pytest.param("prod", 2, 75.0, id="short")],
)  # fmt: skip
def test_the_plan_keeps_what_it_promises(*, environment: str, number: int, startup: float, trace: Trace) -> None:
    """Each regime, on loads up to the declared peak."""
    queue = simulated_queue(sample_plan(environment).queues[number])
    (result,) = compared(queue, trace, PolicyName.PLAN, startup=startup).outcomes
    assert result.kept
    assert result.within_percent >= 95


def test_no_policy_that_keeps_the_promise_is_cheaper_than_the_bound() -> None:
    """Every policy on one trace; the bound knows all of them."""
    queue = simulated_queue(sample_plan("prod").queues[2])
    results = by_policy(compared(queue, Trace.BURSTY, *PolicyName, startup=75.0))
    assert set(results) == {policy.value for policy in PolicyName}
    bound = results["clairvoyant"]
    assert bound.kept
    assert bound.ratio == 1
    assert all(result.ratio is not None and result.ratio >= 1 for result in results.values() if result.kept)
    assert all(result.floor_ratio is not None and result.floor_ratio >= 1 for result in results.values())


def test_the_documented_example_of_keda_breaks_where_the_plan_does_not() -> None:
    """Twenty ready messages a pod say nothing about a promise of one second."""
    queue = simulated_queue(sample_plan("prod").queues[0])
    results = by_policy(compared(queue, Trace.STEP, PolicyName.PLAN, PolicyName.KEDA_DEFAULT, startup=75.0))
    assert results["plan"].kept
    assert not results["keda-default"].kept


def test_the_price_is_paid_for_every_shard() -> None:
    """Two shards cost twice what one does, at the price that was handed in."""
    queue = simulated_queue(sample_plan("prod").queues[1])
    (result,) = compared(queue, Trace.STEADY, PolicyName.FIXED_PEAK, startup=75.0).outcomes
    assert queue.shards == 2
    assert result.pod_hours == pytest.approx(2 * 0.5, rel=0.01)
    assert result.cost == pytest.approx(result.pod_hours * 0.05, abs=1e-4)


def test_an_outcome_travels_as_json() -> None:
    """Programs get every figure under a stable name."""
    queue = simulated_queue(sample_plan("prod").queues[3])
    (result,) = compared(queue, Trace.SPARSE, PolicyName.PLAN, startup=75.0).outcomes
    assert msgspec.json.decode(msgspec.json.encode(result), type=Outcome) == result
