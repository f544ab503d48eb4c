"""A queue, its workers and its autoscaler: backlog, slots, deliveries, dead letters, readings.

Counts of a broker queue are taken by `max`: after a new leader was elected the old one's node may go on telling its last count for a while.
"""

import math
from collections.abc import Iterator

from fleet.alerts.alert import Alert, Severity
from fleet.plan import QueuePlan
from fleet.scaling import (
    HPA_SYNC_SECONDS,
    POLLING_SECONDS,
    STATISTICS_AGE_SECONDS,
    STATISTICS_AGE_WORST_SECONDS,
    AutoscalingPlan,
)
from fleet.series import (
    QUEUE_CONSUMERS,
    QUEUE_DELIVERED,
    QUEUE_READY,
    QUEUE_REDELIVERED,
    QUEUE_UNACKED,
    SCALER_ERRORS,
    WORKER_SLOTS,
    series,
)
from fleet.units import format_duration, format_number

FROM_ZERO_MARGIN = 2.0
"""Start-up is a 95th percentile: one pod in twenty takes longer, and somebody should not get up for it."""

GROWING_SECONDS = 600
"""Over this long a backlog grows, not a burst."""

UNACKED_SHARE = 1.5
"""Of what the slots may hold: pods that stop and pods that start overlap."""

REDELIVERED_SHARE = 0.01
REDELIVERED_AT_LEAST = 10
"""In the window; a scaled-in pod gives back what it had not begun."""
REDELIVERED_SECONDS = 900

READINGS_SECONDS = 300

MINUTE_SECONDS = 60


def from_zero_seconds(plan: AutoscalingPlan) -> float:
    """From the first message of a queue without pods to its first consumer, at worst: KEDA's polling, the oldest statistics, the start of a pod."""
    startup = plan.reaction_seconds - HPA_SYNC_SECONDS / 2 - STATISTICS_AGE_SECONDS
    return POLLING_SECONDS + STATISTICS_AGE_WORST_SECONDS + startup


def slots_at_maximum(queue: QueuePlan) -> int:
    """Tasks at once with every shard at its maximum of pods."""
    return queue.autoscaling.max_replicas * len(queue.topology.shards) * queue.worker.concurrency


def queue_alerts(fleet: str, queue: QueuePlan) -> Iterator[Alert]:
    """What may be wrong with one queue."""
    yield _without_consumers(fleet, queue)
    yield _at_maximum(fleet, queue)
    yield _unacked(fleet, queue)
    yield _redeliveries(fleet, queue)
    yield _dead_letters(fleet, queue)
    yield _scaler_errors(fleet, queue)


def _in_broker(metric: str, fleet: str, queue: QueuePlan) -> str:
    """A count of each of the queue's shards."""
    return f"max by (queue) ({series(metric, fleet, queue=queue.topology.shards)})"


def _slots(fleet: str, queue: QueuePlan) -> str:
    return f"sum({series(WORKER_SLOTS, fleet, queue=queue.name)})"


def _without_consumers(fleet: str, queue: QueuePlan) -> Alert:
    from_zero = from_zero_seconds(queue.autoscaling)
    waiting = math.ceil(FROM_ZERO_MARGIN * from_zero / MINUTE_SECONDS) * MINUTE_SECONDS
    return Alert(
        name="FleetBacklogWithoutConsumers",
        severity=Severity.CRITICAL,
        queue=queue.name,
        expression=(
            f"max({_in_broker(QUEUE_READY, fleet, queue)} > 0 unless {_in_broker(QUEUE_CONSUMERS, fleet, queue)} > 0)"
        ),
        for_seconds=waiting,
        summary=f"{{{{ $value }}}} messages wait in {queue.name} and nobody consumes it",
        means=(
            f"From nothing to a first worker {queue.name} needs {format_duration(from_zero)}; after {format_duration(waiting)} none will come by"
            " itself, and nothing of the queue runs."
        ),
        action="See whether pods are there and why they are not ready, then whether the autoscaler is ready or paused.",
    )


