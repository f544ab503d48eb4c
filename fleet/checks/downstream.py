"""What tasks use and that takes only so many at once: alone and together, queues stay within it and still keep their promises.

One slot is one task. The bound holds for pods at their maximum; while a rollout replaces pods, and while pods that were told to stop finish their
tasks, some more run.
"""

from collections.abc import Iterator

from fleet.catalogue import Catalogue, QueueSpec
from fleet.errors import Finding
from fleet.plan import Downstream, Plan, QueuePlan
from fleet.scaling import downstream_maximum
from fleet.source import Source
from fleet.units import format_duration


def check_downstreams(plan: Plan, catalogue: Catalogue, source: Source) -> Iterator[Finding]:
    """Each queue for itself, then those that share something."""
    sharing: dict[str, list[QueuePlan]] = {}
    for queue in plan.queues:
        if queue.downstream is None:
            continue
        findings = list(_check_alone(queue, queue.downstream, catalogue.queues[queue.name], source))
        yield from findings
        before = sharing.setdefault(queue.downstream.name, [])
        if before and before[0].downstream is not None and before[0].downstream.limit != queue.downstream.limit:
            yield source.finding(
                ("queues", queue.name, "depends_on_downstream", "limit"),
                f"is {queue.downstream.limit}, but queue {before[0].name!r} says {before[0].downstream.limit} of {queue.downstream.name!r}",
                "What is shared has one limit. Write the same number, or another name.",
            )
        elif not findings:
            before.append(queue)
    for queues in sharing.values():
        yield from _check_together(queues, source)


def slots_of(queue: QueuePlan) -> int:
    """Tasks that one pod of each shard runs at once."""
    return queue.worker.concurrency * len(queue.topology.shards)


def _check_alone(queue: QueuePlan, downstream: Downstream, spec: QueueSpec, source: Source) -> Iterator[Finding]:
    auto, slots, limit = queue.autoscaling, slots_of(queue), downstream.limit
    most = downstream_maximum(limit, concurrency=queue.worker.concurrency, shards=len(queue.topology.shards))
    path = ("queues", queue.name)
    takes = f"{downstream.name!r} takes {limit} tasks at once, {most} pods of {slots} slot(s)"
    if most == 0:
        yield source.finding(
            (*path, "depends_on_downstream", "limit"),
            f"is {limit}, but one pod of each shard runs {slots} tasks at once",
            f"Not even one pod fits. Raise limit to {slots} or more, or lower concurrency or shards.",
        )
        return
    if auto.peak_replicas > most:
        needed = auto.peak_replicas * slots
        yield source.finding(
            (*path, "depends_on_downstream", "limit"),
            f"is {limit}, but the peak load needs {auto.peak_replicas} pods of {slots} slot(s), {needed} tasks at once",
            f"At peak the wait of {format_duration(queue.promise.wait_seconds)} could not be kept."
            f" Raise the limit to {needed}, promise a longer wait, or lower load.peak.",
        )
        return
    if auto.burst_replicas > most:
        yield source.finding(
            (*path, "load", "burst"),
            f"needs {auto.burst_replicas} pods, but {takes}",
            "In a burst the promised wait could not be kept. Raise the limit, promise a longer wait, or raise replicas.min.",
        )
    if auto.min_replicas > most:
        yield source.finding(
            (*path, "replicas", "min"),
            f"becomes {auto.min_replicas}, but {takes}",
            "The pods that wait would exceed it. Raise the limit, lower min, or promise a longer wait.",
        )
    if spec.replicas.max is not None and spec.replicas.max > most:
        yield source.finding(
            (*path, "replicas", "max"),
            f"is {spec.replicas.max}, but {takes}",
            f"Tasks would fail or wait for each other in their slots. Lower max to {most}, or leave it out.",
        )
    for index, window in enumerate(auto.windows):
        if window.min_replicas > most:
            yield source.finding(
                (*path, "schedule", index, "min"),
                f"is {window.min_replicas}, but {takes}",
                f"The window would not get its pods. Lower min to {most}, or raise the limit.",
            )


def _check_together(queues: list[QueuePlan], source: Source) -> Iterator[Finding]:
    reached = sum(queue.autoscaling.max_replicas * slots_of(queue) for queue in queues)
    downstream = queues[-1].downstream if queues else None
    if downstream is None or reached <= downstream.limit:
        return
    names = ", ".join(queue.name for queue in queues)
    shares = share_out(queues, downstream.limit)
    if shares is None:
        needed = sum(needed_pods(queue) * slots_of(queue) for queue in queues)
        fix = (
            f"What they need for their promises alone is {needed}. Raise the limit to {needed} or more,"
            " promise longer waits, or give them resources of their own."
        )
    else:
        proposed = ", ".join(f"{name} {pods}" for name, pods in shares.items())
        fix = f"Write replicas.max, in proportion to the peaks: {proposed}. Or raise the limit to {reached}."
    yield source.finding(
        ("queues", queues[-1].name, "depends_on_downstream", "limit"),
        f"is {downstream.limit}, but {names} reach {reached} tasks at once together",
        fix,
    )


def needed_pods(queue: QueuePlan) -> int:
    """Pods of each shard that the queue has to be able to reach: for its peak, its minimum, a declared burst and its known peaks."""
    auto = queue.autoscaling
    windows = (window.min_replicas for window in auto.windows)
    return max(1, auto.peak_replicas, auto.min_replicas, auto.burst_replicas, *windows)


def share_out(queues: list[QueuePlan], limit: int) -> dict[str, int] | None:
    """Queue -> maximum: what each needs, and of the rest a part in proportion to its peak; None where the needs alone exceed the limit."""
    needed = {queue.name: needed_pods(queue) for queue in queues}
    rest = limit - sum(needed[queue.name] * slots_of(queue) for queue in queues)
    if rest < 0:
        return None
    peaks = sum(queue.autoscaling.peak_replicas * slots_of(queue) for queue in queues)
    return {
        queue.name: max(
            needed[queue.name],
            min(
                queue.autoscaling.max_replicas,
                needed[queue.name] + rest * queue.autoscaling.peak_replicas // peaks,
            ),
        )
        for queue in queues
    }
