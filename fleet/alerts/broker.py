"""What the queues share: the broker, what it could not route or deliver, and whether anything is seen at all."""

from collections.abc import Iterator

from fleet.alerts.alert import Alert, Severity
from fleet.plan import Plan
from fleet.records import Record
from fleet.series import (
    BROKER_DISK_ALARM,
    BROKER_MEMORY_ALARM,
    PUBLISH_SECONDS,
    QUEUE_INFO,
    QUEUE_MESSAGES,
    QUEUE_READY,
    QUEUE_UNACKED,
    SCALER_ACTIVE,
    WORKER_SLOTS,
    series,
)

LAST_DELAY_QUEUE = "celery_delayed_0"
"""The last level of the delayed-delivery tree: a second, then on to the queue (kombu 5.7, `native_delayed_delivery`)."""

MEMBERS_AT_MOST = 3
"""Members of a quorum queue where there are as many nodes."""

UNSEEN_SECONDS = 300


class Part(Record, frozen=True, kw_only=True):
    """What is scraped, and how it shows that it is."""

    label: str
    metric: str
    words: str
    means: str


PARTS = (
    Part(
        label="broker",
        metric=QUEUE_READY,
        words="the broker",
        means="Nothing is known of its queues: alerts on backlog, dead letters and alarms cannot fire.",
    ),
    Part(
        label="autoscaler",
        metric=SCALER_ACTIVE,
        words="KEDA",
        means="Either it does not run, and nothing scales, or nobody reads its metrics.",
    ),
    Part(
        label="web",
        metric=f"{PUBLISH_SECONDS}_count",
        words="the web layer",
        means="Either it has no pod, and nothing is accepted, or nobody reads its metrics.",
    ),
    Part(
        label="workers",
        metric=WORKER_SLOTS,
        words="the workers",
        means="Waits and runtimes are unknown: no promise is watched.",
    ),
)
"""In the order in which they are shown; workers only where some queue always has one."""


def broker_alerts(plan: Plan) -> Iterator[Alert]:
    """What may be wrong with what all queues need."""
    yield _alarm(plan.fleet)
    if plan.broker.nodes > 1:
        yield _quorum(plan.fleet, plan.broker.nodes)
    yield _unrouted(plan)
    yield _stuck_delays(plan.fleet)
    yield from _unseen(plan)


def _alarm(fleet: str) -> Alert:
    memory, disk = series(BROKER_MEMORY_ALARM, fleet), series(BROKER_DISK_ALARM, fleet)
    return Alert(
        name="FleetBrokerAlarm",
        severity=Severity.CRITICAL,
        expression=f"sum({memory}) + sum({disk}) > 0",
        for_seconds=30,
        summary="RabbitMQ blocks publishers: {{ $value }} of its alarms for memory or disk are set",
        means="One node with an alarm blocks publishers on all of them: nothing can be enqueued, and the web layer answers 503. Workers go on.",
        action="See which alarm it is; let workers drain the backlog, then give the broker more memory or disk.",
    )


def _quorum(fleet: str, nodes: int) -> Alert:
    members = min(nodes, MEMBERS_AT_MOST)
    info = series(QUEUE_INFO, fleet, membership=("leader", "follower"))
    return Alert(
        name="FleetQuorumAtRisk",
        severity=Severity.CRITICAL,
        expression=f"min(count by (vhost, queue) ({info})) < {members}",
        for_seconds=300,
        summary=f"A queue has {{{{ $value }}}} of its {members} members",
        means=f"Queues live while {members // 2 + 1} of {members} members do: the next node that goes may take them away, with all publishers to them.",
        action="See which RabbitMQ node is missing and why; take no other one away until it is back.",
    )


def _unrouted(plan: Plan) -> Alert:
    return Alert(
        name="FleetUnrouted",
        severity=Severity.CRITICAL,
        expression=f"max({series(QUEUE_READY, plan.fleet, queue=plan.topology.unrouted)}) > 0",
        for_seconds=60,
        summary="{{ $value }} messages led to no queue",
        means="Somebody publishes with a routing key that no queue has; the broker has accepted the messages, and nobody runs them.",
        action=f"`fleet dlq show {plan.topology.unrouted}` says who and to where; correct it, then `fleet dlq replay {plan.topology.unrouted}`.",
    )


def _stuck_delays(fleet: str) -> Alert:
    every, ready, unacked = (
        f"max({series(metric, fleet, queue=LAST_DELAY_QUEUE)})"
        for metric in (QUEUE_MESSAGES, QUEUE_READY, QUEUE_UNACKED)
    )
    return Alert(
        name="FleetDelayedStuck",
        severity=Severity.CRITICAL,
        # Ready ones wait for their second, as they should; these are over it, and dead-lettering cannot hand them on.
        expression=f"{every} - {ready} - {unacked} > 0",
        for_seconds=300,
        summary="{{ $value }} tasks with a countdown are due and cannot be delivered",
        means=(
            "Their queue is not bound to the exchange of delayed messages, or is full: they stay in the last level of the tree and are tried again"
            " every three minutes."
        ),
        action="See which queue lacks its binding on `celery_delayed_delivery`; `pulumi up` runs the Job that binds it.",
    )


def _unseen(plan: Plan) -> Iterator[Alert]:
    """Series that are there whenever their part is: without them other alerts are silent, whatever happens."""
    for part in PARTS:
        if part.label == "workers" and not any(queue.autoscaling.min_replicas for queue in plan.queues):
            continue
        yield Alert(
            name="FleetUnseen",
            severity=Severity.WARNING,
            labels={"part": part.label},
            expression=f"absent(sum({series(part.metric, plan.fleet)}))",
            for_seconds=UNSEEN_SECONDS,
            summary=f"Prometheus has no series of {part.words}",
            means=part.means,
            action="See whether its pods run, then whether Prometheus has it among its targets and reaches it.",
        )
