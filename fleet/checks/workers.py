"""Workers: a pool that can keep what the queue promises of its tasks, and arguments that mean something to it."""

from collections.abc import Iterator

from fleet.catalogue import QueueSpec
from fleet.errors import Finding
from fleet.plan import QueuePlan
from fleet.scaling import BACKLOG_SHARE_LONG
from fleet.sizing import IDLE_WORKER_BYTES, PREFORK_CHILD_BYTES, Optimization, Pool, default_pool
from fleet.source import Source
from fleet.units import format_duration, format_size

PREFETCH_MEAN_SECONDS = 0.02
"""Below this mean runtime the way to the broker and back takes a good part of a slot's time; above it more prefetch gains nothing (tried)."""


def check_pool(name: str, spec: QueueSpec, source: Source) -> Iterator[Finding]:
    """The pool enforces the limit, and no computing task blocks a loop that others share."""
    if spec.pool is Pool.THREADS and not spec.runtime.cooperative:
        yield source.finding(
            ("queues", name, "pool"),
            "is threads, which enforces no runtime.limit",
            "A task that hangs would hold its slot for ever. Use gevent or prefork,"
            " or say `cooperative: true` under runtime if the tasks keep the limit themselves.",
        )
    if spec.pool is Pool.GEVENT and spec.profile == "cpu":
        yield source.finding(
            ("queues", name, "pool"),
            "is gevent on a cpu queue",
            "One computing task would stop all others of its pod and its heartbeat. Use prefork, or profile io.",
        )


def check_args(name: str, spec: QueueSpec, source: Source) -> Iterator[Finding]:
    """Messages are taken ahead only where tasks are tiny, and prefork's arguments stand with prefork."""
    args, mean = spec.args, spec.runtime.mean
    if args.prefetch_multiplier > 1 and mean >= PREFETCH_MEAN_SECONDS:
        yield source.finding(
            ("queues", name, "args", "prefetch_multiplier"),
            f"is {args.prefetch_multiplier}, but a task runs {format_duration(mean)} on average, not under {format_duration(PREFETCH_MEAN_SECONDS)}",
            "A message that waits in one worker cannot go to a free slot of another, and each pod that is lost counts against its delivery limit."
            " Only tiny tasks gain more than that from saved round trips. Write 1.",
        )
    elif (held := (args.prefetch_multiplier - 1) * mean) > BACKLOG_SHARE_LONG * spec.wait.promise:
        yield source.finding(
            ("queues", name, "args", "prefetch_multiplier"),
            f"is {args.prefetch_multiplier}: a message can wait {format_duration(held)} in its worker, behind others of {format_duration(mean)}",
            f"That is more than {BACKLOG_SHARE_LONG} of the promised {format_duration(spec.wait.promise)}, and no other worker can take it."
            f" Write {1 + int(BACKLOG_SHARE_LONG * spec.wait.promise / mean)} at most, or promise a longer wait.",
        )
    pool = spec.pool or default_pool(spec.profile)
    if pool is Pool.PREFORK:
        return
    stated = {
        "max_tasks_per_child": args.max_tasks_per_child is not None,
        "max_memory_per_child": args.max_memory_per_child is not None,
        "optimization": args.optimization is not Optimization.FAIR,
    }
    for field in (field for field, given in stated.items() if given):
        yield source.finding(
            ("queues", name, "args", field),
            f"means nothing to {pool.value}: only prefork has children",
            "Leave it out, or write `pool: prefork`.",
        )


def check_child_memory(queue: QueuePlan, spec: QueueSpec, source: Source) -> Iterator[Finding]:
    """A stated ceiling is reached before the pod's own."""
    stated, slots, memory = spec.args.max_memory_per_child, queue.worker.concurrency, queue.resources.memory_bytes
    if stated is None or queue.worker.pool is not Pool.PREFORK:
        return
    idle = IDLE_WORKER_BYTES[Pool.PREFORK.value]
    most = idle + (memory - idle) // slots - PREFORK_CHILD_BYTES
    if stated > most:
        yield source.finding(
            ("queues", queue.name, "args", "max_memory_per_child"),
            f"is {format_size(stated)}; with {slots} children of that size the pod's {format_size(memory)} would be exceeded",
            "The kernel would kill the pod, with every task in it, before a child is replaced."
            f" Write {most // 2**20}Mi at most, leave it out, or raise memory.",
        )
