"""Pods against what is declared and what there is: their number against the peak, their requests against the nodes."""

from collections.abc import Iterator

from fleet.catalogue import QueueSpec
from fleet.cloud import Cloud
from fleet.environment import Environment
from fleet.errors import Finding
from fleet.instances import INSTANCE_TYPES
from fleet.nodes import counted, pod_size, worker_instance
from fleet.plan import Plan, QueuePlan
from fleet.sizing import resident_bytes
from fleet.source import Source
from fleet.units import format_cpu, format_duration, format_size


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


def check_node(queue: QueuePlan, environment: Environment, source: Source) -> Iterator[Finding]:
    """CPU and memory of a pod fit a type of worker node; memory above every node's is found by `check_memory`."""
    cloud, resources = environment.cloud, queue.resources
    if cloud is None or not counted(queue) or resources.memory_bytes > environment.node_memory_bytes:
        return
    largest = worker_instance(queue, cloud)
    if not largest.pods_that_fit(*pod_size(queue)):
        yield source.finding(
            ("queues", queue.name),
            f"makes a pod of cpu {format_cpu(resources.cpu_request_millicores)} and memory {format_size(resources.memory_bytes)},"
            f" which fits none of {', '.join(cloud.worker_instances)}",
            f"A {largest.name} has cpu {format_cpu(largest.free_cpu_millicores)} and memory {format_size(largest.free_memory_bytes)} for it."
            f" Lower concurrency or requests, or name a larger type under cloud.workerInstances in Pulumi.{environment.name}.yaml.",
        )


def check_broker_node(plan: Plan, cloud: Cloud, source: Source) -> Iterator[Finding]:
    """Each broker fits the node that it has for itself."""
    instance, broker = INSTANCE_TYPES[cloud.broker_instance], plan.broker
    if not instance.pods_that_fit(broker.cpu_millicores, broker.memory_bytes):
        yield source.finding(
            ("queues",),
            f"are served by brokers of cpu {format_cpu(broker.cpu_millicores)} and memory {format_size(broker.memory_bytes)},"
            f" which do not fit a {instance.name}",
            f"It has cpu {format_cpu(instance.free_cpu_millicores)} and memory {format_size(instance.free_memory_bytes)} for one."
            f" Write a larger cloud.brokerInstance, or a smaller broker, in Pulumi.{plan.environment}.yaml.",
        )
