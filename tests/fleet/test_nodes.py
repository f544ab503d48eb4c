"""Nodes for pods: worked by hand, and the laws that hold for every catalogue."""

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.demand import Levels
from fleet.environment import default_environment, load_environment
from fleet.instances import INSTANCE_TYPES
from fleet.loading import load_plan
from fleet.nodes import PodLoad, nodes_for, pods_in_zone, queue_pods, worker_instance
from fleet.plan import Plan
from tests.fleet.strategies import catalogues, load_from, sample_catalogue

ROOT = Path(__file__).parents[2]
MIB = 2**20
XLARGE = INSTANCE_TYPES["c7g.xlarge"]


def plan_of(raw: dict[str, Any], environment: str = "dev") -> Plan:
    with tempfile.TemporaryDirectory() as folder:
        return load_from(raw, Path(folder), environment=environment)


def load(pods: float, cpu_millicores: int, memory_mib: int) -> PodLoad:
    return PodLoad(pods=pods, size=(cpu_millicores, memory_mib * MIB))


@pytest.mark.parametrize(
    ("loads", "nodes"),
    [
        pytest.param([], 0, id="nothing-needs-no-node"),
        pytest.param([load(0, 1000, 352)], 0, id="no-pods-of-a-queue-neither"),
        pytest.param([load(1, 10, 10)], 1, id="one-small-pod-needs-one"),
        pytest.param([load(3, 1000, 352)], 1, id="three-cores-fill-one-though-it-is-more-than-80-percent"),
        pytest.param([load(4, 1000, 352)], 2, id="the-fourth-core-opens-another"),
        pytest.param([load(2.1, 1000, 352)], 1, id="a-part-of-a-pod-is-a-pod"),
        pytest.param([load(54, 1, 1)], 2, id="addresses-end-at-53"),
        # 6 x 1000/3690 + 6 x 100/3690 = 1.79 nodes filled, 2.24 at 80 %; apart 2 + 1.
        pytest.param([load(6, 1000, 100), load(6, 100, 100)], 3, id="two-queues-share-at-80-percent"),
        # Filled 4 x 0.2710 + 2 x 0.0271 = 1.14; apart 2 + 1, together 1.42.
        pytest.param([load(4, 1000, 100), load(2, 100, 100)], 2, id="a-small-queue-moves-in-with-a-large-one"),
        pytest.param([load(5, 2000, 100), load(1, 100, 100)], 5, id="of-pods-above-half-a-node-one-each"),
    ],
)
def test_nodes_for_pods(loads: list[PodLoad], nodes: int) -> None:
    """On c7g.xlarge with 3690m, 6305Mi and 53 pods for the fleet."""
    assert nodes_for(loads, XLARGE) == nodes


@pytest.mark.parametrize(
    ("pods", "zones", "spread"),
    [
        pytest.param(7, 3, [3, 2, 2], id="what-does-not-divide-goes-first"),
        pytest.param(2, 3, [1, 1, 0], id="fewer-pods-than-zones"),
        pytest.param(4.5, 3, [2, 1.5, 1], id="a-mean-of-pods"),
        pytest.param(5, 1, [5], id="one-zone"),
    ],
)
def test_pods_are_spread_over_zones(pods: float, zones: int, spread: list[float]) -> None:
    """As the pods' spread constraint does it."""
    assert [pods_in_zone(pods, zone, zones) for zone in range(zones)] == spread


@pytest.mark.parametrize(
    ("changes", "instance"),
    [
        pytest.param({}, "c7g.xlarge", id="a-small-io-pod-on-the-cheapest"),
        pytest.param({"memory": "200Mi"}, "m7g.xlarge", id="a-gibibyte-each-fits-thirteen-times-into-sixteen"),
        pytest.param({"memory": "3Gi"}, "r7g.xlarge", id="fourteen-gibibytes-fit-into-thirty-two-alone"),
        pytest.param({"profile": "cpu", "concurrency": 6}, "c7g.2xlarge", id="six-cores-on-eight"),
        pytest.param({"profile": "cpu", "concurrency": 8}, "c7g.4xlarge", id="eight-cores-do-not-fit-eight"),
    ],
)
def test_a_queue_runs_on_the_smallest_nodes_and_there_where_a_pod_costs_least(
    changes: dict[str, Any], instance: str
) -> None:
    """Cores first, then price over pods a node, whatever the load."""
    (queue,) = plan_of(sample_catalogue(**changes)).queues
    cloud = default_environment("dev").cloud
    assert cloud is not None
    assert worker_instance(queue, cloud).name == instance


