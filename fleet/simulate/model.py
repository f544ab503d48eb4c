"""What is simulated: one broker queue (of a sharded queue each shard alone), the work that arrives on it, and the world around it.

Times are seconds from the beginning of a trace.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fleet import scaling
from fleet.environment import Environment
from fleet.plan import QueuePlan
from fleet.scaling import AutoscalingPlan

Floats = NDArray[np.float64]

BATCH_SECONDS = 30.0
"""A batch dump of a queue that declares no burst: this many seconds of its peak, at once."""

STATISTICS_EVERY_SECONDS = 5.0
"""RabbitMQ's default collect_statistics_interval."""

STATISTICS_DELAY_SECONDS = 3.0
"""From a sample until the management API shows it: counts are 3 to 8 s old when they are read."""


@dataclass(frozen=True, kw_only=True)
class SimulatedQueue:
    """One broker queue: what was promised and declared for it, and the autoscaler that is planned."""

    name: str
    mean_seconds: float
    """Declared mean runtime; the work itself may differ from it."""
    p99_seconds: float
    limit_seconds: float
    """Hard limit: no task runs longer."""
    wait_seconds: float
    percentile: float
    peak_per_second: float
    """Of this broker queue: a shard has its part of the load."""
    concurrency: int
    grace_seconds: float
    declared_minimum: int
    """What policies without a rule for the minimum start from."""
    batch_messages: int
    autoscaling: AutoscalingPlan
    prefetch_multiplier: int = 1
    """Messages that a slot holds."""
    shards: int = 1
    """Broker queues that are all like this one."""


@dataclass(frozen=True, kw_only=True)
class World:
    """What no policy can choose."""

    startup_seconds: tuple[float, float]
    """Shortest and longest time from wanting a pod to its first task; uniform between them."""
    statistics_every_seconds: float = STATISTICS_EVERY_SECONDS
    statistics_delay_seconds: float = STATISTICS_DELAY_SECONDS
    sync_seconds: float = scaling.HPA_SYNC_SECONDS


@dataclass(frozen=True, kw_only=True)
class Workload:
    """The tasks of one trace on one queue."""

    trace: str
    arrivals: Floats
    """When each task is enqueued, ascending."""
    runtimes: Floats
    """How long each runs."""
    duration_seconds: float
    """Length of the trace; pods are paid for at least that long."""
    initial_pods: int = 0
    """Pods that the load at the beginning keeps busy: the fleet was there before the trace, and starts with them."""

    @property
    def work_seconds(self) -> float:
        """Busy slots times seconds of all tasks."""
        return float(self.runtimes.sum())


def simulated_queue(queue: QueuePlan, *, batch_messages: int | None = None) -> SimulatedQueue:
    """One shard of a planned queue, with an equal part of its load."""
    promise, auto = queue.promise, queue.autoscaling
    shards = len(queue.topology.shards)
    rate = promise.peak_per_second / shards
    return SimulatedQueue(
        name=queue.name,
        mean_seconds=promise.mean_seconds,
        p99_seconds=promise.p99_seconds,
        limit_seconds=promise.limit_seconds,
        wait_seconds=promise.wait_seconds,
        percentile=promise.percentile,
        peak_per_second=rate,
        concurrency=queue.worker.concurrency,
        grace_seconds=queue.worker.grace_seconds,
        declared_minimum=min(1, auto.min_replicas),
        batch_messages=batch_messages or max(1, round(rate * BATCH_SECONDS)),
        autoscaling=auto,
        prefetch_multiplier=queue.worker.prefetch_multiplier,
        shards=shards,
    )


def world_of(environment: Environment) -> World:
    """The environment's pods: its start-up time is the 95th percentile, the fastest pod takes half of it."""
    return World(startup_seconds=(environment.startup_seconds / 2, environment.startup_seconds))
