"""Exchanges, queues, bindings, policies and users of a fleet, as the topology operator reads them.

Invariant: queue arguments are immutable, so a queue carries its type alone and everything that may change is a policy. Workers declare nothing,
so whatever they need has to be here. Source: topology operator 1.20 API reference; RabbitMQ 4.3 docs, "Quorum Queues" and "Access Control".
"""

import hashlib
import re
from dataclasses import dataclass
from enum import StrEnum

from fleet.plan import QueuePlan
from fleet.topology import DEAD_MAX_LENGTH, INGRESS_EXCHANGE, FleetTopology, QueueTopology
from infra.manifests.broker import BROKER_NAME
from infra.manifests.metadata import READY, Manifest, metadata, names_pattern

MILLISECONDS = 1000

POLICY_PRIORITY = 10
"""No two policies of a fleet match the same queue; above 0, they go before whatever general policy someone adds."""

NO_DELIVERY_LIMIT = -1
"""RabbitMQ's word for none (RabbitMQ 4.3 docs, Quorum Queues, "Poison Message Handling")."""

PATTERN_HASH_LENGTH = 10
"""Hexadecimal digits that tell the patterns of one queue apart in the names of their bindings."""


class DeletionPolicy(StrEnum):
    """What becomes of a queue in the broker when its resource is deleted."""

    RETAIN = "retain"
    """It stays with its messages."""
    DELETE = "delete"


@dataclass(frozen=True, kw_only=True)
class UserSpec:
    """One user of the broker and the least it works with."""

    name: str
    configure: str
    write: str
    read: str
    tags: tuple[str, ...] = ()


def _producer(counted: tuple[str, ...]) -> UserSpec:
    """Publishes, cancels, and asks how long the queues are.

    Passive declares need some right on the queue since RabbitMQ 4.3.1 (before it: none, in 4.3.0 configure). To write is the least: into a queue nothing
    but a binding writes, and that needs to read an exchange too, which this user may not.
    """
    return UserSpec(
        name="producer",
        configure=r"^celery\.pidbox$",
        write=rf"^(tasks|celery_delayed_.*|celery\.pidbox|{'|'.join(map(re.escape, counted))})$",
        read="^$",
    )


# Remote control (`pidbox`) declares its own queues and exchanges; everything else exists already. An active declare of an existing exchange needs
# the configure right on it, which is why a producer that may cancel tasks has it on `celery.pidbox`.
USERS = (
    UserSpec(
        name="worker",
        configure=r"^(.*celery\.pidbox|celeryev.*)$",
        write=r"^(tasks|celery_delayed_.*|.*celery\.pidbox|celeryev.*)$",
        # Every queue but those for people (dead letters, unrouted) and those of the delay itself.
        read=r"^(?!celery_delayed_|unrouted$|.*-dead$).*$",
    ),
    # Asks the management API for counts, which takes the tag and a right in the vhost, however small; reading a message would take more.
    UserSpec(name="autoscaler", configure="^$", write="^$", read="^$", tags=("monitoring",)),
    # Declares the delayed-delivery tree and binds the queues to it; a binding needs write on its destination and read on its source.
    UserSpec(name="topology", configure=r"^celery_delayed_.*$", write=".*", read=r"^(celery_delayed_.*|tasks)$"),
    # For people (`fleet dlq`): takes from the queues that are theirs and sends back by a queue's name, over the default exchange.
    UserSpec(name="operator", configure="^$", write=r"^amq\.default$", read=r"^(unrouted|.*-dead)$"),
)
"""Of every fleet, beside the producer."""

INGRESS_USER = UserSpec(name="ingress", configure="^$", write=f"^{INGRESS_EXCHANGE}$", read="^$")
"""For publishers that are not Celery; only where some queue binds patterns."""


def users(topology: FleetTopology, counted: tuple[str, ...]) -> tuple[UserSpec, ...]:
    """The users of a fleet; `counted` are the broker queues whose messages the web layer may count."""
    found = (_producer(counted), *USERS)
    return found if topology.ingress is None else (*found, INGRESS_USER)


def _object(fleet: str, kind: str, name: str, spec: Manifest, *, queue: str | None = None) -> Manifest:
    return {
        "apiVersion": "rabbitmq.com/v1beta1",
        "kind": kind,
        "metadata": metadata(fleet, name, "broker", queue=queue, annotations=READY),
        "spec": {**spec, "rabbitmqClusterReference": {"name": BROKER_NAME}},
    }


