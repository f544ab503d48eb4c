"""The reason of each derived number of a queue: formula, the numbers put in, and the source of the rule."""

from dataclasses import dataclass

from fleet import scaling, sizing
from fleet.plan import QueuePlan
from fleet.records import Reason
from fleet.scaling import Regime
from fleet.sizing import RetryPlan, Shutdown
from fleet.units import format_cpu, format_duration, format_number, format_rate, format_size

SCALING_RULE = "docs/designs/scaling.md"
CELERY_WORKERS = "Celery 5.7, docs/userguide/workers"
CELERY_TASKS = "Celery 5.7, docs/userguide/tasks"
KUBERNETES_PODS = "Kubernetes docs, Pod Lifecycle"
RABBITMQ_QUORUM = "RabbitMQ 4.3 docs, Quorum Queues"
CATALOGUE = "stated in the catalogue"

SHOWN_PAUSES = 4
"""Pauses between retries that are written out; the next ones follow by themselves."""


@dataclass(frozen=True, kw_only=True)
class QueueFigures:
    """What a queue's numbers were made from and the Plan does not keep."""

    shard_rate: float
    slots: int
    busy_share: float
    burst_rate: float
    burst_seconds: float
    burst_pods: int
    declared_minimum: int
    declared_maximum: int | None
    startup_seconds: float
    cpu_scale: float
    task_bytes: int
    derived_concurrency: bool


def queue_reasons(queue: QueuePlan, figures: QueueFigures) -> list[Reason]:
    """One reason for each derived number of a queue, in the order in which they build on each other."""
    return [
        Reason(path=f"{queue.name}.{field}", value=value, formula=formula, source=source)
        for field, value, formula, source in (
            *_worker_rows(queue, figures),
            *_resource_rows(queue, figures),
            *_scaling_rows(queue, figures),
        )
    ]


_Row = tuple[str, str, str, str]


def _worker_rows(queue: QueuePlan, figures: QueueFigures) -> list[_Row]:
    worker = queue.worker
    limit = format_duration(worker.hard_limit_seconds)
    mean = format_duration(queue.promise.mean_seconds)
    if not figures.derived_concurrency:
        concurrency = CATALOGUE
    elif queue.profile == "cpu":
        concurrency = "a cpu slot takes a core: 1 a pod, so scale-in and an OOM kill cost one task"
    else:
        concurrency = f"io, mean {mean}: 8 slots below 100ms, else 4; never by load, so that more load is more pods"
    rows: list[_Row] = [
        ("worker.concurrency", str(worker.concurrency), concurrency, CELERY_WORKERS),
        (
            "worker.prefetch",
            str(worker.concurrency),
            "concurrency x multiplier 1: unacknowledged messages are busy slots",
            CELERY_WORKERS,
        ),
    ]
    if worker.soft_limit_seconds is not None:
        rows.append(
            (
                "worker.soft_limit",
                format_duration(worker.soft_limit_seconds),
                f"limit {limit} - max(5s, 10 %), half of a limit under 10s",
                CELERY_WORKERS,
            )
        )
    if worker.shutdown is Shutdown.SOFT:
        grace = f"soft shutdown on spot: the notice of {sizing.SPOT_NOTICE_SECONDS}s"
    else:
        grace = f"limit {limit} + {sizing.GRACE_MARGIN_SECONDS}s, so that the task in hand is finished"
    rows.append(("worker.grace", f"{worker.grace_seconds}s", grace, KUBERNETES_PODS))
    if worker.retries is not None:
        rows.append(("worker.retries", str(worker.retries.max_retries), _retries_formula(worker.retries), CELERY_TASKS))
    timeout = queue.topology.policy.consumer_timeout_seconds
    rows.append(
        (
            "broker.consumer_timeout",
            f"{timeout}s",
            f"max({sizing.CONSUMER_TIMEOUT_FLOOR_SECONDS}s, limit {limit} + grace {worker.grace_seconds}s + {sizing.GRACE_MARGIN_SECONDS}s)",
            RABBITMQ_QUORUM,
        )
    )
    return rows


def _retries_formula(retries: RetryPlan) -> str:
    pauses = retries.pauses_seconds
    shown = ", ".join(format_duration(pause) for pause in pauses[:SHOWN_PAUSES])
    more = f", ... at most {format_duration(retries.longest_seconds)}" if len(pauses) > SHOWN_PAUSES else ""
    drawn = ", each drawn between 0 and that" if retries.jitter else ""
    return (
        f"on {', '.join(retries.exceptions)}, after {shown}{more}{drawn}: a task that always fails has failed"
        f" {format_duration(sum(pauses))} of pauses later"
    )


