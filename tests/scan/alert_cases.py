"""For every kind of alert, series for which it fires and series for which it keeps quiet, a value each step.

Invariant: a quiet case is the nearest to the firing one that is no trouble: as many, but not for long enough; as long, but not as many.
All are of the shipped catalogue in `prod`.
"""

from dataclasses import dataclass, field

NAMESPACE = 'namespace="celery-fleet"'


@dataclass(frozen=True, kw_only=True)
class Case:
    """One kind, on one queue."""

    name: str
    severity: str
    queue: str | None = None
    labels: dict[str, str] = field(default_factory=dict)
    at: str
    """When the alerts are looked at."""
    step: str = "1m"
    """Between two values, and between two evaluations."""
    firing: dict[str, str]
    quiet: dict[str, str]
    also: tuple[dict[str, str], ...] = ()
    """Labels of others of its kind that fire with it."""

    @property
    def alerts(self) -> list[dict[str, str]]:
        """The labels of what fires."""
        shared = {"alertname": self.name, "fleet": "celery-fleet", "environment": "prod"}
        queue = {} if self.queue is None else {"queue": self.queue}
        own = {"severity": self.severity, **queue, **self.labels}
        return [{**shared, **labels} for labels in (own, *self.also)]

    @property
    def identity(self) -> str:
        """For the names of tests."""
        return "-".join([self.name, *self.labels.values()])


def broker(metric: str, queue: str, pod: str = "broker-server-0", **labels: str) -> str:
    """A series of one broker queue on one node."""
    further = "".join(f',{name}="{value}"' for name, value in labels.items())
    return f'rabbitmq_detailed_queue_{metric}{{{NAMESPACE},pod="{pod}",vhost="celery-fleet",queue="{queue}"{further}}}'


def node(metric: str, pod: str = "broker-server-0") -> str:
    """A series of one RabbitMQ node."""
    return f'rabbitmq_{metric}{{{NAMESPACE},pod="{pod}"}}'


def worker(metric: str, queue: str, pod: str = "a", **labels: str) -> str:
    """A series of one worker's pod."""
    further = "".join(f',{name}="{value}"' for name, value in labels.items())
    return f'fleet_{metric}{{{NAMESPACE},pod="worker-{queue}-{pod}",queue="{queue}"{further}}}'


def scaler(metric: str, shard: str) -> str:
    """A series of KEDA about one autoscaler."""
    return f'keda_scaler_{metric}{{{NAMESPACE},scaledObject="worker-{shard}",scaler="rabbitMQScaler",triggerIndex="0"}}'


def waits(queue: str, bound: str, *, in_time: str, every: str) -> dict[str, str]:
    """The two series of a wait histogram that a promise is read from."""
    task = {"task": "app.tasks.any"}
    return {
        worker("task_wait_seconds_bucket", queue, **task, le=bound): in_time,
        worker("task_wait_seconds_bucket", queue, **task, le="+Inf"): every,
        worker("task_wait_seconds_count", queue, **task): every,
    }


def runs(queue: str, *, total: str, count: str) -> dict[str, str]:
    """Sum and count of a run histogram."""
    return {worker("task_run_seconds_sum", queue): total, worker("task_run_seconds_count", queue): count}


SEEN = {
    broker("messages_ready", "high"): "0x1000",
    scaler("active", "high"): "1x1000",
    f"fleet_publish_seconds_count{{{NAMESPACE}}}": "0x1000",
    worker("worker_slots", "high"): "8x1000",
}
"""Every part is scraped and has nothing to do."""

