"""What the broker has to carry at the most: connections, queues, a backlog in memory and on disk, messages a second on one queue.

What is needed is derived in `fleet.broker_sizing`; what there is are the environment's settings. Each finding says what of them to write instead.
"""

import math
from collections.abc import Iterator

from fleet import broker_sizing
from fleet.errors import Finding
from fleet.plan import Plan, QueuePlan
from fleet.source import Source
from fleet.units import format_duration, format_rate, format_size


def check_broker(plan: Plan, source: Source) -> Iterator[Finding]:
    """Everything that the queues ask of the broker together."""
    yield from _check_connections(plan, source)
    yield from _check_queues(plan, source)
    yield from _check_memory(plan, source)
    yield from _check_disk(plan, source)


def check_throughput(queue: QueuePlan, source: Source) -> Iterator[Finding]:
    """One broker queue keeps up with its part of the peak."""
    most = broker_sizing.QUEUE_MESSAGES_PER_SECOND_MAX
    if (busiest := broker_sizing.busiest_per_second(queue)) > most:
        wanted = math.ceil(queue.promise.peak_per_second / most)
        yield source.finding(
            ("queues", queue.name, "load", "peak"),
            f"puts {format_rate(busiest)} on each of {len(queue.topology.shards)} broker queue(s), above {format_rate(most)}",
            f"A quorum queue does not keep up, and the wait of {format_duration(queue.promise.wait_seconds)} is lost in the broker."
            f" Write `shards: {wanted}`, or lower load.peak.",
        )


def _check_connections(plan: Plan, source: Source) -> Iterator[Finding]:
    demand = plan.demand
    if demand.connections > demand.connections_capacity:
        pods = sum(queue.autoscaling.max_replicas * len(queue.topology.shards) for queue in plan.queues)
        yield source.finding(
            ("queues",),
            f"reach {pods} pods at their maximum, {demand.connections} connections, above the broker's {demand.connections_capacity}",
            f"The broker would run out of memory. Raise broker.memory in Pulumi.{plan.environment}.yaml, or lower replicas.max.",
        )


def _check_queues(plan: Plan, source: Source) -> Iterator[Finding]:
    if plan.demand.queues > broker_sizing.QUORUM_QUEUES_MAX:
        yield source.finding(
            ("queues",),
            f"become {plan.demand.queues} quorum queues in the broker, above {broker_sizing.QUORUM_QUEUES_MAX}",
            "Each is a Raft group of its own, and elections after a restart would take minutes. Merge queues that make the same promise,"
            " lower shards, or split the fleet.",
        )


def _check_memory(plan: Plan, source: Source) -> Iterator[Finding]:
    demand, broker = plan.demand, plan.broker
    # Too many connections are the cause that has to be named, not the memory that they take.
    if demand.memory_bytes > broker.memory_bytes and demand.connections <= demand.connections_capacity:
        enough = broker_sizing.enough_memory(broker, demand)
        yield source.finding(
            ("queues",),
            f"ask for {_gib(demand.memory_bytes)} of memory on each broker node, which has {format_size(broker.memory_bytes)}",
            f"{demand.backlog_messages} messages after an hour without workers, {demand.queues} queues and {demand.connections} connections"
            f" would raise the memory alarm, and publishers would wait. Write broker.memory: {format_size(enough)}"
            f" in Pulumi.{plan.environment}.yaml.",
        )


def _check_disk(plan: Plan, source: Source) -> Iterator[Finding]:
    demand, broker = plan.demand, plan.broker
    if demand.disk_bytes > broker.storage_bytes:
        enough = broker_sizing.enough_storage(broker, demand)
        yield source.finding(
            ("queues",),
            f"ask for {_gib(demand.disk_bytes)} of disk on each broker node, which has {format_size(broker.storage_bytes)}",
            f"{demand.backlog_messages} messages after an hour without workers would raise the disk alarm, and publishers would wait."
            f" Write broker.storage: {format_size(enough)} in Pulumi.{plan.environment}.yaml.",
        )


def _gib(size_bytes: int) -> str:
    return f"{size_bytes / 2**30:.1f}Gi"