def _resource_rows(queue: QueuePlan, figures: QueueFigures) -> list[_Row]:
    worker, resources = queue.worker, queue.resources
    slots = worker.concurrency
    per_slot = 1000 if queue.profile == "cpu" else sizing.IO_CPU_MILLICORES_PER_SLOT
    children = f" + {slots} x {format_size(sizing.PREFORK_CHILD_BYTES)} child" if worker.pool == "prefork" else ""
    memory = (
        f"({format_size(sizing.IDLE_WORKER_BYTES[worker.pool.value])} idle{children} + {slots} x {format_size(figures.task_bytes)} task)"
        f" x {format_number(sizing.MEMORY_HEADROOM)}, up to the next {format_size(sizing.MEMORY_STEP_BYTES)}"
    )
    rows: list[_Row] = [
        (
            "resources.cpu_request",
            format_cpu(resources.cpu_request_millicores),
            f"{slots} slot(s) x {per_slot}m x cpu_scale {format_number(figures.cpu_scale)}",
            "cpu: a core a slot; io: sixteen waiting slots a core",
        ),
        (
            "resources.memory",
            format_size(resources.memory_bytes),
            memory,
            "request = limit: Kubernetes docs, Resource Management",
        ),
    ]
    if resources.cpu_limit_millicores is not None:
        rows.append(
            (
                "resources.cpu_limit",
                format_cpu(resources.cpu_limit_millicores),
                f"{slots} slot(s) x 1000m; io queues get none",
                "a limit keeps a computing task from starving its neighbours",
            )
        )
    return rows


def _scaling_rows(queue: QueuePlan, figures: QueueFigures) -> list[_Row]:
    auto, promise = queue.autoscaling, queue.promise
    wait, reaction = format_duration(promise.wait_seconds), format_number(auto.reaction_seconds)
    shards = len(queue.topology.shards)
    share = f" / {shards} shards" if shards > 1 else ""
    peak = (
        f"{figures.slots} slots / {queue.worker.concurrency}: Erlang C keeps {format_number(promise.percentile)} % within {wait} at"
        f" {format_rate(promise.peak_per_second)}{share} x {format_duration(promise.mean_seconds)}, slots at most {figures.busy_share:.0%} busy"
    )
    return [
        (
            "scaling.regime",
            auto.regime.value,
            (
                f"wait {wait} against reaction {reaction}s = 7.5 HPA + 5.5 statistics + {format_number(figures.startup_seconds)} start-up"
                f" (long from {format_number(3 * auto.reaction_seconds)}s, mid from {format_number(1.25 * auto.reaction_seconds)}s)"
            ),
            SCALING_RULE,
        ),
        ("scaling.metric", _metric_value(queue), _metric_formula(queue), SCALING_RULE),
        (
            "scaling.window",
            f"{auto.scale_down_window_seconds}s",
            f"scale-down window of the {auto.regime.value} regime",
            SCALING_RULE,
        ),
        ("replicas.peak", str(auto.peak_replicas), peak, SCALING_RULE),
        ("replicas.min", str(auto.min_replicas), _minimum_formula(queue, figures), SCALING_RULE),
        ("replicas.max", str(auto.max_replicas), _maximum_formula(queue, figures), SCALING_RULE),
    ]


def _metric_value(queue: QueuePlan) -> str:
    auto = queue.autoscaling
    return auto.formula or f"{format_number(auto.target)} messages a pod"


def _metric_formula(queue: QueuePlan) -> str:
    auto, promise = queue.autoscaling, queue.promise
    if auto.formula is None:
        return (
            f"ready + unacknowledged; {queue.worker.concurrency} x (1 + 0.3 x {format_duration(promise.wait_seconds)}"
            f" / {format_duration(promise.mean_seconds)})"
        )
    return "busy slots, and the pods that work off the backlog within the wait; total - ready are the busy slots"


def _minimum_formula(queue: QueuePlan, figures: QueueFigures) -> str:
    if queue.autoscaling.regime is not Regime.SHORT:
        return f"{figures.declared_minimum} declared"
    exposed = min(figures.burst_seconds, scaling.worst_reaction_seconds(figures.startup_seconds))
    return (
        f"max({figures.declared_minimum} declared, {figures.burst_pods} = ceil({format_rate(figures.burst_rate)} x"
        f" {format_duration(queue.promise.mean_seconds)} / (0.95 x {queue.worker.concurrency}) x T/(T+W)), T {format_number(exposed)}s,"
        f" W {format_duration(queue.promise.wait_seconds)}): nothing reactive is in time"
    )


def _maximum_formula(queue: QueuePlan, figures: QueueFigures) -> str:
    if figures.declared_maximum is not None:
        return f"{figures.declared_maximum} declared"
    auto = queue.autoscaling
    return (
        f"max({scaling.PEAK_HEADROOM} x {auto.peak_replicas} at peak, minimum {auto.min_replicas}):"
        " a backlog from an outage is gone after the same time again"
    )
