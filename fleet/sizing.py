"""The worker of one queue and its pod: pool, concurrency, limits, grace, requests.

The invariants: soft limit < hard limit < grace < consumer timeout, memory request = memory limit, and one concurrency constant that the
worker and the autoscaler share. Facts are from Celery 5.7 (docs/userguide/workers, configuration) and the Kubernetes pod life cycle.
"""

import math
from dataclasses import dataclass
from enum import StrEnum

from fleet.records import Record

GRACE_MARGIN_SECONDS = 60
"""A worker that is told to stop finishes its task (at most the hard limit) and has this long to acknowledge, close and exit."""

SOFT_LIMIT_MARGIN_SECONDS = 5.0
"""Time between the soft limit and the kill in which a task can tidy up, at least."""

SOFT_LIMIT_MARGIN_SHARE = 0.1
"""… and for long tasks this share of the hard limit."""

SPOT_NOTICE_SECONDS = 120
"""Notice before a spot node is taken away (AWS, "Spot Instance interruption notices")."""

SPOT_SOFT_SHUTDOWN_SECONDS = 100
"""What of the notice a spot worker gives its running tasks; the rest is for cancelling and requeueing them."""

CONSUMER_TIMEOUT_FLOOR_SECONDS = 1800
"""RabbitMQ's own default `consumer_timeout`; never lowered, because the clock also runs while a delivery waits in a worker."""

CPU_MILLICORES_PER_SLOT = 1000
"""CPU request and limit of one computing slot: a core."""

IO_CPU_MILLICORES_PER_SLOT = 62
"""CPU request of one io slot: sixteen slots that mostly wait fill a core."""

IDLE_WORKER_BYTES = {"gevent": 112 * 2**20, "threads": 112 * 2**20, "prefork": 96 * 2**20}
"""Resident memory of an idle worker with a small application imported, the main process alone, rounded up to the next 16 Mi."""

PREFORK_CHILD_BYTES = 48 * 2**20
"""What each prefork child adds before its first task: pages that the interpreter's reference counts have unshared."""

MEMORY_HEADROOM = 1.15
"""Over the declared: fragmentation, and the second result that is built while the first is sent."""

MEMORY_STEP_BYTES = 16 * 2**20
"""Memory is rounded up to this, so that a small change of a declaration does not roll pods for a few kibibytes."""

CHILD_CEILING_STEP_BYTES = 2**20
"""A child's ceiling is rounded down to this, so that it reads well."""


class Pool(StrEnum):
    """Celery's worker pools that can serve a queue here."""

    PREFORK = "prefork"
    GEVENT = "gevent"
    THREADS = "threads"


class Optimization(StrEnum):
    """How a prefork worker hands messages to its children (Celery's `-O`)."""

    FAIR = "fair"
    FAST = "fast"


class Shutdown(StrEnum):
    """What SIGTERM starts in the worker (Celery 5.7, docs/userguide/workers)."""

    WARM = "warm"
    """Running tasks are finished."""
    SOFT = "soft"
    """Running tasks get `soft_shutdown_seconds`, then they are cancelled and go back to the queue."""


class RetryPlan(Record, frozen=True, kw_only=True):
    """What a worker does with a task that raises: pause `backoff x 2^n`, at most `longest`, and enqueue it again."""

    max_retries: int
    backoff_seconds: int
    """Whole seconds: the delayed-delivery tree knows no parts of one."""
    longest_seconds: int
    jitter: bool
    exceptions: tuple[str, ...]
    """Built-in names or dotted paths."""

    @property
    def pauses_seconds(self) -> tuple[int, ...]:
        """The pause before each retry; with jitter the longest that it can be."""
        return tuple(min(self.longest_seconds, self.backoff_seconds * 2**number) for number in range(self.max_retries))


