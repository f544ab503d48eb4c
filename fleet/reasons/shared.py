"""What the queues of a fleet share: names in the broker, the delayed-delivery tree and the broker's size."""

from collections.abc import Iterator

from fleet.environment import Environment, default_environment
from fleet.plan import WAL_MAX_BYTES, Plan
from fleet.reasons.rules import Number
from fleet.reasons.sources import (
    ENVIRONMENT,
    ENVIRONMENT_FILE,
    KOMBU_DELAYED,
    RABBITMQ_RESOURCES,
    RABBITMQ_UNROUTED,
)
from fleet.records import SHARED, Reason
from fleet.units import format_cpu, format_size

TOPOLOGY = "fleet/topology.py"

_VHOST = Number(path="topology.vhost", means="Virtual host", fields=("topology.vhost",))
VHOST = _VHOST.chosen("{fleet}", "one a fleet: the names of Celery's delayed queues are global in it", KOMBU_DELAYED)

_EXCHANGE = Number(
    path="topology.exchange", means="Exchange that every producer publishes to", fields=("topology.exchange",)
)
EXCHANGE = _EXCHANGE.default("delays need a topic exchange; the routing key is the queue's name", KOMBU_DELAYED)

_UNROUTED = Number(path="topology.unrouted", means="Queue of messages without a route", fields=("topology.unrouted",))
UNROUTED = _UNROUTED.default("RabbitMQ confirms what it cannot route; so nothing confirmed is lost", RABBITMQ_UNROUTED)

_DELAYED = Number(
    path="topology.delayed_exchange",
    means="Exchange on which delayed messages come out",
    fields=("topology.delayed_exchange",),
)
DELAYED = _DELAYED.default("the name is kombu's", KOMBU_DELAYED)

_INGRESS = Number(
    path="topology.ingress", means="Exchange for publishers that are not Celery", fields=("topology.ingress",)
)
INGRESS = _INGRESS.chosen(
    "some queue binds patterns", "patterns stand here, because kombu would widen them on the task exchange", TOPOLOGY
)
INGRESS_NONE = _INGRESS.chosen("no queue binds patterns", "what nobody uses is not there", TOPOLOGY)

_LEVELS = Number(
    path="topology.delay_levels", means="Levels of the delayed-delivery tree", fields=("topology.delay_levels",)
)
LEVELS = _LEVELS.default("one a bit of the delay in seconds", KOMBU_DELAYED)

_LONGEST = Number(path="topology.longest_delay", means="Longest delay of a task")
LONGEST = _LONGEST.computed("2 ^ {levels} - 1", "seconds, with every bit set: eight and a half years", KOMBU_DELAYED)

_MEMBERS = Number(path="topology.delayed_members", means="Raft members that the tree's queues keep in the broker")
MEMBERS = _MEMBERS.computed(
    "{levels} x min({nodes}, 3)", "each level is a quorum queue, replicated to three nodes at most", RABBITMQ_RESOURCES
)

_NODES = Number(path="broker.nodes", means="RabbitMQ servers", fields=("broker.nodes",))
NODES_STATED = _NODES.stated(ENVIRONMENT_FILE)
NODES_DEFAULT = _NODES.default(
    "three keep a majority when one is lost; one is enough where nothing is to survive", ENVIRONMENT
)

_CPU = Number(path="broker.cpu", means="CPU request of each RabbitMQ server", fields=("broker.cpu_millicores",))
CPU_STATED = _CPU.stated(ENVIRONMENT_FILE)
CPU_DEFAULT = _CPU.default("what the environment's nodes leave beside their daemons", ENVIRONMENT)

_MEMORY = Number(
    path="broker.memory", means="Memory request and limit of each RabbitMQ server", fields=("broker.memory_bytes",)
)
MEMORY_STATED = _MEMORY.stated(ENVIRONMENT_FILE)
MEMORY_DEFAULT = _MEMORY.default("what the environment's nodes leave beside their daemons", ENVIRONMENT)

_DISK = Number(path="broker.disk", means="Volume of each RabbitMQ server", fields=("broker.storage_bytes",))
DISK_STATED = _DISK.stated(ENVIRONMENT_FILE)
DISK_DEFAULT = _DISK.default("the write-ahead log, the segments of every queue and room for a backlog", ENVIRONMENT)

_WAL = Number(path="broker.wal", means="Size of a write-ahead log before it is rolled")
WAL = _WAL.computed(
    "min({most}, floor({memory} / 8))", "RabbitMQ wants three to four times as much memory free", RABBITMQ_RESOURCES
)


def explain(plan: Plan, environment: Environment) -> Iterator[Reason]:
    """The reasons of what is not one queue's."""
    yield from _topology_reasons(plan)
    yield from _broker_reasons(plan, environment)


def _topology_reasons(plan: Plan) -> Iterator[Reason]:
    topology = plan.topology
    yield VHOST.reason(SHARED, topology.vhost, fleet=plan.fleet)
    yield EXCHANGE.reason(SHARED, topology.exchange)
    yield UNROUTED.reason(SHARED, topology.unrouted)
    if topology.ingress is None:
        yield INGRESS_NONE.reason(SHARED, "none")
    else:
        yield INGRESS.reason(SHARED, topology.ingress)
    yield DELAYED.reason(SHARED, topology.delayed_exchange)
    levels = topology.delay_levels
    yield LEVELS.reason(SHARED, str(levels))
    yield LONGEST.reason(SHARED, f"{2**levels - 1}s", levels=levels)
    nodes = plan.broker.nodes
    yield MEMBERS.reason(SHARED, str(levels * min(nodes, 3)), levels=levels, nodes=nodes)


def _broker_reasons(plan: Plan, environment: Environment) -> Iterator[Reason]:
    broker, default = plan.broker, default_environment(environment.name)
    memory = format_size(broker.memory_bytes)
    for stated, otherwise, value, is_default in (
        (NODES_STATED, NODES_DEFAULT, str(broker.nodes), broker.nodes == default.broker_nodes),
        (
            CPU_STATED,
            CPU_DEFAULT,
            format_cpu(broker.cpu_millicores),
            broker.cpu_millicores == default.broker_cpu_millicores,
        ),
        (MEMORY_STATED, MEMORY_DEFAULT, memory, broker.memory_bytes == default.broker_memory_bytes),
        (
            DISK_STATED,
            DISK_DEFAULT,
            format_size(broker.storage_bytes),
            broker.storage_bytes == default.broker_storage_bytes,
        ),
    ):
        yield (otherwise if is_default else stated).reason(SHARED, value)
    yield WAL.reason(SHARED, format_size(broker.wal_max_bytes), most=format_size(WAL_MAX_BYTES), memory=memory)