def vhost(fleet: str, topology: FleetTopology, deletion: DeletionPolicy) -> Manifest:
    """The fleet's vhost: whatever is declared in it without a type becomes a quorum queue."""
    spec = {"name": topology.vhost, "defaultQueueType": "quorum", "deletionPolicy": deletion.value}
    return _object(fleet, "Vhost", topology.vhost, spec)


def user(fleet: str, spec: UserSpec) -> Manifest:
    """A user; the operator makes its name, its password and the Secret that holds both."""
    return _object(fleet, "User", spec.name, {"tags": list(spec.tags)} if spec.tags else {})


def permission(fleet: str, topology: FleetTopology, spec: UserSpec) -> Manifest:
    """What a user may do in the fleet's vhost."""
    rights = {"configure": spec.configure, "write": spec.write, "read": spec.read}
    return _object(
        fleet,
        "Permission",
        spec.name,
        {"vhost": topology.vhost, "userReference": {"name": spec.name}, "permissions": rights},
    )


def _exchange(
    fleet: str, vhost_name: str, name: str, kind: str, arguments: Manifest | None = None, *, queue: str | None = None
) -> Manifest:
    spec: Manifest = {"name": name, "vhost": vhost_name, "type": kind, "durable": True, "autoDelete": False}
    if arguments:
        spec["arguments"] = arguments
    return _object(fleet, "Exchange", name, spec, queue=queue)


def _queue(fleet: str, vhost_name: str, name: str, deletion: DeletionPolicy, *, queue: str | None = None) -> Manifest:
    spec: Manifest = {
        "name": name,
        "vhost": vhost_name,
        "type": "quorum",
        "durable": True,
        "autoDelete": False,
        "deletionPolicy": deletion.value,
    }
    return _object(fleet, "Queue", name, spec, queue=queue)


@dataclass(frozen=True, kw_only=True)
class _Route:
    """One binding in RabbitMQ's words."""

    source: str
    destination: str
    destination_type: str = "queue"
    routing_key: str


def _binding(fleet: str, vhost_name: str, name: str, route: _Route, *, queue: str | None = None) -> Manifest:
    spec = {
        "vhost": vhost_name,
        "source": route.source,
        "destination": route.destination,
        "destinationType": route.destination_type,
        "routingKey": route.routing_key,
    }
    return _object(fleet, "Binding", name, spec, queue=queue)


def _policy(fleet: str, spec: Manifest, *, queue: str | None = None) -> Manifest:
    return _object(fleet, "Policy", spec["name"], {**spec, "applyTo": "quorum_queues"}, queue=queue)


def task_exchange(fleet: str, topology: FleetTopology) -> Manifest:
    """Where every task is published; RabbitMQ confirms what it cannot route, so what matches no queue goes to one that people watch."""
    return _exchange(fleet, topology.vhost, topology.exchange, "topic", {"alternate-exchange": topology.unrouted})


def unrouted_exchange(fleet: str, topology: FleetTopology) -> Manifest:
    """The alternate exchange of the task exchange."""
    return _exchange(fleet, topology.vhost, topology.unrouted, "fanout")


def unrouted_queue(fleet: str, topology: FleetTopology, deletion: DeletionPolicy) -> Manifest:
    """Messages without a route."""
    return _queue(fleet, topology.vhost, topology.unrouted, deletion)


def unrouted_binding(fleet: str, topology: FleetTopology) -> Manifest:
    """From the alternate exchange to its queue."""
    route = _Route(source=topology.unrouted, destination=topology.unrouted, routing_key="")
    return _binding(fleet, topology.vhost, topology.unrouted, route)


def _kept(vhost_name: str, name: str, *, keep_seconds: int | None = None) -> Manifest:
    """The policy of a queue that nobody consumes: bounded, and a full one refuses, so that the source keeps what it could not hand over."""
    definition: Manifest = {
        "max-length": DEAD_MAX_LENGTH,
        "overflow": "reject-publish",
        # To look at a message is to take it and give it back, and RabbitMQ's own limit is 20: the next look would drop them all (tried on 4.3).
        "delivery-limit": NO_DELIVERY_LIMIT,
    }
    if keep_seconds is not None:
        definition["message-ttl"] = keep_seconds * MILLISECONDS
    return {
        "name": name,
        "vhost": vhost_name,
        "pattern": names_pattern((name,)),
        "priority": POLICY_PRIORITY,
        "definition": definition,
    }


def unrouted_policy(fleet: str, topology: FleetTopology) -> Manifest:
    """Bounds the queue of messages without a route; they stay until a person has looked."""
    return _policy(fleet, _kept(topology.vhost, topology.unrouted))


