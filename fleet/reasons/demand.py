"""What the load asks of the broker, beside what the environment gives it."""

from collections.abc import Iterator

from fleet import broker_sizing as sizing
from fleet.environment import Environment
from fleet.plan import WAL_MAX_BYTES, Plan
from fleet.reasons.rules import Number
from fleet.reasons.sources import COST, RABBITMQ_CHECKLIST, RABBITMQ_NETWORKING, RABBITMQ_RESOURCES, SCALING
from fleet.records import SHARED, Reason
from fleet.scaling import HPA_SYNC_SECONDS, POLLING_SECONDS
from fleet.units import format_mebibytes, format_number, format_rate, format_size

_CONNECTIONS = Number(
    path="broker.connections", means="Connections with every queue at its maximum", fields=("demand.connections",)
)
CONNECTIONS = _CONNECTIONS.computed(
    "{worker_pods} x {each} + {web_pods} x {pool} + {others}",
    "a worker consumes on one and publishes on another; web pods hold Celery's pool; beat and Jobs have the rest",
    RABBITMQ_NETWORKING,
)

_MOST = Number(
    path="broker.connections.most",
    means="Connections that the broker can hold",
    fields=("demand.connections_capacity",),
)
MOST = _MOST.computed(
    "floor({nodes} x {memory} x {share} / {each})", "queues need the rest of the memory", RABBITMQ_NETWORKING
)

_CHANNELS = Number(
    path="broker.channels", means="Channels with every queue at its maximum", fields=("demand.channels",)
)
CHANNELS = _CHANNELS.computed(
    "{worker_pods} x {each} + {web_pods} x {pool} + {others}",
    "two for consuming and remote control, one for publishing",
    RABBITMQ_NETWORKING,
)

_QUEUES = Number(path="broker.queues", means="Quorum queues in the virtual host", fields=("demand.queues",))
QUEUES = _QUEUES.computed(
    "{shards} + {dead_letters} + {unrouted} + {delay_levels}", "each is a Raft group of its own", RABBITMQ_RESOURCES
)

_BACKLOG = Number(
    path="broker.backlog",
    means="Messages that an hour without workers leaves at peak load",
    fields=("demand.backlog_messages",),
)
BACKLOG = _BACKLOG.computed(
    "{queue_by_queue}",
    "each queue's peak for 3600s, up to its maximum length: producers go on while workers are away",
    COST,
)

_USED = Number(path="broker.memory.used", means="Memory that RabbitMQ uses on each server")
USED = _USED.computed(
    "{base} + {factor} x {wal} + ceil({connections} / max(1, {nodes} - 1)) x {connection}"
    " + ({queues} x {queue} + {backlog} x {message}) x min({nodes}, 3) / {nodes}",
    "connections come back to the servers that are left when one is away; each queue has three copies",
    RABBITMQ_RESOURCES,
)

_MEMORY = Number(
    path="broker.memory.needed", means="Memory limit that each server needs", fields=("demand.memory_bytes",)
)
MEMORY = _MEMORY.computed(
    "min({used} / (1 - {headroom}), {used} + {at_most})",
    "the cluster operator keeps this headroom from RabbitMQ's view of the limit",
    RABBITMQ_CHECKLIST,
)

_DISK = Number(path="broker.disk.needed", means="Volume that each server needs", fields=("demand.disk_bytes",))
DISK = _DISK.computed(
    "{backlog} x {message} x min({nodes}, 3) / {nodes} + {factor} x {wal} + {stay_free}",
    "the backlog's copies, the write-ahead log, and the limit below which publishers are blocked",
    RABBITMQ_CHECKLIST,
)

_MESSAGES = Number(
    path="broker.messages", means="Messages a second at peak, all queues", fields=("demand.messages_per_second",)
)
MESSAGES = _MESSAGES.computed("{queue_by_queue}", "every queue at its peak at once", COST)

_BUSIEST = Number(
    path="broker.busiest_queue",
    means="Messages a second at peak on the busiest broker queue",
    fields=("demand.busiest_queue_per_second",),
)
BUSIEST = _BUSIEST.computed(
    "max({shard_by_shard})", "a quorum queue keeps up with 5000/s; above it `shards` divides the load", COST
)

