"""What a run came to: the promise, the waits, the pods and their price."""

import math

import numpy as np

from fleet.records import Record
from fleet.simulate.engine import Run
from fleet.simulate.model import SimulatedQueue

_ROUNDING_SECONDS = 1e-9


class Outcome(Record, frozen=True, kw_only=True):
    """One queue under one trace and one policy. Waits and shares are of a shard, pod-hours and cost of all shards together."""

    queue: str
    trace: str
    policy: str
    tasks: int
    """Simulated, of one shard."""
    promised_wait_seconds: float
    promised_percentile: float
    within_percent: float
    """Share of the tasks that started within the promised wait."""
    kept: bool
    """Whether that is at least the promised percentile; true when there was no task."""
    wait_p50_seconds: float | None
    """None where tasks never started, or there were none."""
    wait_p95_seconds: float | None
    wait_p99_seconds: float | None
    pod_hours: float
    peak_replicas: int
    """Pods wanted at most, of one shard."""
    scale_events: int
    """Changes of the wanted number."""
    interrupted: int
    """Tasks cut because they outlasted the grace of a pod that was told to stop; they would run again."""
    cost: float | None
    """USD: pod-hours times the price of the queue's pod-hour; None where it has none."""
    ratio: float | None = None
    """Pod-hours over those of the clairvoyant bound on the same tasks; None where the bound was not asked for, or needs no pod."""
    floor_ratio: float | None = None
    """Pod-hours over the busy slots' (total runtime / slots of a pod): what no schedule at all can go below."""


def share_within(run: Run, queue: SimulatedQueue) -> float:
    """Share of the tasks that started within the promised wait; 1 where there was no task."""
    waits = run.starts - run.workload.arrivals
    return float(np.mean(waits <= queue.wait_seconds + _ROUNDING_SECONDS)) if len(waits) else 1.0


def keeps_promise(run: Run, queue: SimulatedQueue) -> bool:
    """Whether the promised share of the tasks started within the promised wait."""
    return share_within(run, queue) >= queue.percentile / 100 - _ROUNDING_SECONDS


def outcome(
    run: Run, queue: SimulatedQueue, policy: str, *, price_per_pod_hour: float | None, bound: float | None
) -> Outcome:
    """The figures of a run; `bound` is the clairvoyant bound in pod-seconds of one shard."""
    waits = run.starts - run.workload.arrivals
    floor = run.workload.work_seconds / queue.concurrency
    hours = run.pod_seconds / 3600 * queue.shards
    p50, p95, p99 = (_percentile(waits, share) for share in (50, 95, 99))
    return Outcome(
        queue=queue.name,
        trace=run.workload.trace,
        policy=policy,
        tasks=len(waits),
        promised_wait_seconds=queue.wait_seconds,
        promised_percentile=queue.percentile,
        within_percent=round(100 * share_within(run, queue), 3),
        kept=keeps_promise(run, queue),
        wait_p50_seconds=p50,
        wait_p95_seconds=p95,
        wait_p99_seconds=p99,
        pod_hours=round(hours, 4),
        peak_replicas=max(replicas for _, replicas in run.replicas),
        scale_events=len(run.replicas) - 1,
        interrupted=run.interrupted,
        cost=None if price_per_pod_hour is None else round(hours * price_per_pod_hour, 4),
        ratio=round(run.pod_seconds / bound, 3) if bound else None,
        floor_ratio=round(run.pod_seconds / floor, 3) if floor else None,
    )


def _percentile(waits: "np.ndarray[tuple[int], np.dtype[np.float64]]", share: float) -> float | None:
    """The smallest wait that this share of tasks does not exceed."""
    if not len(waits):
        return None
    value = float(np.sort(waits)[math.ceil(share / 100 * len(waits)) - 1])
    return round(value, 4) if math.isfinite(value) else None
