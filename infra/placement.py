"""Which nodes the pods of a fleet run on.

Invariant: the labels and taints of nodes and what pods say of them are the same constants; a pod that tolerates the taint of its nodes selects them
by their label too, so it runs there and nowhere else. On a cluster of one's own nothing is said, and the scheduler decides.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from fleet.nodes import counted
from fleet.plan import QueuePlan
from infra.manifests.metadata import Manifest

Compute = Literal["karpenter", "mng", "auto"]
"""What workers run on: nodes that Karpenter chooses, managed node groups, or EKS Auto Mode."""

NODES_LABEL = "celery-fleet/nodes"
"""What a node is for: `system`, `broker` or `workers`."""

CAPACITY_LABEL = "celery-fleet/capacity"
"""Queues that a node of workers is for: `spot` or `on-demand`, the catalogue's words."""

STAY_ANNOTATION = "karpenter.sh/do-not-disrupt"

LONG_TASK_SECONDS = 300
"""From this limit on a pod's node is not taken away while its first tasks run: every move costs that much of work begun, or of waiting for it."""


@dataclass(frozen=True, kw_only=True)
class Taint:
    """A taint of nodes, and the toleration of the pods that belong there."""

    key: str
    value: str
    effect: str = "NoSchedule"

    def as_taint(self) -> dict[str, str]:
        """As a node has it."""
        return {"key": self.key, "value": self.value, "effect": self.effect}

    def as_toleration(self) -> Manifest:
        """As a pod says it."""
        return {"key": self.key, "operator": "Equal", "value": self.value, "effect": self.effect}


SYSTEM_TAINT = Taint(key="CriticalAddonsOnly", value="true")
"""By this name, because CoreDNS, metrics-server, the EBS CSI controller and Karpenter's chart tolerate it as they are shipped."""
BROKER_TAINT = Taint(key="dedicated", value="rabbitmq")
WORKERS_TAINT = Taint(key="workload", value="celery")


@dataclass(frozen=True, kw_only=True)
class Placement:
    """Where some pods run."""

    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: tuple[Manifest, ...] = ()
    annotations: Mapping[str, str] = field(default_factory=dict)
    """Of the pods: what whoever takes nodes away has to know."""

    def scheduling(self) -> Manifest:
        """The fields of a pod's specification, which charts take under the same names; none where nothing is said."""
        found: Manifest = {}
        if self.node_selector:
            found["nodeSelector"] = dict(self.node_selector)
        if self.tolerations:
            found["tolerations"] = list(self.tolerations)
        return found

    def node_affinity(self) -> Manifest:
        """The node selector for what has a field `affinity` alone."""
        if not self.node_selector:
            return {}
        expressions = [{"key": key, "operator": "In", "values": [value]} for key, value in self.node_selector.items()]
        term = {"nodeSelectorTerms": [{"matchExpressions": expressions}]}
        return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": term}}


ANYWHERE = Placement()


@dataclass(frozen=True, kw_only=True)
class Placements:
    """Where each kind of pod of a stack runs."""

    system: Placement = ANYWHERE
    """Web layer, beat, the scale-in controller, the delayed-delivery Job, and what every cluster needs."""
    broker: Placement = ANYWHERE
    on_demand: Placement = ANYWHERE
    """Workers of queues with on-demand capacity."""
    spot: Placement = ANYWHERE
    """Workers of queues with spot capacity."""
    long_tasks_stay: bool = False
    """Whether pods with long tasks say for how long their node has to stay."""

    def workers(self, queue: QueuePlan) -> Placement:
        """Where the workers of a queue run; what needs nodes of its own (GPUs) goes where the catalogue says."""
        if not counted(queue):
            return ANYWHERE
        chosen = self.spot if queue.capacity == "spot" else self.on_demand
        if not self.long_tasks_stay or not has_long_tasks(queue):
            return chosen
        return Placement(
            node_selector=chosen.node_selector,
            tolerations=chosen.tolerations,
            annotations={**chosen.annotations, STAY_ANNOTATION: f"{round(queue.promise.limit_seconds)}s"},
        )


def has_long_tasks(queue: QueuePlan) -> bool:
    """Whether moving a pod of the queue costs more than an emptier node saves."""
    return queue.promise.limit_seconds >= LONG_TASK_SECONDS


def _on_nodes(purpose: str, taint: Taint, **labels: str) -> Placement:
    return Placement(node_selector={NODES_LABEL: purpose, **labels}, tolerations=(taint.as_toleration(),))


def eks_placements(compute: Compute) -> Placements:
    """Where each kind of pod runs on EKS.

    Source of the annotation: Karpenter 1.14 docs, "Disruption", section "Pod-Level Controls" (a Go duration, counted from the pod's start; it holds off
    consolidation, and neither expiration nor interruption). Managed node groups take no node away by themselves.
    """
    return Placements(
        system=_on_nodes("system", SYSTEM_TAINT),
        broker=_on_nodes("broker", BROKER_TAINT),
        on_demand=_on_nodes("workers", WORKERS_TAINT, **{CAPACITY_LABEL: "on-demand"}),
        spot=_on_nodes("workers", WORKERS_TAINT, **{CAPACITY_LABEL: "spot"}),
        long_tasks_stay=compute != "mng",
    )
