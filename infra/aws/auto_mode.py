"""What EKS Auto Mode needs beside a switch: more of the cluster's role, and a role for the nodes that it makes.

Invariant: the three capabilities (compute, storage, load balancing) are on together, because EKS takes nothing else; and what Auto Mode makes may carry
the stack's tags. Sources: EKS user guide, "Amazon EKS Auto Mode cluster IAM role" (managed policies; trust with `sts:TagSession`; the statements for
custom tags) and "Amazon EKS Auto Mode node IAM role".
"""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.aws.node_role import NODE_POLICIES
from infra.aws.place import Place
from infra.aws.policies import Condition, Statement, allow, service_trust
from infra.aws.roles import attach_managed, create_role

CLUSTER_POLICIES = (
    "AmazonEKSBlockStoragePolicy",
    "AmazonEKSComputePolicy",
    "AmazonEKSLoadBalancingPolicy",
    "AmazonEKSNetworkingPolicy",
)
"""On the cluster's role, beside `AmazonEKSClusterPolicy`."""

NODE_POOLS = ("general-purpose", "system")
"""AWS's own pools. With them comes the NodeClass `default`, which pools of one's own use; `system` takes what tolerates `CriticalAddonsOnly`."""


def tag_statements(place: Place) -> list[Statement]:
    """Auto Mode may tag what it makes with the stack's tags too, as long as it also says which cluster it is of."""
    own = {"aws:RequestTag/eks:eks-cluster-name": "${aws:PrincipalTag/eks:eks-cluster-name}"}
    pools = ("kubernetes-node-class-name", "kubernetes-node-pool-name")

    def named(*tags: str) -> Condition:
        return {"StringEquals": own, "StringLike": {f"aws:RequestTag/eks:{tag}": "*" for tag in tags}}

    volumes = [f"arn:{place.partition}:ec2:*:*:volume/*", f"arn:{place.partition}:ec2:*:*:snapshot/*"]
    balancing = ["CreateLoadBalancer", "CreateTargetGroup", "CreateListener", "CreateRule"]
    return [
        allow(
            "Compute",
            ["ec2:CreateFleet", "ec2:CreateLaunchTemplate", "ec2:RunInstances"],
            ["*"],
            condition=named(*pools),
        ),
        allow("Storage", ["ec2:CreateSnapshot", "ec2:CreateVolume"], volumes, condition={"StringEquals": own}),
        allow("Networking", ["ec2:CreateNetworkInterface"], ["*"], condition=named("kubernetes-cni-node-name")),
        allow(
            "LoadBalancer",
            [*(f"elasticloadbalancing:{action}" for action in balancing), "ec2:CreateSecurityGroup"],
            ["*"],
            condition={"StringEquals": own},
        ),
    ]


@dataclass(frozen=True, kw_only=True)
class AutoModeConfig:
    """The three parts of a cluster that are switched together."""

    compute: aws.eks.ClusterComputeConfigArgs
    network: aws.eks.ClusterKubernetesNetworkConfigArgs
    storage: aws.eks.ClusterStorageConfigArgs


def auto_mode_config(name: str, place: Place, *, parent: pulumi.Resource) -> AutoModeConfig:
    """Auto Mode switched on for a component, with a role of the given name for its nodes; EKS makes the role's access entry by itself."""
    role = create_role(name, place, "auto-node", trust=service_trust("ec2.amazonaws.com"), parent=parent)
    attach_managed(name, role, place, NODE_POLICIES, parent=parent)
    return AutoModeConfig(
        compute=aws.eks.ClusterComputeConfigArgs(enabled=True, node_pools=list(NODE_POOLS), node_role_arn=role.arn),
        network=aws.eks.ClusterKubernetesNetworkConfigArgs(
            elastic_load_balancing=aws.eks.ClusterKubernetesNetworkConfigElasticLoadBalancingArgs(enabled=True)
        ),
        storage=aws.eks.ClusterStorageConfigArgs(
            block_storage=aws.eks.ClusterStorageConfigBlockStorageArgs(enabled=True)
        ),
    )
