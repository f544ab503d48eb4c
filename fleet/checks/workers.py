"""Workers: a pool that can keep what the queue promises of its tasks."""

from collections.abc import Iterator

from fleet.catalogue import QueueSpec
from fleet.errors import Finding
from fleet.sizing import Pool
from fleet.source import Source


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
