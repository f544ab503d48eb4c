"""What the load asks of the broker: connections, memory, disk, requests of its management API.

The invariant: what is needed depends on the load and on the broker's own settings alone, and grows with the load. Facts are from the RabbitMQ 4.3
docs (Quorum Queues, "Resource Use"; Networking; Production Checklist) and the cluster operator, whose memory headroom RabbitMQ never sees.
"""

import math
from collections.abc import Sequence

from msgspec.structs import replace

from fleet.demand import BrokerDemand
from fleet.plan import BrokerPlan, QueuePlan
from fleet.scaling import HPA_SYNC_SECONDS
from fleet.topology import DELAY_LEVELS
from fleet.web import WebPlan

_MIB = 2**20
_GIB = 2**30

CONNECTIONS_PER_POD = 2
"""A worker without gossip, mingle and event heartbeat keeps one connection for consuming and one for publishing."""

CHANNELS_PER_POD = 3
"""Two on the consuming connection (tasks, remote control), one on the publishing one."""

CONNECTION_BYTES = 100 * 2**10
"""Memory of one connection on the broker (RabbitMQ docs, Networking: TCP buffers of 80 to 120 kB by default)."""

CONNECTION_MEMORY_SHARE = 0.2
"""Share of a broker node's memory that connections may take; queues need the rest."""

WEB_CONNECTIONS_PER_POD = 10
"""Celery's own `broker_pool_limit`: the connections that concurrent requests may open."""

OTHER_CONNECTIONS = 3
"""Beat, and the Job that declares the delayed-delivery tree."""

MEMBERS_MAX = 3
"""Copies of a quorum queue; more broker nodes share the queues between them."""

BASE_BYTES = 256 * _MIB
"""The runtime, its plugins and their statistics (RabbitMQ docs, Production Checklist: at least 256 MiB)."""

QUEUE_BYTES = 256 * 2**10
"""A quorum queue that is idle: its Raft server and its statistics. An assumption on the safe side."""

MESSAGE_INDEX_BYTES = 64
"""Memory of a waiting message: at least 32 bytes, more when it was returned or has a TTL (RabbitMQ docs, Quorum Queues)."""

MESSAGE_BYTES = 2048
"""A message on disk: Celery's with a few arguments has about 1.1 kB of body, headers and properties."""

WAL_MEMORY_FACTOR = 3
WAL_DISK_FACTOR = 4
"""The write-ahead log wants three times its size in memory; on disk files that are being flushed stand beside the current one."""

HEADROOM_SHARE = 0.2
HEADROOM_BYTES_MAX = 2 * _GIB
"""What the cluster operator keeps from RabbitMQ's view of the memory limit (`removeHeadroom`)."""

OUTAGE_SECONDS = 3600
"""Every worker away for an hour while producers go on at peak: what the broker has to hold without an alarm."""

QUEUE_MESSAGES_PER_SECOND_MAX = 5000
"""Of one quorum queue, published and consumed: below the 7,000/s of the 4.1 performance report with 20 kB messages, so that peaks stay smooth."""

QUORUM_QUEUES_MAX = 5000
"""Above it RabbitMQ asks for a benchmark of one's own (RabbitMQ docs, Quorum Queues, "When Not to Use")."""


def queue_triggers(queue: QueuePlan) -> int:
    """KEDA's triggers on each shard: messages in all, and with a formula those that are ready too."""
    return 1 if queue.autoscaling.formula is None else 2


def busiest_per_second(queue: QueuePlan) -> float:
    """Messages a second on one broker queue of a logical queue, at its peak."""
    return queue.promise.peak_per_second / len(queue.topology.shards)


def backlog_messages(queue: QueuePlan) -> int:
    """What an outage leaves in a queue; it refuses what is above its maximum length."""
    held = queue.topology.policy.max_length * len(queue.topology.shards)
    return min(held, math.ceil(queue.promise.peak_per_second * OUTAGE_SECONDS))


def members(broker: BrokerPlan) -> int:
    """Copies of each quorum queue."""
    return min(broker.nodes, MEMBERS_MAX)


