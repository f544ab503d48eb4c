"""The worker: pool, slots, limits, shutdown and grace."""

from collections.abc import Iterator

from fleet import sizing
from fleet.reasons.rules import Number
from fleet.reasons.sources import (
    AWS_SPOT,
    CELERY_CHILD_MEMORY,
    CELERY_CONCURRENCY,
    CELERY_PREFETCH,
    CELERY_SHUTDOWN,
    CELERY_TIME_LIMITS,
    ENVIRONMENT,
    KUBERNETES_TERMINATION,
    SIZING,
)
from fleet.reasons.subject import Subject, is_stated
from fleet.records import Reason
from fleet.sizing import Pool, Shutdown
from fleet.units import format_duration, format_size

NONE = "none"

_CAPACITY = Number(path="worker.capacity", means="Nodes that the workers may run on", fields=("capacity",))
CAPACITY_STATED = _CAPACITY.stated()
CAPACITY_DEFAULT = _CAPACITY.default("a node that nobody takes away", SIZING)
CAPACITY_WITHOUT_SPOT = _CAPACITY.chosen("the environment has no spot nodes", "spot is a choice of both", ENVIRONMENT)

_POOL = Number(path="worker.pool", means="Celery pool", fields=("worker.pool",))
POOL_STATED = _POOL.stated()
POOL_CPU = _POOL.chosen(
    "{profile}", "computing tasks need processes: one interpreter computes one task", CELERY_CONCURRENCY
)
POOL_IO = _POOL.chosen(
    "{profile}",
    "waiting tasks share a process, and gevent keeps the hard limit, which threads do not",
    CELERY_CONCURRENCY,
)

_CONCURRENCY = Number(path="worker.concurrency", means="Slots of a pod", fields=("worker.concurrency",))
CONCURRENCY_STATED = _CONCURRENCY.stated()
CONCURRENCY_CPU = _CONCURRENCY.chosen(
    "{profile}", "a computing slot takes a core: with 1 a pod, scale-in and an OOM kill cost one task", SIZING
)
CONCURRENCY_IO = _CONCURRENCY.chosen(
    "{profile}, {mean}: 8 slots below 100ms, else 4", "never by load, so that more load is more pods", SIZING
)

_MULTIPLIER = Number(
    path="worker.prefetch_multiplier", means="Messages that a slot holds", fields=("worker.prefetch_multiplier",)
)
MULTIPLIER_STATED = _MULTIPLIER.stated()
MULTIPLIER_DEFAULT = _MULTIPLIER.default(
    "unacknowledged messages are then busy slots, which the autoscaler counts", CELERY_PREFETCH
)

_PREFETCH = Number(path="worker.prefetch", means="Unacknowledged messages that a pod may hold")
PREFETCH = _PREFETCH.computed("{concurrency} x {multiplier}", "as Celery does", CELERY_PREFETCH)

_HARD = Number(
    path="worker.hard_limit", means="Runtime at which a task is killed", fields=("worker.hard_limit_seconds",)
)
HARD = _HARD.stated()

_SOFT = Number(
    path="worker.soft_limit",
    means="Runtime at which a task is told to stop",
    fields=("worker.soft_limit_seconds",),
)
SOFT = _SOFT.computed(
    "max({limit} - max({margin}, {share} x {limit}), {limit} / 2)",
    "the task has time to tidy up before it is killed",
    CELERY_TIME_LIMITS,
)
SOFT_NONE = _SOFT.chosen("{pool}", "Celery has soft limits in prefork alone", CELERY_TIME_LIMITS)

_SHUTDOWN = Number(path="worker.shutdown", means="What SIGTERM starts in the worker", fields=("worker.shutdown",))
SHUTDOWN_WARM = _SHUTDOWN.chosen(
    "{capacity}", "nobody takes the node away, so running tasks are finished", CELERY_SHUTDOWN
)
SHUTDOWN_SOFT = _SHUTDOWN.chosen(
    "{capacity}", "the node is gone after its notice, so running tasks go back in time", CELERY_SHUTDOWN
)

_SOFT_SHUTDOWN = Number(
    path="worker.soft_shutdown",
    means="Time that running tasks get before they go back to the queue",
    fields=("worker.soft_shutdown_seconds",),
)
SOFT_SHUTDOWN = _SOFT_SHUTDOWN.default("of a notice of 120s, 20s are left for cancelling and giving back", AWS_SPOT)
SOFT_SHUTDOWN_NONE = _SOFT_SHUTDOWN.chosen("{shutdown}", "running tasks are finished", CELERY_SHUTDOWN)

_GRACE = Number(path="worker.grace", means="Time from SIGTERM to SIGKILL", fields=("worker.grace_seconds",))
GRACE_WARM = _GRACE.computed(
    "ceil({limit}) + {margin}", "the task in hand is finished, then acknowledged", KUBERNETES_TERMINATION
)
GRACE_SPOT = _GRACE.computed("{notice}", "the node is gone after it", AWS_SPOT)