def nodes(plan: Plan) -> dict[tuple[str, str | None], tuple[float, ...]]:
    return {
        (group.capacity, group.instance): (
            group.nodes.minimum, group.nodes.expected, group.nodes.peak, group.nodes.maximum
        )
        for group in plan.nodes.workers
    }  # fmt: skip


@pytest.mark.parametrize(
    ("environment", "on_demand", "spot", "fixed"),
    [
        pytest.param("dev", (1, 3, 4, 8), (1, 1, 2, 4), [("system", "t4g.large", (1,)), ("broker", "t4g.large", (1,))]),
        pytest.param(
            "staging",
            (2, 4, 5, 9),
            (3, 3, 3, 4),
            [("system", "m7g.large", (1, 1, 0)), ("broker", "m7g.large", (1, 1, 1))],
        ),
        pytest.param(
            "prod",
            (2, 4, 5, 9),
            (3, 3, 3, 4),
            [("system", "m7g.large", (1, 1, 1)), ("broker", "r7g.xlarge", (1, 1, 1))],
        ),
    ],
)
def test_the_samples_nodes_are_as_worked_out_by_hand(
    environment: str, on_demand: tuple[int, ...], spot: tuple[int, ...], fixed: list[Any]
) -> None:
    """docs/explanation/cost.md works one of these out: minimum, expected, peak, maximum."""
    plan = load_plan(ROOT / "queues.yaml", load_environment(ROOT, environment))
    assert nodes(plan) == {("on-demand", "c7g.xlarge"): on_demand, ("spot", "c7g.xlarge"): spot}
    assert [(group.purpose, group.instance, group.zones) for group in plan.nodes.fixed] == fixed


def test_a_cluster_of_your_own_is_one_node() -> None:
    """Nothing is known of it but its memory; what the workers request is still summed."""
    (group,) = load_plan(ROOT / "queues.yaml", default_environment("local")).nodes.workers
    assert (group.instance, group.nodes.maximum, group.memory_bytes_free // MIB) == (None, 1, 6144)
    assert (group.pods.peak, group.memory_bytes.peak / MIB) == (8, 688 + 2 * 320 + 2 * 352 + 3 * 400)


def test_a_queue_that_asks_for_gpus_runs_elsewhere() -> None:
    """No node here has one, so it is named and not counted."""
    plan = plan_of(sample_catalogue(pod={"gpu": 1}))
    assert (plan.nodes.elsewhere, plan.nodes.workers) == (("mail",), ())
    assert plan.cost.queues[0].instance is None


def in_order(levels: Levels) -> bool:
    return levels.minimum <= levels.expected <= levels.peak <= levels.maximum


@given(catalogues(), st.sampled_from(["dev", "prod"]))
def test_requests_fit_the_nodes_and_levels_are_in_order(raw: dict[str, Any], environment: str) -> None:
    """CPU, memory and addresses, at each level; each queue's pods fit a node one by one."""
    plan = plan_of(raw, environment)
    assert sorted(name for group in plan.nodes.workers for name in group.queues) == sorted(
        queue.name for queue in plan.queues
    )
    for group in plan.nodes.workers:
        assert group.cpu_millicores_free is not None
        assert group.pods_free is not None
        assert in_order(group.nodes)
        assert all(in_order(zone) for zone in group.zones)
        for level in ("minimum", "expected", "peak", "maximum"):
            count = getattr(group.nodes, level)
            assert count == sum(getattr(zone, level) for zone in group.zones)
            assert getattr(group.cpu_millicores, level) <= count * group.cpu_millicores_free + 1e-6
            assert getattr(group.memory_bytes, level) <= count * group.memory_bytes_free + 1e-6
            assert getattr(group.pods, level) <= count * group.pods_free + 1e-6
    for queue in plan.queues:
        assert in_order(queue_pods(queue))


POD_LOADS = st.builds(load, st.integers(0, 60), st.integers(1, 3690), st.integers(1, 6305))


@given(st.lists(POD_LOADS, max_size=8), POD_LOADS)
def test_another_pod_never_needs_fewer_nodes(loads: list[PodLoad], more: PodLoad) -> None:
    """Not even where a simulated packing would happen to be luckier with it."""
    assert nodes_for([*loads, more], XLARGE) >= nodes_for(loads, XLARGE)


@given(st.lists(POD_LOADS, max_size=8))
def test_no_more_nodes_than_each_queue_on_its_own(loads: list[PodLoad]) -> None:
    """The bound is one that can be reached: a node a queue, filled."""
    alone = sum(nodes_for([item], XLARGE) for item in loads)
    assert nodes_for(loads, XLARGE) <= alone