class WorkerPlan(Record, frozen=True, kw_only=True):
    """How Celery runs in each pod of a queue."""

    pool: Pool
    concurrency: int
    """Slots of the pool; at multiplier 1 prefetch equals it, so unacknowledged messages are busy slots."""
    hard_limit_seconds: float
    soft_limit_seconds: float | None
    """None where the pool has no soft limits (gevent, threads: Celery 5.7 implements them for prefork alone)."""
    shutdown: Shutdown
    soft_shutdown_seconds: float
    """0 for a warm shutdown."""
    grace_seconds: int
    """`terminationGracePeriodSeconds` of the pod."""
    max_memory_per_child_bytes: int | None
    """Prefork children above it are replaced after their task; None for the other pools."""
    prefetch_multiplier: int = 1
    """Messages a slot holds; above 1 waiting messages count as unacknowledged too."""
    max_tasks_per_child: int | None = None
    """Prefork children are replaced after so many tasks; None never."""
    optimization: Optimization = Optimization.FAIR
    retries: RetryPlan | None = None
    """None leaves retries to the tasks themselves."""

    @property
    def prefetch(self) -> int:
        """Unacknowledged deliveries that one worker may hold."""
        return self.concurrency * self.prefetch_multiplier


class Resources(Record, frozen=True, kw_only=True):
    """Requests and limits of a worker pod."""

    cpu_request_millicores: int
    cpu_limit_millicores: int | None
    """On cpu queues only: a limit on a waiting process throttles it just when messages arrive."""
    memory_bytes: int
    """Request and limit alike: memory that was promised twice is paid for with an OOM kill."""


def default_pool(profile: str) -> Pool:
    """The pool of a queue that names none: processes for what computes, greenlets for what waits."""
    return Pool.PREFORK if profile == "cpu" else Pool.GEVENT


def derive_concurrency(profile: str, mean_seconds: float) -> int:
    """Slots of one pod.

    A cpu slot needs a core of its own, and one a pod makes scale-in and an OOM kill cost one task. An io pod is one event loop: eight slots
    where tasks are short (below 100 ms), four where they are longer. It never depends on the load, so more load is more pods, not other pods.
    """
    if profile == "cpu":
        return 1
    return 8 if mean_seconds < 0.1 else 4


def derive_soft_limit_seconds(hard_limit_seconds: float) -> float:
    """The soft limit of a prefork task: the hard limit less 5 s or a tenth, whichever is more; half of a limit under ten seconds."""
    margin = max(SOFT_LIMIT_MARGIN_SECONDS, SOFT_LIMIT_MARGIN_SHARE * hard_limit_seconds)
    return max(hard_limit_seconds - margin, hard_limit_seconds / 2)


def derive_grace_seconds(hard_limit_seconds: float, shutdown: Shutdown) -> int:
    """How long Kubernetes waits after SIGTERM before it kills a worker.

    Warm: the hard limit plus `GRACE_MARGIN_SECONDS`, so that the task in hand can be finished. Soft: the spot notice, because the node is gone
    after it. Written unchanged to `terminationGracePeriodSeconds` (Kubernetes docs, "Pod Lifecycle", termination of pods).
    """
    if shutdown is Shutdown.SOFT:
        return SPOT_NOTICE_SECONDS
    return math.ceil(hard_limit_seconds) + GRACE_MARGIN_SECONDS


def derive_consumer_timeout_seconds(hard_limit_seconds: float, grace_seconds: int, prefetch_multiplier: int = 1) -> int:
    """How long RabbitMQ lets a delivery stay unacknowledged.

    Above the longest task (of each message that a slot holds: the clock runs while they wait) and the longest shutdown together: a worker that is
    over it loses every delivery it holds, while the old copies still run (Celery 5.7 with RabbitMQ 4.3 reconnects on `basic.cancel`).
    """
    held = math.ceil(hard_limit_seconds) * prefetch_multiplier
    return max(CONSUMER_TIMEOUT_FLOOR_SECONDS, held + grace_seconds + GRACE_MARGIN_SECONDS)