_CEILING = Number(
    path="worker.max_memory_per_child",
    means="Memory above which a prefork child is replaced after its task",
    fields=("worker.max_memory_per_child_bytes",),
)
CEILING_STATED = _CEILING.stated()
CEILING = _CEILING.computed(
    "floor(({idle} + {task} + max(0, {pod} - {resident}) / {slots}) / {step}) x {step}",
    "children that leak share what the pod leaves free, and are replaced before the kernel ends the pod",
    CELERY_CHILD_MEMORY,
)
CEILING_NONE = _CEILING.chosen("{pool}", "only prefork has children", CELERY_CHILD_MEMORY)


def explain(subject: Subject) -> Iterator[Reason]:
    """Everything that Celery is started with."""
    yield from _pool_reasons(subject)
    yield from _limit_reasons(subject)
    yield from _shutdown_reasons(subject)
    yield _ceiling_reason(subject)


def _pool_reasons(subject: Subject) -> Iterator[Reason]:
    spec, queue, worker = subject.spec, subject.plan, subject.plan.worker
    profile = queue.profile
    if spec.capacity == "spot" and not subject.environment.spot:
        yield subject.reason(CAPACITY_WITHOUT_SPOT, queue.capacity)
    else:
        yield subject.reason(CAPACITY_STATED if is_stated(spec, "capacity") else CAPACITY_DEFAULT, queue.capacity)
    pool, concurrency = worker.pool.value, str(worker.concurrency)
    if spec.pool is not None:
        yield subject.reason(POOL_STATED, pool)
    else:
        yield subject.reason(POOL_CPU if profile == "cpu" else POOL_IO, pool, profile=profile)
    if spec.concurrency is not None:
        yield subject.reason(CONCURRENCY_STATED, concurrency)
    elif profile == "cpu":
        yield subject.reason(CONCURRENCY_CPU, concurrency, profile=profile)
    else:
        mean = format_duration(queue.promise.mean_seconds)
        yield subject.reason(CONCURRENCY_IO, concurrency, profile=profile, mean=mean)
    multiplier = worker.prefetch_multiplier
    yield subject.reason(
        MULTIPLIER_STATED if is_stated(spec, "args", "prefetch_multiplier") else MULTIPLIER_DEFAULT, str(multiplier)
    )
    yield subject.reason(PREFETCH, str(worker.prefetch), concurrency=concurrency, multiplier=multiplier)


def _limit_reasons(subject: Subject) -> Iterator[Reason]:
    worker = subject.plan.worker
    limit = format_duration(worker.hard_limit_seconds)
    yield subject.reason(HARD, limit)
    if worker.soft_limit_seconds is None:
        yield subject.reason(SOFT_NONE, NONE, pool=worker.pool.value)
    else:
        yield subject.reason(
            SOFT,
            format_duration(worker.soft_limit_seconds),
            limit=limit,
            margin=format_duration(sizing.SOFT_LIMIT_MARGIN_SECONDS),
            share=sizing.SOFT_LIMIT_MARGIN_SHARE,
        )


def _shutdown_reasons(subject: Subject) -> Iterator[Reason]:
    worker, capacity = subject.plan.worker, subject.plan.capacity
    shutdown, grace = worker.shutdown.value, f"{worker.grace_seconds}s"
    soft = f"{worker.soft_shutdown_seconds:g}s"
    if worker.shutdown is Shutdown.SOFT:
        yield subject.reason(SHUTDOWN_SOFT, shutdown, capacity=capacity)
        yield subject.reason(SOFT_SHUTDOWN, soft)
        yield subject.reason(GRACE_SPOT, grace, notice=f"{sizing.SPOT_NOTICE_SECONDS}s")
    else:
        yield subject.reason(SHUTDOWN_WARM, shutdown, capacity=capacity)
        yield subject.reason(SOFT_SHUTDOWN_NONE, soft, shutdown=shutdown)
        yield subject.reason(
            GRACE_WARM,
            grace,
            limit=format_duration(worker.hard_limit_seconds),
            margin=f"{sizing.GRACE_MARGIN_SECONDS}s",
        )


def _ceiling_reason(subject: Subject) -> Reason:
    worker = subject.plan.worker
    if worker.max_memory_per_child_bytes is None:
        return subject.reason(CEILING_NONE, NONE, pool=worker.pool.value)
    ceiling = format_size(worker.max_memory_per_child_bytes)
    if subject.spec.args.max_memory_per_child is not None:
        return subject.reason(CEILING_STATED, ceiling)
    return subject.reason(
        CEILING,
        ceiling,
        idle=format_size(sizing.IDLE_WORKER_BYTES[Pool.PREFORK]),
        task=format_size(subject.spec.memory),
        pod=format_size(subject.plan.resources.memory_bytes),
        resident=format_size(sizing.resident_bytes(Pool.PREFORK, worker.concurrency, subject.spec.memory)),
        slots=worker.concurrency,
        step=format_size(sizing.CHILD_CEILING_STEP_BYTES),
    )
