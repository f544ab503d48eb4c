"""What Karpenter may start for the workers: node pools derived from the Plan, and the class of their nodes.

Invariants: a node that is told to go waits for the longest task that may run on it, and the pools together start no more than the Plan's maximum of
nodes. Both hold for every queue, and tests say so.
Source: Karpenter 1.14 docs, "NodePools", "NodeClasses" and "Disruption" (a pod whose grace is longer than its node's loses it when the drain begins;
consolidation counts again from every pod that comes or goes; spot goes before on-demand where a pool allows both).
"""

import math
from collections.abc import Mapping, Sequence
from typing import Literal

import pulumi

from fleet.cloud import Cloud
from fleet.instances import INSTANCE_TYPES
from fleet.nodes import counted
from fleet.plan import Plan, QueuePlan
from fleet.units import format_size
from fleet.versions import NODE_IMAGE
from infra.manifests.metadata import READY, Manifest, cluster_metadata
from infra.placement import CAPACITY_LABEL, NODES_LABEL, WORKERS_TAINT, has_long_tasks

API = "karpenter.sh/v1"
CLASS_GROUP = "karpenter.k8s.aws"
CLASS_KIND = "EC2NodeClass"
CLASS_NAME = "workers"

Capacity = Literal["on-demand", "spot"]
CAPACITIES: tuple[Capacity, ...] = ("spot", "on-demand")

WEIGHTS: dict[Capacity, int] = {"spot": 100, "on-demand": 10}
"""The pools exclude each other by their labels; for a pod that names neither, the cheaper one is asked first."""

DRAIN_SECONDS = 900
"""How long a node goes on evicting its pods one at a time, as their budgets want it, before it deletes what is left."""

EXPIRE_HOURS = 720
"""Life of a node: a month, Karpenter's default. Expiration asks no budget and no annotation, only the pods' grace."""

DISRUPTED_SHARE = "10%"
"""Nodes of a pool that may go at a time by consolidation or drift; at least one."""

BUSY_HOURS: Manifest = {
    "nodes": "0",
    "schedule": "0 8 * * mon-fri",
    "duration": "10h",
    "reasons": ["Underutilized", "Drifted"],
}
"""No work is moved in the busy hours (UTC; Karpenter knows no other time zone); empty nodes go at any time."""


def pool_name(capacity: Capacity) -> str:
    """The name of the node pool for queues of one capacity."""
    return f"workers-{capacity}"


def pool_queues(plan: Plan, capacity: Capacity) -> list[QueuePlan]:
    """The queues whose workers run on nodes of a pool."""
    return [queue for queue in plan.queues if queue.capacity == capacity and counted(queue)]


def node_pools(plan: Plan, cloud: Cloud, class_reference: Mapping[str, str], *, expire_hours: int) -> list[Manifest]:
    """A node pool for each capacity that some queue has; `class_reference` is their `nodeClassRef`."""
    return [
        _node_pool(plan, cloud, capacity, class_reference=class_reference, expire_hours=expire_hours)
        for capacity in CAPACITIES
        if pool_queues(plan, capacity)
    ]


def _node_pool(
    plan: Plan, cloud: Cloud, capacity: Capacity, *, class_reference: Mapping[str, str], expire_hours: int
) -> Manifest:
    queues = pool_queues(plan, capacity)
    return {
        "apiVersion": API,
        "kind": "NodePool",
        "metadata": cluster_metadata(plan.fleet, pool_name(capacity), "worker", annotations=READY),
        "spec": {
            "weight": WEIGHTS[capacity],
            "limits": {"cpu": str(cores_limit(plan, capacity))},
            "template": {
                "metadata": {"labels": {NODES_LABEL: "workers", CAPACITY_LABEL: capacity}},
                "spec": {
                    "nodeClassRef": dict(class_reference),
                    "requirements": requirements(cloud.worker_instances, capacity),
                    "taints": [WORKERS_TAINT.as_taint()],
                    "expireAfter": f"{expire_hours}h",
                    "terminationGracePeriod": f"{node_grace_seconds(queues)}s",
                },
            },
            "disruption": {
                "consolidationPolicy": _consolidation_policy(queues),
                "consolidateAfter": f"{consolidate_after_seconds(queues)}s",
                "budgets": [{"nodes": DISRUPTED_SHARE}, BUSY_HOURS],
            },
        },
    }


