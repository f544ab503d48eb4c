"""What exists in the broker: exchanges, queues, bindings and the policy of each queue.

The invariant: the routing key is the queue's name, with one binding a queue on one topic exchange. kombu widens a pattern such as `high.#` to
`#.high.#` for delayed messages, which would deliver them twice; patterns therefore never stand on this exchange.
Everything that may change later (limits, lengths, timeouts) is a policy, because queue arguments are immutable (RabbitMQ topology operator
1.20 refuses the change).
"""

from fleet.records import Record

TASK_EXCHANGE = "tasks"
"""Topic exchange that every producer publishes to."""

UNROUTED = "unrouted"
"""Alternate (fanout) exchange of the task exchange, and its quorum queue: RabbitMQ confirms what it cannot route."""

DELAYED_EXCHANGE = "celery_delayed_delivery"
"""Last exchange of Celery's native delayed delivery (kombu 5.7, `kombu.transport.native_delayed_delivery`)."""

DEAD_SUFFIX = "-dead"
"""Suffix of the queue that keeps what a queue gave up on."""

DELIVERY_LIMIT = 20
"""Deliveries before a message is dead-lettered: RabbitMQ's own default since 4.0, stated so that a broker default cannot move it."""

MAX_LENGTH = 1_000_000
"""Ready messages a queue takes before it refuses publishes: bounds the broker's memory (32 bytes and more a message, RabbitMQ quorum queue docs)."""

DEAD_MAX_LENGTH = 100_000
"""Messages a dead-letter queue keeps."""

INGRESS_EXCHANGE = "ingress"
"""Topic exchange for publishers that are not Celery: patterns stand here, and Celery never sees it."""

HIGHEST_PRIORITY = 31
"""Quorum queues have 32 strict levels since RabbitMQ 4.3 (RabbitMQ 4.3 docs, Quorum Queues, "Priorities")."""

DEFAULT_PRIORITY = 4
"""RabbitMQ's own for a message that carries none; kombu would send 0, which is last."""

DELAY_LEVELS = 28
"""Levels of kombu's delayed-delivery tree, one a bit of the delay in seconds (kombu 5.7, `native_delayed_delivery`)."""


class QueuePolicy(Record, frozen=True, kw_only=True):
    """The broker policy of one queue: all that may change without a new queue."""

    delivery_limit: int
    """Deliveries before a message goes to the dead-letter queue."""

    max_length: int
    """Messages the queue holds before it refuses publishes."""

    consumer_timeout_seconds: int
    """Time a delivery may stay unacknowledged before RabbitMQ takes it back."""

    dead_letter_keep_seconds: int
    """Time a message stays in the dead-letter queue before it is dropped."""


class QueueTopology(Record, frozen=True, kw_only=True):
    """One logical queue as the broker sees it."""

    shards: tuple[str, ...]
    """The broker queues that workers consume: the queue itself, or its shards behind a consistent-hash exchange of the queue's name."""

    dead_letter_queue: str
    """Broker queue of the messages this queue gave up on, reached over the default exchange."""

    policy: QueuePolicy

    keeps_failed: bool = False
    """Whether workers put tasks that failed for good into the dead-letter queue."""

    ingress_patterns: tuple[str, ...] = ()
    """Routing patterns that lead from the ingress exchange to this queue."""

    @property
    def sharded(self) -> bool:
        """Whether an exchange of the queue's name spreads its messages by task id."""
        return len(self.shards) > 1


class FleetTopology(Record, frozen=True, kw_only=True):
    """What the queues of a fleet share in the broker."""

    vhost: str
    """One vhost a fleet: the names of Celery's delayed queues are global in a vhost."""

    exchange: str = TASK_EXCHANGE
    unrouted: str = UNROUTED
    delayed_exchange: str = DELAYED_EXCHANGE

    delay_levels: int = DELAY_LEVELS
    """Levels of the delayed-delivery tree: an exchange and a quorum queue each."""

    ingress: str | None = None
    """Exchange for publishers that are not Celery; None where no queue binds patterns."""


def shard_names(queue: str, shards: int) -> tuple[str, ...]:
    """The broker queues of a logical queue: its own name, or `<queue>-0` … `<queue>-<n-1>`."""
    return (queue,) if shards == 1 else tuple(f"{queue}-{index}" for index in range(shards))


def derive_queue_topology(
    queue: str,
    *,
    shards: int,
    consumer_timeout_seconds: int,
    dead_letter_keep_seconds: int,
    keeps_failed: bool = False,
    ingress_patterns: tuple[str, ...] = (),
) -> QueueTopology:
    """The broker's side of one queue.

    The dead-letter queue serves all shards: what failed is looked at by people, and they ask by the queue's name.
    """
    return QueueTopology(
        shards=shard_names(queue, shards),
        dead_letter_queue=f"{queue}{DEAD_SUFFIX}",
        policy=QueuePolicy(
            delivery_limit=DELIVERY_LIMIT,
            max_length=max(1, MAX_LENGTH // shards),
            consumer_timeout_seconds=consumer_timeout_seconds,
            dead_letter_keep_seconds=dead_letter_keep_seconds,
        ),
        keeps_failed=keeps_failed,
        ingress_patterns=ingress_patterns,
    )
