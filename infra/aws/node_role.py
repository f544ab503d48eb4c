"""The role that nodes have themselves: to join the cluster and to pull images, and nothing that a pod may need.

Invariant: no permission of a pod stands here; pods have roles of their own (`infra.aws.identity`), and IMDSv2 with one hop keeps them from this one.
Source: EKS user guide, "Amazon EKS node IAM role" (the minimal policy is enough where the VPC CNI has a role by Pod Identity) and "Grant IAM users
access to Kubernetes with EKS access entries" (types EC2_LINUX, and EC2 for Auto Mode).
"""

from dataclasses import dataclass
from enum import StrEnum

import pulumi
import pulumi_aws as aws

from infra.aws.place import Place
from infra.aws.policies import managed_policy, service_trust
from infra.aws.roles import create_role

NODE_POLICIES = ("AmazonEKSWorkerNodeMinimalPolicy", "AmazonEC2ContainerRegistryPullOnly")
SESSION_POLICY = "AmazonSSMManagedInstanceCore"
AUTO_NODE_POLICY = "AmazonEKSAutoNodePolicy"


class NodeEntry(StrEnum):
    """How nodes with the role are let into the cluster."""

    MANAGED_GROUP = "managed group"
    """EKS makes the access entry itself, with the first node group that has the role."""
    EC2_LINUX = "EC2_LINUX"
    """Nodes that something in the cluster starts: Karpenter."""
    AUTO_MODE = "EC2"
    """Nodes that Auto Mode starts for a NodeClass."""


@dataclass(frozen=True, kw_only=True)
class NodeRoleArgs:
    """Whose nodes have it."""

    place: Place
    cluster_name: pulumi.Input[str]
    purpose: str
    """Last part of the role's name."""
    entry: NodeEntry
    sessions: bool = False
    """Whether people may open a shell on a node by Systems Manager; off, because nothing here needs it."""


class NodeRole(pulumi.ComponentResource):
    """The role, and its access entry where EKS does not make it."""

    role_name: pulumi.Output[str]
    role_arn: pulumi.Output[str]
    ready: list[pulumi.Resource]
    """What a node needs before it starts."""

    def __init__(self, name: str, args: NodeRoleArgs, *, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("celery-fleet:aws:NodeRole", name, None, opts)
        place, child = args.place, pulumi.ResourceOptions(parent=self)
        role = create_role(
            f"{name}-role",
            place,
            args.purpose,
            trust=service_trust("ec2.amazonaws.com"),
            parent=self,
            description=f"Nodes of the cluster {place.name}",
        )
        policies = (*NODE_POLICIES, SESSION_POLICY) if args.sessions else NODE_POLICIES
        self.ready = [
            aws.iam.RolePolicyAttachment(
                f"{name}-policy-{index}", role=role.name, policy_arn=managed_policy(place, policy), opts=child
            )
            for index, policy in enumerate(policies)
        ]
        if args.entry is not NodeEntry.MANAGED_GROUP:
            self.ready.append(self._entry(name, args, role))
        self.role_name, self.role_arn = role.name, role.arn
        self.register_outputs({"role_name": self.role_name, "role_arn": self.role_arn})

    def _entry(self, name: str, args: NodeRoleArgs, role: aws.iam.Role) -> pulumi.Resource:
        entry = aws.eks.AccessEntry(
            f"{name}-entry",
            cluster_name=args.cluster_name,
            principal_arn=role.arn,
            type=args.entry.value,
            tags=args.place.tagged(args.purpose),
            opts=pulumi.ResourceOptions(parent=self),
        )
        if args.entry is not NodeEntry.AUTO_MODE:
            return entry
        return aws.eks.AccessPolicyAssociation(
            f"{name}-entry-policy",
            cluster_name=args.cluster_name,
            principal_arn=role.arn,
            policy_arn=f"arn:{args.place.partition}:eks::aws:cluster-access-policy/{AUTO_NODE_POLICY}",
            access_scope={"type": "cluster"},
            opts=pulumi.ResourceOptions(parent=self, depends_on=[entry]),
        )
