"""Which pods get another cost.

Invariant: of two pods of one ReplicaSet that both told their busy slots, the busier one costs more once what is decided is written; and nothing is written
where that is so already, because every write is one to the API server (Kubernetes docs, "ReplicaSet", section "Pod deletion cost", asks for restraint).

The ReplicaSet controller compares the pods of its own alone, and by their cost only those that are ready: others go before them. Source: Kubernetes 1.36,
`pkg/controller/controller_utils.go`, `ActivePodsWithRanks`. It has chosen by the time that a Deployment wants fewer, so costs stand before that: a surplus
shows as pods with different work in hand.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True, kw_only=True)
class WorkerPod:
    """A ready pod of a worker, as the API server knows it."""

    name: str
    replica_set: str
    """Identity of the ReplicaSet that may stop it."""
    address: str
    """IP address of the pod."""
    cost: int
    """0 where none is written, as for Kubernetes."""


def new_costs(pods: Iterable[WorkerPod], busy: Mapping[str, int]) -> dict[str, int]:
    """Name of a pod -> the cost to write: its busy slots.

    `busy` are the slots that pods told; one that told nothing keeps the cost that it has.
    """
    by_replica_set: dict[str, list[WorkerPod]] = defaultdict(list)
    for pod in pods:
        if pod.name in busy:
            by_replica_set[pod.replica_set].append(pod)
    return {
        pod.name: busy[pod.name]
        for members in by_replica_set.values()
        if not _in_order(members, busy)
        for pod in members
        if pod.cost != busy[pod.name]
    }


def _in_order(pods: Sequence[WorkerPod], busy: Mapping[str, int]) -> bool:
    """Whether each pod costs more than every one with fewer busy slots; those with as many may cost what they like."""
    costs: dict[int, list[int]] = defaultdict(list)
    for pod in pods:
        costs[busy[pod.name]].append(pod.cost)
    levels = [costs[count] for count in sorted(costs)]
    return all(max(idler) < min(busier) for idler, busier in pairwise(levels))
