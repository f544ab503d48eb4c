"""Pods against what is declared and what there is: their number against the peak, their memory against the nodes."""

from collections.abc import Iterator

from fleet.catalogue import QueueSpec
from fleet.environment import Environment
from fleet.errors import Finding
from fleet.plan import QueuePlan
from fleet.sizing import resident_bytes
from fleet.source import Source
from fleet.units import format_duration, format_size


def check_replicas(queue: QueuePlan, spec: QueueSpec, source: Source) -> Iterator[Finding]:
    """The minimum is no more than the maximum, and the maximum reaches the peak load and a declared burst."""
    auto, declared = queue.autoscaling, spec.replicas.max
    if declared is None:
        return
    path, pods = ("queues", queue.name, "replicas", "max"), f"pods of {queue.worker.concurrency} slot(s)"
    wait = format_duration(queue.promise.wait_seconds)
    if auto.min_replicas > declared:
        yield source.finding(
            path,
            f"is {declared}, below the minimum of {auto.min_replicas}",
            "Raise max, lower min, or promise a longer wait (it sets the minimum where nothing reactive is in time).",
        )
    elif declared < auto.peak_replicas:
        yield source.finding(
            path,
            f"is {declared}, but the peak load needs {auto.peak_replicas} {pods}",
            f"At peak the wait of {wait} could not be kept. Raise max to {auto.peak_replicas} or more, or lower load.peak.",
        )
    elif declared < auto.burst_replicas:
        yield source.finding(
            path,
            f"is {declared}, but the burst needs {auto.burst_replicas} {pods}",
            f"In a burst the wait of {wait} could not be kept. Raise max to {auto.burst_replicas} or more, raise min, or correct load.burst.",
        )


def check_memory(queue: QueuePlan, spec: QueueSpec, environment: Environment, source: Source) -> Iterator[Finding]:
    """Memory x concurrency + base fits the largest node, and a stated request holds at least the worker itself."""
    worker, memory = queue.worker, queue.resources.memory_bytes
    stated = spec.requests.memory is not None
    path = ("queues", queue.name, "requests", "memory") if stated else ("queues", queue.name, "memory")
    idle = resident_bytes(worker.pool, worker.concurrency, task_bytes=0)
    if memory > environment.node_memory_bytes:
        yield source.finding(
            path,
            f"makes a pod of {format_size(memory)} ({worker.concurrency} slot(s)),"
            f" above the largest node's {format_size(environment.node_memory_bytes)}",
            f"It could never be scheduled. Lower memory or concurrency, or raise nodeMemory in Pulumi.{environment.name}.yaml.",
        )
    elif memory < idle:
        yield source.finding(
            path,
            f"is {format_size(memory)}, below the {format_size(idle)} that a worker takes before its first task",
            f"Every pod would be killed as it starts. Write at least {format_size(idle)} and what the tasks take,"
            " or lower concurrency; without it the request is derived.",
        )
