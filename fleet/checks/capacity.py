"""Pods against what is declared and what there is: their number against the peak, their memory against the nodes."""

from collections.abc import Iterator

from fleet.catalogue import QueueSpec
from fleet.environment import Environment
from fleet.errors import Finding
from fleet.plan import QueuePlan
from fleet.source import Source
from fleet.units import format_duration, format_size


def check_replicas(queue: QueuePlan, spec: QueueSpec, source: Source) -> Iterator[Finding]:
    """The minimum is no more than the maximum, and the maximum reaches the peak load."""
    auto = queue.autoscaling
    if auto.min_replicas > auto.max_replicas:
        yield source.finding(
            ("queues", queue.name, "replicas", "max"),
            f"is {auto.max_replicas}, below the minimum of {auto.min_replicas}",
            "Raise max, lower min, or promise a longer wait (it sets the minimum where nothing reactive is in time).",
        )
    elif spec.replicas.max is not None and spec.replicas.max < auto.peak_replicas:
        yield source.finding(
            ("queues", queue.name, "replicas", "max"),
            f"is {spec.replicas.max}, but the peak load needs {auto.peak_replicas} pods of {queue.worker.concurrency} slot(s)",
            f"At peak the wait of {format_duration(queue.promise.wait_seconds)} could not be kept."
            f" Raise max to {auto.peak_replicas} or more, or lower load.peak.",
        )


def check_memory(queue: QueuePlan, environment: Environment, source: Source) -> Iterator[Finding]:
    """Memory x concurrency + base fits the largest node."""
    if queue.resources.memory_bytes > environment.node_memory_bytes:
        yield source.finding(
            ("queues", queue.name, "memory"),
            f"makes a pod of {format_size(queue.resources.memory_bytes)} ({queue.worker.concurrency} slot(s)),"
            f" above the largest node's {format_size(environment.node_memory_bytes)}",
            f"It could never be scheduled. Lower memory or concurrency, or raise nodeMemory in Pulumi.{environment.name}.yaml.",
        )