_MANAGEMENT = Number(
    path="broker.management_requests",
    means="Requests a second to the management API",
    fields=("demand.management_requests_per_second",),
)
MANAGEMENT = _MANAGEMENT.computed(
    "{triggers} / {polling} + {triggers} / {sync}", "KEDA polls, and the HPA asks at each sync", SCALING
)


def explain(plan: Plan, _environment: Environment) -> Iterator[Reason]:
    """Connections, queues, the backlog, memory, disk and rates."""
    yield from _counts(plan)
    yield from _sizes(plan)
    yield from _rates(plan)


def _counts(plan: Plan) -> Iterator[Reason]:
    demand, broker = plan.demand, plan.broker
    holders: dict[str, str | float] = {
        "worker_pods": sum(queue.autoscaling.max_replicas * len(queue.topology.shards) for queue in plan.queues),
        "web_pods": plan.web.replicas_max,
        "pool": sizing.WEB_CONNECTIONS_PER_POD,
        "others": sizing.OTHER_CONNECTIONS,
    }
    yield CONNECTIONS.reason(SHARED, str(demand.connections), each=sizing.CONNECTIONS_PER_POD, **holders)
    yield MOST.reason(
        SHARED,
        str(demand.connections_capacity),
        nodes=broker.nodes,
        memory=format_size(broker.memory_bytes),
        share=sizing.CONNECTION_MEMORY_SHARE,
        each=format_size(sizing.CONNECTION_BYTES),
    )
    yield CHANNELS.reason(SHARED, str(demand.channels), each=sizing.CHANNELS_PER_POD, **holders)
    yield QUEUES.reason(
        SHARED,
        str(demand.queues),
        shards=sum(len(queue.topology.shards) for queue in plan.queues),
        dead_letters=len(plan.queues),
        unrouted=1,
        delay_levels=plan.topology.delay_levels,
    )
    backlogs = " + ".join(str(sizing.backlog_messages(queue)) for queue in plan.queues)
    yield BACKLOG.reason(SHARED, str(demand.backlog_messages), queue_by_queue=backlogs)


def _sizes(plan: Plan) -> Iterator[Reason]:
    demand, broker = plan.demand, plan.broker
    used = sizing.memory_used(
        broker, connections=demand.connections, queues=demand.queues, backlog=demand.backlog_messages
    )
    wal = f"min({format_size(WAL_MAX_BYTES)}, {format_size(broker.memory_bytes)} / 8)"
    yield USED.reason(
        SHARED,
        format_mebibytes(used),
        base=format_size(sizing.BASE_BYTES),
        factor=sizing.WAL_MEMORY_FACTOR,
        wal=wal,
        connections=str(demand.connections),
        nodes=broker.nodes,
        connection=format_size(sizing.CONNECTION_BYTES),
        queues=str(demand.queues),
        queue=format_size(sizing.QUEUE_BYTES),
        backlog=str(demand.backlog_messages),
        message=sizing.MESSAGE_INDEX_BYTES,
    )
    yield MEMORY.reason(
        SHARED,
        format_mebibytes(demand.memory_bytes),
        used=format_mebibytes(used),
        headroom=sizing.HEADROOM_SHARE,
        at_most=format_size(sizing.HEADROOM_BYTES_MAX),
    )
    yield DISK.reason(
        SHARED,
        format_mebibytes(demand.disk_bytes),
        backlog=str(demand.backlog_messages),
        message=format_size(sizing.MESSAGE_BYTES),
        nodes=broker.nodes,
        factor=sizing.WAL_DISK_FACTOR,
        wal=wal,
        stay_free=format_mebibytes(broker.disk_free_bytes),
    )


def _rates(plan: Plan) -> Iterator[Reason]:
    demand = plan.demand
    yield MESSAGES.reason(
        SHARED,
        format_rate(demand.messages_per_second),
        queue_by_queue=" + ".join(format_rate(queue.promise.peak_per_second) for queue in plan.queues),
    )
    yield BUSIEST.reason(
        SHARED,
        format_rate(demand.busiest_queue_per_second),
        shard_by_shard=", ".join(format_rate(sizing.busiest_per_second(queue)) for queue in plan.queues) + ", 0",
    )
    yield MANAGEMENT.reason(
        SHARED,
        format_rate(demand.management_requests_per_second),
        triggers=sum(len(queue.topology.shards) * sizing.queue_triggers(queue) for queue in plan.queues),
        polling=f"{POLLING_SECONDS}s",
        sync=f"{format_number(HPA_SYNC_SECONDS)}s",
    )