def resident_bytes(pool: Pool, concurrency: int, task_bytes: int) -> int:
    """What a pod takes with a task in every slot: the idle worker, its children, the tasks."""
    children = concurrency * PREFORK_CHILD_BYTES if pool is Pool.PREFORK else 0
    return IDLE_WORKER_BYTES[pool.value] + children + concurrency * task_bytes


def derive_memory_bytes(pool: Pool, concurrency: int, task_bytes: int) -> int:
    """Memory request and limit of a pod: the idle worker, its children, a task in every slot, and headroom."""
    resident = resident_bytes(pool, concurrency, task_bytes)
    return math.ceil(resident * MEMORY_HEADROOM / MEMORY_STEP_BYTES) * MEMORY_STEP_BYTES


def derive_resources(
    *,
    profile: str,
    pool: Pool,
    concurrency: int,
    task_bytes: int,
    cpu_scale: float,
    cpu_millicores: int | None = None,
    memory_bytes: int | None = None,
) -> Resources:
    """Requests and limits of a pod; `cpu_scale` thins out CPU requests where a small node carries a whole fleet.

    `cpu_millicores` and `memory_bytes` are those that the catalogue states in place of the derived ones.
    """
    per_slot = CPU_MILLICORES_PER_SLOT if profile == "cpu" else IO_CPU_MILLICORES_PER_SLOT
    full = cpu_millicores or per_slot * concurrency
    return Resources(
        cpu_request_millicores=max(1, round(full * cpu_scale)),
        cpu_limit_millicores=full if profile == "cpu" else None,
        memory_bytes=memory_bytes or derive_memory_bytes(pool, concurrency, task_bytes),
    )


@dataclass(frozen=True, kw_only=True)
class PoolArgs:
    """What the catalogue says of the pool itself."""

    prefetch_multiplier: int = 1
    max_tasks_per_child: int | None = None
    max_memory_per_child_bytes: int | None = None
    optimization: Optimization = Optimization.FAIR


def derive_worker(
    *,
    pool: Pool,
    concurrency: int,
    hard_limit_seconds: float,
    task_bytes: int,
    memory_bytes: int,
    spot: bool,
    args: PoolArgs | None = None,
    retries: RetryPlan | None = None,
) -> WorkerPlan:
    """The worker of one queue from its limit, its pool, its pod's memory and whether its node may be taken away."""
    shutdown = Shutdown.SOFT if spot else Shutdown.WARM
    prefork = pool is Pool.PREFORK
    own = args or PoolArgs()
    return WorkerPlan(
        pool=pool,
        concurrency=concurrency,
        hard_limit_seconds=hard_limit_seconds,
        soft_limit_seconds=derive_soft_limit_seconds(hard_limit_seconds) if prefork else None,
        shutdown=shutdown,
        soft_shutdown_seconds=SPOT_SOFT_SHUTDOWN_SECONDS if spot else 0,
        grace_seconds=derive_grace_seconds(hard_limit_seconds, shutdown),
        max_memory_per_child_bytes=(
            own.max_memory_per_child_bytes or derive_child_ceiling_bytes(concurrency, task_bytes, memory_bytes)
        )
        if prefork
        else None,
        prefetch_multiplier=own.prefetch_multiplier,
        max_tasks_per_child=own.max_tasks_per_child if prefork else None,
        optimization=own.optimization,
        retries=retries,
    )


def derive_child_ceiling_bytes(concurrency: int, task_bytes: int, memory_bytes: int) -> int:
    """Resident memory above which a prefork child is replaced after its task.

    What an idle worker and one task take (a child shares most of its pages with the main process, and they count as resident in both), and the
    child's part of what the pod's `memory_bytes` leave free, in whole Mi: children that leak are replaced before the kernel kills the pod for all of them.
    """
    free = max(0, memory_bytes - resident_bytes(Pool.PREFORK, concurrency, task_bytes))
    ceiling = IDLE_WORKER_BYTES["prefork"] + task_bytes + free // concurrency
    return ceiling // CHILD_CEILING_STEP_BYTES * CHILD_CEILING_STEP_BYTES
