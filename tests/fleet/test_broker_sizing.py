"""What the load asks of the broker: the sample worked by hand, and the laws."""

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from fleet import broker_sizing
from fleet.broker_sizing import derive_broker_demand
from fleet.demand import BrokerDemand
from fleet.environment import default_environment
from fleet.loading import load_plan
from fleet.plan import BrokerPlan, Plan
from tests.fleet.strategies import catalogues, load_from, sample_catalogue

ROOT = Path(__file__).parents[2]
KIB, MIB, GIB = 2**10, 2**20, 2**30


def plan_of(raw: dict[str, Any], environment: str = "dev") -> Plan:
    with tempfile.TemporaryDirectory() as folder:
        return load_from(raw, Path(folder), environment=environment)


def test_the_samples_broker_in_production_as_worked_out_by_hand() -> None:
    """4 + 2 x 2 + 10 + 18 pods at most; 142.2 tasks a second; four queues, one of them in two shards."""
    demand = load_plan(ROOT / "queues.yaml", default_environment("prod")).demand
    # 9 triggers every 5 s by KEDA and every 15 s by the HPA.
    assert demand.management_requests_per_second == pytest.approx(2.4)
    assert replace(demand, management_requests_per_second=2.4) == BrokerDemand(
        connections=36 * 2 + 10 * 10 + 3,
        connections_capacity=50331,
        channels=36 * 3 + 10 * 10 + 3,
        queues=5 + 4 + 1 + 28,
        backlog_messages=511_920,
        # 88 connections on each of two nodes that are left; everything over 0.8.
        memory_bytes=2_413_479_680,
        # The backlog at 2 KiB, four logs of 512 MiB, and 8 GiB that stay free.
        disk_bytes=511_920 * 2048 + 4 * 512 * MIB + 8 * GIB,
        messages_per_second=142.2,
        busiest_queue_per_second=120,
        management_requests_per_second=2.4,
    )


def test_a_backlog_ends_at_the_maximum_length() -> None:
    """A queue refuses what is above a million messages, so an hour of 1,000/s does not wait in it."""
    plan = plan_of(sample_catalogue(load={"peak": "1000/s"}, runtime={"mean": "10ms", "p99": "20ms", "limit": "1s"}))
    assert plan.demand.backlog_messages == 1_000_000


@pytest.mark.parametrize(
    ("nodes", "copies", "connections"),
    [
        pytest.param(1, 1, 900, id="one-node-has-all"),
        pytest.param(3, 3, 450, id="of-three-two-are-left"),
        pytest.param(5, 3, 225, id="of-five-four-are-left"),
    ],
)
def test_queues_and_connections_are_shared_by_the_nodes(nodes: int, copies: int, connections: int) -> None:
    """Copies stay at three; connections come back to the nodes that are left."""
    broker = BrokerPlan(nodes=nodes, cpu_millicores=1000, memory_bytes=8 * GIB, storage_bytes=100 * GIB)
    assert (broker_sizing.members(broker), broker_sizing.connections_a_node(broker, 900)) == (copies, connections)


def test_memory_above_ten_gibibytes_keeps_no_more_than_two_as_headroom() -> None:
    """The cluster operator takes a fifth, two GiB at most."""
    broker = BrokerPlan(nodes=1, cpu_millicores=1000, memory_bytes=64 * GIB, storage_bytes=100 * GIB)
    needed = broker_sizing.memory_needed(broker, connections=0, queues=0, backlog=2**30 // 64 * 10)
    assert needed == 256 * MIB + 3 * 512 * MIB + 10 * GIB + 2 * GIB


def numbers(demand: BrokerDemand) -> tuple[float, ...]:
    return tuple(getattr(demand, field) for field in demand.__struct_fields__)


@given(catalogues(max_queues=2), st.integers(2, 5))
def test_more_load_never_asks_for_less(raw: dict[str, Any], factor: int) -> None:
    """Each number only grows with the load."""
    plan = plan_of(raw)
    environment = replace_load(plan, factor)
    assert all(more >= less for more, less in zip(numbers(environment), numbers(plan.demand), strict=True))


def replace_load(plan: Plan, factor: int) -> BrokerDemand:
    """The demand of the same queues with a multiple of the pods and of the peak."""
    queues = [
        replace(
            queue,
            promise=replace(queue.promise, peak_per_second=queue.promise.peak_per_second * factor),
            autoscaling=replace(queue.autoscaling, max_replicas=queue.autoscaling.max_replicas * factor),
        )
        for queue in plan.queues
    ]
    return derive_broker_demand(queues, plan.broker, plan.web)


@given(st.integers(0, 200_000), st.integers(30, 5000), st.integers(0, 50_000_000), st.sampled_from([1, 3, 5]))
def test_what_a_finding_says_to_write_is_enough_and_no_more(
    connections: int, queues: int, backlog: int, nodes: int
) -> None:
    """The broker of that size has what it needs; one GiB less has not."""
    broker = BrokerPlan(nodes=nodes, cpu_millicores=1000, memory_bytes=GIB, storage_bytes=GIB)
    demand = replace(
        load_plan(ROOT / "queues.yaml", default_environment("dev")).demand,
        connections=connections,
        queues=queues,
        backlog_messages=backlog,
    )
    memory, storage = broker_sizing.enough_memory(broker, demand), broker_sizing.enough_storage(broker, demand)

    def lacks_memory(size: int) -> bool:
        sized = replace(broker, memory_bytes=size)
        return broker_sizing.memory_needed(sized, connections=connections, queues=queues, backlog=backlog) > size

    def lacks_storage(size: int) -> bool:
        return broker_sizing.disk_needed(replace(broker, storage_bytes=size), backlog=backlog) > size

    assert (lacks_memory(memory), lacks_storage(storage)) == (False, False)
    assert memory == GIB or lacks_memory(memory - GIB)
    assert storage == GIB or lacks_storage(storage - GIB)
