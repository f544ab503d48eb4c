"""A queue in the broker: shards, dead letters, the limits of its policy and the priorities of its messages."""

from collections.abc import Iterator

from fleet import sizing, topology
from fleet.reasons.rules import Number
from fleet.reasons.sources import (
    CATALOGUE_DEFAULT,
    RABBITMQ_HASH,
    RABBITMQ_POISON,
    RABBITMQ_PRIORITIES,
    RABBITMQ_QUORUM,
    RABBITMQ_RESOURCES,
    RABBITMQ_TIMEOUT,
)
from fleet.reasons.subject import Subject, is_stated
from fleet.records import Reason
from fleet.units import format_duration

_SHARDS = Number(path="broker.shards", means="Broker queues that share the load", fields=("topology.shards",))
SHARDS_STATED = _SHARDS.stated()
SHARDS_DEFAULT = _SHARDS.default("one queue keeps the order of its messages", RABBITMQ_HASH)

_DEAD = Number(
    path="broker.dead_letter_queue",
    means="Broker queue of the messages that the queue gave up on",
    fields=("topology.dead_letter_queue",),
)
DEAD = _DEAD.chosen("{queue} and {suffix}", "one for all shards: people ask by the queue's name", RABBITMQ_QUORUM)

_KEEP = Number(
    path="broker.dead_letter_keep",
    means="Time that a message stays there before it is dropped",
    fields=("topology.policy.dead_letter_keep_seconds",),
)
KEEP_STATED = _KEEP.stated()
KEEP_DEFAULT = _KEEP.default("two weeks: long enough for people to look", CATALOGUE_DEFAULT)

_FAILED = Number(
    path="broker.dead_letter_failed",
    means="Whether tasks that failed for good are kept there too",
    fields=("topology.keeps_failed",),
)
FAILED_STATED = _FAILED.stated()
FAILED_DEFAULT = _FAILED.default("the results store and the worker's log tell of them", CATALOGUE_DEFAULT)

_DELIVERIES = Number(
    path="broker.delivery_limit",
    means="Deliveries after which a message is given up",
    fields=("topology.policy.delivery_limit",),
)
DELIVERIES = _DELIVERIES.default("RabbitMQ's own, stated so that another version cannot move it", RABBITMQ_POISON)

_LENGTH = Number(
    path="broker.max_length",
    means="Messages that a broker queue holds before it refuses publishes",
    fields=("topology.policy.max_length",),
)
LENGTH = _LENGTH.computed(
    "max(1, floor({messages} / {shards}))",
    "bounds the broker's memory: 32 bytes and more a message",
    RABBITMQ_RESOURCES,
)

_TIMEOUT = Number(
    path="broker.consumer_timeout",
    means="Time that a delivery may stay unacknowledged",
    fields=("topology.policy.consumer_timeout_seconds",),
)
TIMEOUT = _TIMEOUT.computed(
    "max({least}, ceil({limit}) x {multiplier} + {grace} + {margin})",
    "above the longest task and the longest shutdown: over it a worker loses every delivery that it holds",
    RABBITMQ_TIMEOUT,
)

_PRIORITY = Number(path="broker.priority", means="Priority of the messages whose task has none of its own")
PRIORITY = _PRIORITY.default("RabbitMQ's own; kombu would send 0, which is last", RABBITMQ_PRIORITIES)

_PRIORITIES = Number(
    path="broker.priorities",
    means="Priorities of the tasks that have one: higher first, 31 at most",
    fields=("priorities",),
)
PRIORITIES_STATED = _PRIORITIES.stated()
PRIORITIES_DEFAULT = _PRIORITIES.default("messages keep their order", RABBITMQ_PRIORITIES)


def explain(subject: Subject) -> Iterator[Reason]:
    """The queue, its policy and the order of its messages."""
    spec, queue = subject.spec, subject.plan
    policy, shards = queue.topology.policy, len(queue.topology.shards)
    yield subject.reason(SHARDS_STATED if is_stated(spec, "shards") else SHARDS_DEFAULT, str(shards))
    yield subject.reason(DEAD, queue.topology.dead_letter_queue, queue=queue.name, suffix=topology.DEAD_SUFFIX)
    yield subject.reason(
        KEEP_STATED if is_stated(spec, "dead_letter", "keep") else KEEP_DEFAULT,
        format_duration(policy.dead_letter_keep_seconds),
    )
    yield subject.reason(
        FAILED_STATED if is_stated(spec, "dead_letter", "failed") else FAILED_DEFAULT,
        "yes" if queue.topology.keeps_failed else "no",
    )
    yield subject.reason(DELIVERIES, str(policy.delivery_limit))
    yield subject.reason(LENGTH, str(policy.max_length), messages=str(topology.MAX_LENGTH), shards=shards)
    yield subject.reason(
        TIMEOUT,
        f"{policy.consumer_timeout_seconds}s",
        least=f"{sizing.CONSUMER_TIMEOUT_FLOOR_SECONDS}s",
        limit=format_duration(queue.worker.hard_limit_seconds),
        multiplier=queue.worker.prefetch_multiplier,
        grace=f"{queue.worker.grace_seconds}s",
        margin=f"{sizing.GRACE_MARGIN_SECONDS}s",
    )
    yield subject.reason(PRIORITY, str(topology.DEFAULT_PRIORITY))
    yield subject.reason(
        PRIORITIES_STATED if queue.priorities else PRIORITIES_DEFAULT,
        ", ".join(f"{pattern} {number}" for pattern, number in queue.priorities.items()) or "none",
    )