def dead_letter_policy(fleet: str, topology: FleetTopology, queue: QueuePlan) -> Manifest:
    """Bounds one dead-letter queue in number and age; what arrived before a change of the age keeps its own."""
    name, keep = queue.topology.dead_letter_queue, queue.topology.policy.dead_letter_keep_seconds
    return _policy(fleet, _kept(topology.vhost, name, keep_seconds=keep), queue=queue.name)


def ingress_exchange(fleet: str, topology: FleetTopology) -> Manifest:
    """Where publishers that are not Celery publish; what no pattern takes goes where people look."""
    return _exchange(fleet, topology.vhost, INGRESS_EXCHANGE, "topic", {"alternate-exchange": topology.unrouted})


def ingress_bindings(fleet: str, topology: FleetTopology, queue: QueuePlan) -> dict[str, Manifest]:
    """Name -> binding: the ingress exchange to the queue, of a sharded queue to its exchange, one for each pattern.

    A pattern holds `#`, `*` and dots and may be long, so its hash stands in the name; the dot keeps the name apart from every queue's.
    """
    kind = "exchange" if queue.topology.sharded else "queue"
    found = {}
    for pattern in queue.topology.ingress_patterns:
        digest = hashlib.sha256(pattern.encode()).hexdigest()[:PATTERN_HASH_LENGTH]
        name = f"{queue.name}.{INGRESS_EXCHANGE}-{digest}"
        route = _Route(source=INGRESS_EXCHANGE, destination=queue.name, destination_type=kind, routing_key=pattern)
        found[name] = _binding(fleet, topology.vhost, name, route, queue=queue.name)
    return found


def task_queues(fleet: str, topology: FleetTopology, queue: QueuePlan, deletion: DeletionPolicy) -> dict[str, Manifest]:
    """Broker queue -> its manifest: the queue or its shards, and its dead-letter queue."""
    names = (*queue.topology.shards, queue.topology.dead_letter_queue)
    return {name: _queue(fleet, topology.vhost, name, deletion, queue=queue.name) for name in names}


def shard_exchange(fleet: str, topology: FleetTopology, queue: QueuePlan) -> Manifest:
    """Spreads a sharded queue's messages by task id, which Celery sends as correlation id."""
    arguments = {"hash-property": "correlation_id"}
    return _exchange(fleet, topology.vhost, queue.name, "x-consistent-hash", arguments, queue=queue.name)


def task_bindings(fleet: str, topology: FleetTopology, queue: QueuePlan) -> dict[str, Manifest]:
    """Name -> binding: the task exchange to the queue by its exact name; of a sharded queue, to its exchange and on to each shard with weight 1.

    Where failed tasks are kept, the task exchange is bound to the dead-letter queue too: a worker publishes there and to no queue directly.
    """
    sharded = queue.topology.sharded
    routes = {
        queue.name: _Route(
            source=topology.exchange,
            destination=queue.name,
            destination_type="exchange" if sharded else "queue",
            routing_key=queue.name,
        )
    }
    if sharded:
        routes |= {
            shard: _Route(source=queue.name, destination=shard, routing_key="1") for shard in queue.topology.shards
        }
    if queue.topology.keeps_failed:
        dead = queue.topology.dead_letter_queue
        routes[dead] = _Route(source=topology.exchange, destination=dead, routing_key=dead)
    return {name: _binding(fleet, topology.vhost, name, route, queue=queue.name) for name, route in routes.items()}


def _queue_definition(topology: QueueTopology) -> Manifest:
    return {
        "delivery-limit": topology.policy.delivery_limit,
        # At-least-once needs reject-publish; with drop-head RabbitMQ falls back to at-most-once.
        "dead-letter-exchange": "",
        "dead-letter-routing-key": topology.dead_letter_queue,
        "dead-letter-strategy": "at-least-once",
        "overflow": "reject-publish",
        "max-length": topology.policy.max_length,
        "consumer-timeout": topology.policy.consumer_timeout_seconds * MILLISECONDS,
    }


def queue_policy(fleet: str, topology: FleetTopology, queue: QueuePlan) -> Manifest:
    """All of a queue that may change without a new queue."""
    spec = {
        "name": queue.name,
        "vhost": topology.vhost,
        "pattern": names_pattern(queue.topology.shards),
        "priority": POLICY_PRIORITY,
        "definition": _queue_definition(queue.topology),
    }
    return _policy(fleet, spec, queue=queue.name)