def requirements(instances: Sequence[str], capacity: Capacity) -> list[Manifest]:
    """Which nodes a pool starts. A spot pool falls back to on-demand nodes where there is no spot capacity: a promise is worth more."""
    found = {
        "node.kubernetes.io/instance-type": list(instances),
        "karpenter.sh/capacity-type": ["spot", "on-demand"] if capacity == "spot" else ["on-demand"],
        # All types that are known are Graviton, and the images are built for it.
        "kubernetes.io/arch": ["arm64"],
        "kubernetes.io/os": ["linux"],
    }
    return [{"key": key, "operator": "In", "values": values} for key, values in found.items()]


def cores_limit(plan: Plan, capacity: Capacity) -> int:
    """The most cores that a pool starts: the nodes of the Plan's maximum, and the largest of them once more.

    The one more is for a node that comes before the one that it replaces goes. Cores alone, because the price follows them; memory differs by four
    times between the types that workers may run on.
    """
    groups = [
        (math.ceil(group.nodes.maximum), INSTANCE_TYPES[group.instance].vcpus)
        for group in plan.nodes.workers
        if group.capacity == capacity and group.instance is not None
    ]
    return sum(nodes * cores for nodes, cores in groups) + max(cores for _, cores in groups)


def node_grace_seconds(queues: Sequence[QueuePlan]) -> int:
    """How long a node that is told to go waits for its pods: the longest grace of its queues, and the time to evict them one at a time."""
    return max(queue.worker.grace_seconds for queue in queues) + DRAIN_SECONDS


def consolidate_after_seconds(queues: Sequence[QueuePlan]) -> int:
    """How long a node has to be left alone before it may be emptied: as long as the slowest autoscaler waits before it takes pods away.

    Sooner, a node would go between two waves of the same load, and Karpenter and KEDA would chase each other.
    """
    return max(max(queue.autoscaling.cooldown_seconds, queue.autoscaling.scale_down_window_seconds) for queue in queues)


def _consolidation_policy(queues: Sequence[QueuePlan]) -> str:
    """Nodes on which long tasks may run are taken away empty only: to move a pod would cost a whole task's wait."""
    return "WhenEmpty" if any(has_long_tasks(queue) for queue in queues) else "WhenEmptyOrUnderutilized"


CLASS_REFERENCE = {"group": CLASS_GROUP, "kind": CLASS_KIND, "name": CLASS_NAME}
"""How node pools name `node_class`."""


def node_class(
    fleet: str,
    cloud: Cloud,
    *,
    instance_profile: pulumi.Input[str],
    subnet_ids: Sequence[pulumi.Input[str]],
    security_group_id: pulumi.Input[str],
    key_arn: pulumi.Input[str] | None,
    tags: Mapping[str, str],
) -> Manifest:
    """The class of the workers' nodes.

    Subnets and security group are named by their ids, which also works in a VPC whose tags are not ours, and keeps the nodes in the zones that the
    Plan counts. The instance profile is made beside the role, so that Karpenter needs no right to make any.
    """
    disk: Manifest = {
        "volumeType": "gp3",
        "volumeSize": format_size(cloud.node_disk_bytes),
        "encrypted": True,
        "deleteOnTermination": True,
    }
    if key_arn is not None:
        disk["kmsKeyID"] = key_arn
    return {
        "apiVersion": f"{CLASS_GROUP}/v1",
        "kind": CLASS_KIND,
        "metadata": cluster_metadata(fleet, CLASS_NAME, "worker", annotations=READY),
        "spec": {
            "amiSelectorTerms": [{"alias": f"al2023@{NODE_IMAGE}"}],
            "instanceProfile": instance_profile,
            "subnetSelectorTerms": [{"id": subnet} for subnet in subnet_ids],
            "securityGroupSelectorTerms": [{"id": security_group_id}],
            "blockDeviceMappings": [{"deviceName": "/dev/xvda", "ebs": disk}],
            "metadataOptions": {
                "httpEndpoint": "enabled",
                "httpProtocolIPv6": "disabled",
                "httpTokens": "required",
                "httpPutResponseHopLimit": 1,
            },
            "tags": dict(tags),
        },
    }


def controller_values(
    cluster_name: pulumi.Input[str], queue_name: pulumi.Input[str], *, system_nodes: int, scheduling: Manifest
) -> Manifest:
    """The values of Karpenter's chart; `scheduling` keeps it on nodes that it did not start itself.

    Two replicas never share a node, so a cluster with one system node gets one.
    """
    return {
        "replicas": min(2, system_nodes),
        "settings": {"clusterName": cluster_name, "interruptionQueue": queue_name},
        "serviceAccount": {"name": "karpenter"},
        "controller": {
            "resources": {"requests": {"cpu": "200m", "memory": "512Mi"}, "limits": {"memory": "512Mi"}},
        },
        **scheduling,
    }
