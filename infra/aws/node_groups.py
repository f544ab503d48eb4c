"""Which managed node groups an environment has: pure, from the same Plan and Cloud that the cost is counted from.

Invariant: each broker has a node of its own in a zone of its own group, because a volume cannot leave its zone and a group over several zones may
start the node elsewhere; the groups of brokers change one after another, because each change takes a broker away.
Source: EKS user guide, "Managed node groups" (one group a zone for stateful pods; spot groups with several types of one size); labels and taints
from `infra.placement`.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from fleet.cloud import Cloud
from fleet.demand import FixedNodes, NodeGroup
from fleet.instances import INSTANCE_TYPES
from fleet.plan import Plan
from infra.placement import (
    BROKER_TAINT,
    CAPACITY_LABEL,
    NODES_LABEL,
    SYSTEM_TAINT,
    WORKERS_TAINT,
    Compute,
    Taint,
)

BROKER_CHAIN = "brokers"


@dataclass(frozen=True, kw_only=True)
class NodeGroupSpec:
    """One managed node group."""

    name: str
    instances: tuple[str, ...]
    zones: tuple[int, ...]
    """Zones that its nodes may be in, as indices of the network's subnets."""
    minimum: int
    desired: int
    """Nodes at first; where it is above the minimum, whoever scales the group owns it from then on."""
    maximum: int
    disk_bytes: int
    capacity: Literal["on-demand", "spot"] = "on-demand"
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: tuple[Taint, ...] = ()
    chain: str | None = None
    """Groups of one chain are made and changed one after another, in their order."""

    @property
    def scaled(self) -> bool:
        """Whether somebody may change the number of nodes between two deployments."""
        return self.desired > self.minimum


def node_groups(plan: Plan, cloud: Cloud, compute: Compute) -> tuple[NodeGroupSpec, ...]:
    """The groups of an environment, in the order in which they are made.

    Auto Mode has none: all its nodes come of node pools (`infra.manifests.karpenter`). With `mng` the workers have groups too, as large as the Plan
    expects at the mean load of a month. Nothing in the cluster makes these larger: at peak load, pods above them wait until a person raises the
    group, up to the nodes of the Plan's maximum. That keeps a small environment simple and its bill fixed; where the load moves, take Karpenter.
    """
    if compute == "auto":
        return ()
    fixed = {group.purpose: group for group in plan.nodes.fixed}
    groups = [_system(fixed["system"], cloud), *_brokers(fixed["broker"], cloud)]
    if compute == "mng":
        groups += [_workers(group, cloud) for group in plan.nodes.workers if group.instance is not None]
    return tuple(groups)


def _system(nodes: FixedNodes, cloud: Cloud) -> NodeGroupSpec:
    return NodeGroupSpec(
        name="system",
        instances=(nodes.instance,),
        zones=tuple(range(len(nodes.zones))),
        minimum=nodes.count,
        desired=nodes.count,
        # One more while a node is replaced.
        maximum=nodes.count + 1,
        disk_bytes=cloud.node_disk_bytes,
        labels={NODES_LABEL: "system"},
        taints=(SYSTEM_TAINT,),
    )


def _brokers(nodes: FixedNodes, cloud: Cloud) -> list[NodeGroupSpec]:
    return [
        NodeGroupSpec(
            name=f"broker-{zone}",
            instances=(nodes.instance,),
            zones=(zone,),
            minimum=count,
            desired=count,
            maximum=count + 1,
            disk_bytes=cloud.node_disk_bytes,
            labels={NODES_LABEL: "broker"},
            taints=(BROKER_TAINT,),
            chain=BROKER_CHAIN,
        )
        for zone, count in enumerate(nodes.zones)
        if count
    ]


def _workers(group: NodeGroup, cloud: Cloud) -> NodeGroupSpec:
    instance = str(group.instance)
    return NodeGroupSpec(
        name=f"workers-{group.capacity}-{instance.replace('.', '-')}",
        instances=_alike(instance, cloud) if group.capacity == "spot" else (instance,),
        zones=tuple(range(len(group.zones))),
        # A person may send an idle environment to sleep.
        minimum=0,
        desired=math.ceil(group.nodes.expected),
        maximum=max(1, math.ceil(group.nodes.maximum)),
        disk_bytes=cloud.node_disk_bytes,
        capacity=group.capacity,
        labels={NODES_LABEL: "workers", CAPACITY_LABEL: group.capacity},
        taints=(WORKERS_TAINT,),
    )


def _alike(name: str, cloud: Cloud) -> tuple[str, ...]:
    """The type first, then the others with as many cores and no less memory: spot capacity of several types is seldom taken back at once."""
    chosen = INSTANCE_TYPES[name]
    others = (INSTANCE_TYPES[other] for other in cloud.worker_instances if other != name)
    return (
        name,
        *(kind.name for kind in others if kind.vcpus == chosen.vcpus and kind.memory_mib >= chosen.memory_mib),
    )