def derive_broker_demand(queues: Sequence[QueuePlan], broker: BrokerPlan, web: WebPlan) -> BrokerDemand:
    """What these queues ask of a broker of this size."""
    pods = sum(queue.autoscaling.max_replicas * len(queue.topology.shards) for queue in queues)
    held = web.replicas_max * WEB_CONNECTIONS_PER_POD + OTHER_CONNECTIONS
    connections = pods * CONNECTIONS_PER_POD + held
    # A dead-letter queue each; the queue of messages without a route, and the delayed-delivery tree, once.
    quorum_queues = sum(len(queue.topology.shards) + 1 for queue in queues) + 1 + DELAY_LEVELS
    backlog = sum(backlog_messages(queue) for queue in queues)
    rate = sum(
        len(queue.topology.shards) * queue_triggers(queue) / queue.autoscaling.polling_seconds for queue in queues
    )
    synced = sum(len(queue.topology.shards) * queue_triggers(queue) / HPA_SYNC_SECONDS for queue in queues)
    return BrokerDemand(
        connections=connections,
        connections_capacity=int(broker.nodes * broker.memory_bytes * CONNECTION_MEMORY_SHARE / CONNECTION_BYTES),
        channels=pods * CHANNELS_PER_POD + held,
        queues=quorum_queues,
        backlog_messages=backlog,
        memory_bytes=memory_needed(broker, connections=connections, queues=quorum_queues, backlog=backlog),
        disk_bytes=disk_needed(broker, backlog=backlog),
        messages_per_second=sum(queue.promise.peak_per_second for queue in queues),
        busiest_queue_per_second=max(map(busiest_per_second, queues), default=0.0),
        management_requests_per_second=rate + synced,
    )


def connections_a_node(broker: BrokerPlan, connections: int) -> int:
    """On each node while one is away: clients come back to those that are left, and stay."""
    return math.ceil(connections / max(1, broker.nodes - 1))


def memory_used(broker: BrokerPlan, *, connections: int, queues: int, backlog: int) -> float:
    """What RabbitMQ uses on each node."""
    copies = members(broker) / broker.nodes
    return (
        BASE_BYTES
        + WAL_MEMORY_FACTOR * broker.wal_max_bytes
        + connections_a_node(broker, connections) * CONNECTION_BYTES
        + queues * copies * QUEUE_BYTES
        + backlog * copies * MESSAGE_INDEX_BYTES
    )


def memory_needed(broker: BrokerPlan, *, connections: int, queues: int, backlog: int) -> int:
    """Memory limit that each node needs: what RabbitMQ uses, and the headroom that the operator keeps from it."""
    used = memory_used(broker, connections=connections, queues=queues, backlog=backlog)
    return math.ceil(min(used / (1 - HEADROOM_SHARE), used + HEADROOM_BYTES_MAX))


def disk_needed(broker: BrokerPlan, *, backlog: int) -> int:
    """Volume that each node needs: the backlog's copies, the write-ahead log, and what has to stay free."""
    copies = members(broker) / broker.nodes
    return math.ceil(backlog * copies * MESSAGE_BYTES) + WAL_DISK_FACTOR * broker.wal_max_bytes + broker.disk_free_bytes


def enough_memory(broker: BrokerPlan, demand: BrokerDemand) -> int:
    """The smallest whole GiB of memory with which each node has what it needs; more memory also means a larger write-ahead log."""
    for gib in range(1, 1025):
        larger = replace(broker, memory_bytes=gib * _GIB)
        needed = memory_needed(
            larger, connections=demand.connections, queues=demand.queues, backlog=demand.backlog_messages
        )
        if needed <= larger.memory_bytes:
            return larger.memory_bytes
    return broker.memory_bytes


def enough_storage(broker: BrokerPlan, demand: BrokerDemand) -> int:
    """The smallest whole GiB of disk with which each node has what it needs; a larger volume also keeps more free."""
    for gib in range(1, 16_385):
        larger = replace(broker, storage_bytes=gib * _GIB)
        if disk_needed(larger, backlog=demand.backlog_messages) <= larger.storage_bytes:
            return larger.storage_bytes
    return broker.storage_bytes
