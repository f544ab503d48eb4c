"""How many nodes the workers need, for each capacity type and zone, and which ones stand beside them.

A bound instead of a simulated scheduler, so that a person can check it and more load never needs fewer nodes. Invariants: the requests of the
pods fit the nodes that are counted, and minimum <= expected <= peak <= maximum.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fleet.cloud import Cloud
from fleet.demand import FixedNodes, Levels, NodeGroup, NodesPlan
from fleet.instances import INSTANCE_TYPES, InstanceType
from fleet.plan import QueuePlan
from fleet.prices import PRICES

PACKING_SHARE = 0.8
"""How full nodes with pods of several queues are: pods come and go, and consolidation follows after."""

EXPECTED_LOAD_SHARE = 0.6
"""Mean load of a month over the declared peak, where the catalogue knows the peak alone: the steady trace of docs/designs/scaling.md."""


def queue_pods(queue: QueuePlan) -> Levels:
    """Pods of each shard's Deployment at the four levels."""
    auto = queue.autoscaling
    peak = max(auto.min_replicas, auto.peak_replicas)
    return Levels(
        minimum=auto.min_replicas,
        expected=max(auto.min_replicas, EXPECTED_LOAD_SHARE * peak),
        peak=peak,
        maximum=max(auto.max_replicas, peak),
    )


def pods_in_zone(pods: float, zone: int, zones: int) -> float:
    """One zone's part of a Deployment that is spread evenly: the first zones hold what does not divide."""
    whole = pods // zones
    return whole + min(1.0, max(0.0, pods - whole * zones - zone))


@dataclass(frozen=True, kw_only=True)
class PodLoad:
    """Pods of one size."""

    pods: float
    size: tuple[int, int]
    """CPU request in millicores, memory request in bytes."""


def nodes_for(loads: Iterable[PodLoad], instance: InstanceType) -> int:
    """Nodes of one type that hold these pods.

    The fewer of two ways: each size on nodes of its own (pods over pods a node), or all together, where the shares that they take add up to
    `PACKING_SHARE` of the nodes, and of pods so large that j fit a node no more than j share one.
    """
    sized = [
        (max(1, instance.pods_that_fit(*load.size)), math.ceil(load.pods), instance.share_of(*load.size))
        for load in loads
        if load.pods > 0
    ]
    apart = sum(math.ceil(pods / fit) for fit, pods, _ in sized)
    together = math.ceil(sum(pods * share for _, pods, share in sized) / PACKING_SHARE)
    large = 0
    for fit, pods, _ in sorted(sized):
        large += pods
        together = max(together, math.ceil(large / fit))
    return min(apart, together)


def pod_size(queue: QueuePlan) -> tuple[int, int]:
    """Requests of one pod: CPU in millicores, memory in bytes."""
    return queue.resources.cpu_request_millicores, queue.resources.memory_bytes


def worker_instance(queue: QueuePlan, cloud: Cloud) -> InstanceType:
    """Of the types with the fewest cores that hold a pod, the one on which it costs least.

    Small nodes keep an idle fleet cheap, and the choice does not depend on the load. Where none holds a pod, the largest (`fleet.checks.capacity` says so).
    """
    types = [INSTANCE_TYPES[name] for name in cloud.worker_instances]
    size = pod_size(queue)
    holding = [kind for kind in types if kind.pods_that_fit(*size)]
    if not holding:
        return max(types, key=lambda kind: (kind.free_cpu_millicores, kind.free_memory_bytes))
    return min(holding, key=lambda kind: (kind.vcpus, PRICES[kind.name].usd / kind.pods_that_fit(*size)))


def counted(queue: QueuePlan) -> bool:
    """Whether the queue's pods run on nodes that are counted here."""
    return queue.pod.gpu == 0


def derive_nodes(
    queues: Sequence[QueuePlan], cloud: Cloud | None, *, broker_nodes: int, node_memory_bytes: int
) -> NodesPlan:
    """The nodes of an environment; one node that is there already where it has no place in a cloud."""
    elsewhere = tuple(queue.name for queue in queues if not counted(queue))
    here = [queue for queue in queues if counted(queue)]
    if cloud is None:
        return NodesPlan(workers=(_own_node(here, node_memory_bytes),), fixed=(), elsewhere=elsewhere)
    groups: dict[tuple[str, str], list[QueuePlan]] = {}
    for queue in here:
        groups.setdefault((queue.capacity, worker_instance(queue, cloud).name), []).append(queue)
    return NodesPlan(
        workers=tuple(
            _group(members, INSTANCE_TYPES[name], cloud.zones) for (_, name), members in sorted(groups.items())
        ),
        fixed=(
            FixedNodes(
                purpose="system", instance=cloud.system_instance, zones=_spread(cloud.system_nodes, cloud.zones)
            ),
            FixedNodes(purpose="broker", instance=cloud.broker_instance, zones=_spread(broker_nodes, cloud.zones)),
        ),
        elsewhere=elsewhere,
    )


_LEVELS = ("minimum", "expected", "peak", "maximum")


def _spread(count: int, zones: int) -> tuple[int, ...]:
    return tuple(int(pods_in_zone(count, zone, zones)) for zone in range(zones))


def _group(queues: list[QueuePlan], instance: InstanceType, zones: int) -> NodeGroup:
    by_zone = tuple(
        Levels(**{level: nodes_for(_loads(queues, level, zone, zones), instance) for level in _LEVELS})
        for zone in range(zones)
    )
    return NodeGroup(
        capacity=queues[0].capacity,
        instance=instance.name,
        queues=tuple(queue.name for queue in queues),
        cpu_millicores_free=instance.free_cpu_millicores,
        memory_bytes_free=instance.free_memory_bytes,
        pods_free=instance.free_pods,
        nodes=Levels(**{level: sum(getattr(zone, level) for zone in by_zone) for level in _LEVELS}),
        zones=by_zone,
        **_requests(queues),
    )


def _own_node(queues: list[QueuePlan], memory_bytes: int) -> NodeGroup:
    one = Levels(minimum=1, expected=1, peak=1, maximum=1)
    return NodeGroup(
        capacity="on-demand",
        instance=None,
        queues=tuple(queue.name for queue in queues),
        cpu_millicores_free=None,
        memory_bytes_free=memory_bytes,
        pods_free=None,
        nodes=one,
        zones=(one,),
        **_requests(queues),
    )


def _loads(queues: list[QueuePlan], level: str, zone: int, zones: int) -> list[PodLoad]:
    """Each shard is a Deployment of its own and is rounded for itself."""
    return [
        PodLoad(
            pods=math.ceil(pods_in_zone(getattr(queue_pods(queue), level), zone, zones)) * len(queue.topology.shards),
            size=pod_size(queue),
        )
        for queue in queues
    ]


def _requests(queues: list[QueuePlan]) -> dict[str, Levels]:
    counts = [(queue, queue_pods(queue), len(queue.topology.shards)) for queue in queues]
    sums: dict[str, dict[str, float]] = {"pods": {}, "cpu_millicores": {}, "memory_bytes": {}}
    for level in _LEVELS:
        pods = [(getattr(levels, level) * shards, queue.resources) for queue, levels, shards in counts]
        sums["pods"][level] = sum(count for count, _ in pods)
        sums["cpu_millicores"][level] = sum(count * size.cpu_request_millicores for count, size in pods)
        sums["memory_bytes"][level] = sum(count * size.memory_bytes for count, size in pods)
    return {name: Levels(**levels) for name, levels in sums.items()}
