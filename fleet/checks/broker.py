"""What the broker has to carry: the connections of all workers at their maximum."""

from collections.abc import Iterator

from fleet.errors import Finding
from fleet.plan import Plan
from fleet.source import Source

CONNECTIONS_PER_POD = 2
"""A worker without gossip, mingle and event heartbeat keeps one connection for consuming and one for publishing."""

CONNECTION_BYTES = 100 * 2**10
"""Memory of one connection on the broker (RabbitMQ docs, Networking: about 100 kB with default buffers)."""

CONNECTION_MEMORY_SHARE = 0.2
"""Share of a broker node's memory that connections may take; queues need the rest."""


def check_connections(plan: Plan, source: Source) -> Iterator[Finding]:
    """Replicas x connections fit the broker."""
    pods = sum(queue.autoscaling.max_replicas * len(queue.topology.shards) for queue in plan.queues)
    wanted = pods * CONNECTIONS_PER_POD
    capacity = int(plan.broker.nodes * plan.broker.memory_bytes * CONNECTION_MEMORY_SHARE / CONNECTION_BYTES)
    if wanted > capacity:
        yield source.finding(
            ("queues",),
            f"reach {pods} pods at their maximum, {wanted} connections, above the broker's {capacity}",
            f"The broker would run out of memory. Raise broker.memory in Pulumi.{plan.environment}.yaml, or lower replicas.max.",
        )