def _at_maximum(fleet: str, queue: QueuePlan) -> Alert:
    slots, window = slots_at_maximum(queue), format_duration(GROWING_SECONDS)
    growth = f"deriv({series(QUEUE_READY, fleet, queue=queue.topology.shards)}[{window}])"
    pods = queue.autoscaling.max_replicas * len(queue.topology.shards)
    return Alert(
        name="FleetAtMaximum",
        severity=Severity.CRITICAL,
        queue=queue.name,
        expression=f"sum(max by (queue) ({growth})) > 0\nand {_slots(fleet, queue)} >= {slots}",
        for_seconds=GROWING_SECONDS,
        summary=f"{queue.name} has all its {slots} slots and its backlog grows by {{{{ $value | humanize }}}} messages a second",
        means=(
            f"{pods} pods are the most that the plan allows it, twice what the declared peak needs unless the catalogue says otherwise:"
            " more arrives than was declared, tasks take longer, or what they use is slow. Waits grow until that ends."
        ),
        action=f"Compare arrivals and runtimes with queues.{queue.name}; then raise load.peak or replicas.max, or throttle who enqueues.",
    )


def _unacked(fleet: str, queue: QueuePlan) -> Alert:
    multiplier = UNACKED_SHARE * queue.worker.prefetch_multiplier
    return Alert(
        name="FleetUnackedAboveSlots",
        severity=Severity.WARNING,
        queue=queue.name,
        expression=(
            f"sum({_in_broker(QUEUE_UNACKED, fleet, queue)}) > {format_number(multiplier)} * ({_slots(fleet, queue)} or vector(0))"
        ),
        for_seconds=600,
        summary=f"{{{{ $value }}}} messages of {queue.name} are held by consumers that have no slots for them",
        means=(
            "Something else consumes the queue, a worker holds messages that it does not run, or pods do not tell of their slots. The autoscaler takes"
            f" held messages for running tasks; the broker takes them back after {format_duration(queue.topology.policy.consumer_timeout_seconds)}."
        ),
        action="List the queue's consumers and compare them with the pods.",
    )


def _redeliveries(fleet: str, queue: QueuePlan) -> Alert:
    window = format_duration(REDELIVERED_SECONDS)
    again, every = (
        series(metric, fleet, queue=queue.topology.shards) for metric in (QUEUE_REDELIVERED, QUEUE_DELIVERED)
    )
    return Alert(
        name="FleetRedeliveries",
        severity=Severity.WARNING,
        queue=queue.name,
        expression=(
            f"sum(rate({again}[{window}])) / sum(rate({every}[{window}])) > {format_number(REDELIVERED_SHARE)}\n"
            f"and sum(increase({again}[{window}])) >= {REDELIVERED_AT_LEAST}"
        ),
        for_seconds=300,
        summary=f"{{{{ $value | humanizePercentage }}}} of the deliveries of {queue.name} are not the first",
        means=(
            "Workers or their children are killed, lose the broker, or hold messages beyond the consumer timeout: work is done twice, and after"
            f" {queue.topology.policy.delivery_limit} deliveries a message is a dead letter."
        ),
        action="Look for restarts and OOM kills of the queue's pods, and for lost connections in their logs.",
    )


def _dead_letters(fleet: str, queue: QueuePlan) -> Alert:
    dead = queue.topology.dead_letter_queue
    return Alert(
        name="FleetDeadLetters",
        severity=Severity.WARNING,
        queue=queue.name,
        expression=f"max({series(QUEUE_READY, fleet, queue=dead)}) > 0",
        for_seconds=60,
        summary=f"{queue.name} has given up {{{{ $value }}}} messages",
        means=(
            "Their tasks have not been done, and will not be until somebody sends them back; they are dropped after"
            f" {format_duration(queue.topology.policy.dead_letter_keep_seconds)}."
        ),
        action=f"`fleet dlq show {queue.name}` says why; correct it, then `fleet dlq replay {queue.name}`.",
    )


def _scaler_errors(fleet: str, queue: QueuePlan) -> Alert:
    plan = queue.autoscaling
    scalers = tuple(f"worker-{shard}" for shard in queue.topology.shards)
    errors = series(SCALER_ERRORS, fleet, scaledObject=scalers)
    return Alert(
        name="FleetScalerErrors",
        severity=Severity.CRITICAL,
        queue=queue.name,
        expression=f"sum(increase({errors}[{format_duration(READINGS_SECONDS)}])) >= {plan.fallback_failures}",
        for_seconds=READINGS_SECONDS,
        summary=f"KEDA could not read {queue.name} {{{{ $value | humanize }}}} times in five minutes",
        means=(
            f"Its pods stay as many as there are, {plan.fallback_replicas} at least, whatever arrives; a queue at zero that KEDA cannot read stays at zero"
            " until the fallback holds."
        ),
        action="See the ScaledObject's conditions and events: the broker's management API, the autoscaler's user, network policies.",
    )
