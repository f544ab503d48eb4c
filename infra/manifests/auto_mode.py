"""EKS Auto Mode in place of node groups and Karpenter: node pools for everything, and the class of their nodes.

Invariant: pods find the same labels and taints as on any other nodes of ours (`infra.placement`); of Auto Mode's own pools none is used.
Source: EKS user guide, "Create a Node Pool for EKS Auto Mode" and "Create a Node Class for Amazon EKS" (a node lives 21 days at most, its grace
included; a class of one's own needs an access entry of the type EC2); only AWS knows the schema of the class.
"""

from collections.abc import Mapping, Sequence

import pulumi

from fleet.cloud import Cloud
from fleet.demand import FixedNodes
from fleet.instances import INSTANCE_TYPES
from fleet.plan import Plan
from fleet.units import format_size
from infra.manifests.broker import GRACE_SECONDS as BROKER_GRACE_SECONDS
from infra.manifests.karpenter import API, DRAIN_SECONDS, node_pools, requirements
from infra.manifests.metadata import READY, Manifest, cluster_metadata
from infra.placement import BROKER_TAINT, NODES_LABEL, SYSTEM_TAINT, Taint

CLASS_GROUP = "eks.amazonaws.com"
CLASS_KIND = "NodeClass"
CLASS_NAME = "fleet"
CLASS_REFERENCE = {"group": CLASS_GROUP, "kind": CLASS_KIND, "name": CLASS_NAME}

EXPIRE_HOURS = 336
"""Auto Mode's default; with the grace it has to stay below 504 hours."""

TAINTS = {"system": SYSTEM_TAINT, "broker": BROKER_TAINT}


def auto_node_class(
    fleet: str,
    cloud: Cloud,
    *,
    node_role: pulumi.Input[str],
    subnet_ids: Sequence[pulumi.Input[str]],
    security_group_id: pulumi.Input[str],
    key_arn: pulumi.Input[str] | None,
    tags: Mapping[str, str],
) -> Manifest:
    """The class of all nodes. AWS's own stands in the subnets of the control plane, which are too small for nodes and lead nowhere.

    Auto Mode sets `tags` with the cluster's role (`infra.aws.auto_mode` lets it).
    """
    storage: Manifest = {"size": format_size(cloud.node_disk_bytes)}
    if key_arn is not None:
        storage["kmsKeyID"] = key_arn
    return {
        "apiVersion": f"{CLASS_GROUP}/v1",
        "kind": CLASS_KIND,
        "metadata": cluster_metadata(fleet, CLASS_NAME, "fleet", annotations=READY),
        "spec": {
            "role": node_role,
            "subnetSelectorTerms": [{"id": subnet} for subnet in subnet_ids],
            "securityGroupSelectorTerms": [{"id": security_group_id}],
            "ephemeralStorage": storage,
            "tags": dict(tags),
        },
    }


def auto_node_pools(plan: Plan, cloud: Cloud) -> list[Manifest]:
    """System and broker nodes, then those of the workers."""
    fixed = [_fixed_pool(plan.fleet, nodes, TAINTS[nodes.purpose]) for nodes in plan.nodes.fixed]
    return [*fixed, *node_pools(plan, cloud, CLASS_REFERENCE, expire_hours=EXPIRE_HOURS)]


def _fixed_pool(fleet: str, nodes: FixedNodes, taint: Taint) -> Manifest:
    """A pool of nodes that go one at a time, and empty only: what stands on them does not move to save a node."""
    name = f"fleet-{nodes.purpose}"
    cores = (nodes.count + 1) * INSTANCE_TYPES[nodes.instance].vcpus
    return {
        "apiVersion": API,
        "kind": "NodePool",
        "metadata": cluster_metadata(fleet, name, "fleet", annotations=READY),
        "spec": {
            # One more while a node is replaced.
            "limits": {"cpu": str(cores)},
            "template": {
                "metadata": {"labels": {NODES_LABEL: nodes.purpose}},
                "spec": {
                    "nodeClassRef": dict(CLASS_REFERENCE),
                    "requirements": requirements([nodes.instance], "on-demand"),
                    "taints": [taint.as_taint()],
                    "expireAfter": f"{EXPIRE_HOURS}h",
                    "terminationGracePeriod": f"{BROKER_GRACE_SECONDS + DRAIN_SECONDS}s",
                },
            },
            "disruption": {
                "consolidationPolicy": "WhenEmpty",
                "consolidateAfter": "5m",
                "budgets": [{"nodes": "1"}],
            },
        },
    }