CASES = (
    Case(
        name="FleetBrokerAlarm", severity="critical", at="5m",
        firing={node("alarms_memory_used_watermark"): "0x2 1x10", node("alarms_free_disk_space_watermark"): "0x12"},
        quiet={node("alarms_memory_used_watermark"): "0 1 0x10", node("alarms_free_disk_space_watermark"): "0x12"},
    ),
    Case(
        name="FleetQuorumAtRisk", severity="critical", at="10m",
        firing={
            broker("info", "high", "broker-server-0", membership="leader"): "1x20",
            broker("info", "high", "broker-server-1", membership="follower"): "1x20",
            broker("info", "high", "broker-server-2", membership="undefined"): "1x20",
        },
        quiet={
            broker("info", "high", "broker-server-0", membership="leader"): "1x20",
            broker("info", "high", "broker-server-1", membership="follower"): "1x20",
            broker("info", "high", "broker-server-2", membership="follower"): "1x20",
        },
    ),
    Case(
        name="FleetUnrouted", severity="critical", at="5m",
        firing={broker("messages_ready", "unrouted"): "0 1x10"},
        quiet={broker("messages_ready", "unrouted"): "0x10", broker("messages_unacked", "unrouted"): "1x10"},
    ),
    Case(
        name="FleetDelayedStuck", severity="critical", at="10m",
        firing={
            broker("messages", "celery_delayed_0"): "7x20",
            broker("messages_ready", "celery_delayed_0"): "4x20",
            broker("messages_unacked", "celery_delayed_0"): "0x20",
        },
        quiet={
            broker("messages", "celery_delayed_0"): "7x20",
            broker("messages_ready", "celery_delayed_0"): "7x20",
            broker("messages_unacked", "celery_delayed_0"): "0x20",
        },
    ),
    Case(
        name="FleetPromiseAtRisk", severity="critical", queue="high", labels={"pace": "fast"}, at="1h",
        # Half of an hour's tasks are late, which is more than six times the 5 % that may be, and more than twice as many.
        firing=waits("high", "1.0", in_time="0+30x60", every="0+60x60"),
        also=({"queue": "high", "severity": "warning", "pace": "slow"},),
        quiet=waits("high", "1.0", in_time="0+55.5x60", every="0+60x60"),
    ),
    Case(
        name="FleetPromiseAtRisk", severity="warning", queue="reports", labels={"pace": "slow"}, at="6h", step="5m",
        # A fifth of the tasks, against a twentieth.
        firing=waits("reports", "600.0", in_time="0+40x72", every="0+50x72"),
        quiet=waits("reports", "600.0", in_time="0+475x72", every="0+500x72"),
    ),
    Case(
        name="FleetBacklogWithoutConsumers", severity="critical", queue="default", at="10m",
        # The other shard has its consumer.
        firing={
            broker("messages_ready", "default-0"): "0 5x20", broker("consumers", "default-0"): "0x20",
            broker("messages_ready", "default-1"): "0 5x20", broker("consumers", "default-1"): "1x20",
        },
        # Three minutes are what a node and a pod may take.
        quiet={
            broker("messages_ready", "default-0"): "0x8 5x20", broker("consumers", "default-0"): "0x20",
            broker("messages_ready", "default-1"): "0x8 5x20", broker("consumers", "default-1"): "1x20",
        },
    ),
    Case(
        name="FleetAtMaximum", severity="critical", queue="high", at="30m",
        firing={
            **{worker("worker_slots", "high", pod): "8x60" for pod in "abcd"},
            broker("messages_ready", "high"): "0+100x60", broker("consumers", "high"): "4x60",
        },
        quiet={
            **{worker("worker_slots", "high", pod): "8x60" for pod in "abc"},
            broker("messages_ready", "high"): "0+100x60", broker("consumers", "high"): "3x60",
        },
    ),
    Case(
        name="FleetUnackedAboveSlots", severity="warning", queue="reports", at="20m",
        firing={broker("messages_unacked", "reports"): "4x30", worker("worker_slots", "reports"): "2x30"},
        quiet={broker("messages_unacked", "reports"): "3x30", worker("worker_slots", "reports"): "2x30"},
    ),
    Case(
        name="FleetRedeliveries", severity="warning", queue="high", at="30m",
        firing={
            broker("messages_redelivered_total", "high"): "0+3x40",
            broker("messages_delivered_ack_total", "high"): "0+100x40",
        },
        quiet={
            broker("messages_redelivered_total", "high"): "0+0.5x40",
            broker("messages_delivered_ack_total", "high"): "0+100x40",
        },
    ),
    Case(
        name="FleetDeadLetters", severity="warning", queue="high", at="5m",
        firing={broker("messages_ready", "high-dead"): "0 2x10"},
        quiet={broker("messages_ready", "high-dead"): "0x10", broker("messages_ready", "very-high-dead"): "2x10"},
    ),
    Case(
        name="FleetScalerErrors", severity="critical", queue="default", at="15m",
        firing={scaler("detail_errors_total", "default-1"): "0+4x20"},
        quiet={scaler("detail_errors_total", "default-1"): "0x8 1 2 2x20"},
    ),
    Case(
        name="FleetRuntimeAwayFromDeclared", severity="warning", queue="thumbnails", at="6h", step="5m",
        # 4 s and 2.5 s where 2 s are declared.
        firing=runs("thumbnails", total="0+40x72", count="0+10x72"),
        quiet=runs("thumbnails", total="0+25x72", count="0+10x72"),
    ),
    *(
        Case(
            name="FleetUnseen", severity="warning", labels={"part": part}, at="10m",
            firing={item: values for item, values in SEEN.items() if not item.startswith(gone)},
            quiet={item: ("0x7 _x2" if item.startswith(gone) else values) for item, values in SEEN.items()},
        )
        for part, gone in (
            ("broker", "rabbitmq_"), ("autoscaler", "keda_"), ("web", "fleet_publish"), ("workers", "fleet_worker"),
        )
    ),
)  # fmt: skip
