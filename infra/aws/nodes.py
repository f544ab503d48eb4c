"""Managed node groups: nodes whose number the environment knows.

Invariant: a node has an encrypted disk, answers instance metadata by IMDSv2 to itself alone, and joins by EKS's own image for its architecture.
Every type that `fleet.instances` knows is Graviton, so there is one image type.
Source: EKS user guide, "Customize managed nodes with launch templates", "Node auto repair", "Managed node update behavior" (pods have 15 minutes to
leave); EC2 user guide, "Use IMDSv2".
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.aws.node_groups import NodeGroupSpec
from infra.aws.node_role import NodeEntry, NodeRole, NodeRoleArgs
from infra.aws.place import Place

AMI_TYPE = "AL2023_ARM_64_STANDARD"

ROOT_DEVICE = "/dev/xvda"
"""Of Amazon Linux 2023."""

TAGGED_WITH_A_NODE = ("instance", "volume", "network-interface")

EFFECTS = {"NoSchedule": "NO_SCHEDULE", "PreferNoSchedule": "PREFER_NO_SCHEDULE", "NoExecute": "NO_EXECUTE"}
"""Kubernetes' word for a taint's effect -> EKS's."""

UPDATE_TIMEOUT = "2h"
"""Of one group: EKS starts a new node, and a broker has its whole grace to leave the old one."""


@dataclass(frozen=True, kw_only=True)
class ManagedNodesArgs:
    """The groups and where they stand."""

    place: Place
    cluster_name: pulumi.Input[str]
    version: str
    """Minor version of Kubernetes on the nodes: the cluster's, or one below while it proves itself."""
    subnet_ids: Sequence[pulumi.Input[str]]
    """Private subnets, one a zone, in zone order."""
    groups: tuple[NodeGroupSpec, ...]
    """Plain, because it decides which resources exist."""
    key_arn: pulumi.Input[str] | None = None
    """KMS key of the disks; None takes the account's own for EBS. A key of one's own has to let the service-linked role of Auto Scaling use it and
    create grants, else no node starts (Auto Scaling user guide, "Required KMS key policy for use with encrypted volumes")."""
    sessions: bool = False
    """Whether people may open a shell on a node by Systems Manager."""


class ManagedNodes(pulumi.ComponentResource):
    """The groups of an environment, with the role of their nodes."""

    node_role_arn: pulumi.Output[str]
    groups: list[pulumi.Resource]

    def __init__(self, name: str, args: ManagedNodesArgs, *, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("celery-fleet:aws:ManagedNodes", name, None, opts)
        role = NodeRole(
            f"{name}-node",
            NodeRoleArgs(
                place=args.place,
                cluster_name=args.cluster_name,
                purpose="node",
                entry=NodeEntry.MANAGED_GROUP,
                sessions=args.sessions,
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.groups = []
        last: dict[str, pulumi.Resource] = {}
        for spec in args.groups:
            before = [last[spec.chain]] if spec.chain in last else []
            made = self._add_group(f"{name}-{spec.name}", spec, args, role, before)
            self.groups.append(made)
            if spec.chain is not None:
                last[spec.chain] = made
        self.node_role_arn = role.role_arn
        self.register_outputs({"node_role_arn": self.node_role_arn})

    def _add_group(
        self, name: str, spec: NodeGroupSpec, args: ManagedNodesArgs, role: NodeRole, before: list[pulumi.Resource]
    ) -> aws.eks.NodeGroup:
        called = f"{args.place.name}-{spec.name}"
        template = self._template(name, called, spec, args)
        return aws.eks.NodeGroup(
            name,
            cluster_name=args.cluster_name,
            node_role_arn=role.role_arn,
            subnet_ids=[args.subnet_ids[zone] for zone in spec.zones],
            version=args.version,
            ami_type=AMI_TYPE,
            capacity_type="SPOT" if spec.capacity == "spot" else "ON_DEMAND",
            instance_types=list(spec.instances),
            launch_template={"id": template.id, "version": template.latest_version.apply(str)},
            scaling_config={"min_size": spec.minimum, "desired_size": spec.desired, "max_size": spec.maximum},
            update_config={"max_unavailable": 1},
            node_repair_config={"enabled": True},
            labels=dict(spec.labels),
            taints=[{"key": taint.key, "value": taint.value, "effect": EFFECTS[taint.effect]} for taint in spec.taints],
            tags=args.place.tagged(called),
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[*role.ready, *before],
                # Whoever scales the group owns the number of nodes. Where minimum and desired are one nobody else changes it, and ignoring it would
                # refuse a higher minimum.
                ignore_changes=["scalingConfig.desiredSize"] if spec.scaled else None,
                custom_timeouts=pulumi.CustomTimeouts(create="30m", update=UPDATE_TIMEOUT, delete=UPDATE_TIMEOUT),
            ),
        )

    def _template(self, name: str, called: str, spec: NodeGroupSpec, args: ManagedNodesArgs) -> aws.ec2.LaunchTemplate:
        tags = args.place.tagged(called)
        return aws.ec2.LaunchTemplate(
            f"{name}-template",
            update_default_version=True,
            metadata_options={
                "http_endpoint": "enabled",
                "http_tokens": "required",
                # Pods are one hop further away.
                "http_put_response_hop_limit": 1,
                "instance_metadata_tags": "disabled",
            },
            block_device_mappings=[
                {
                    "device_name": ROOT_DEVICE,
                    "ebs": {
                        "volume_type": "gp3",
                        "volume_size": spec.disk_bytes // 2**30,
                        "encrypted": "true",
                        "kms_key_id": args.key_arn,
                        "delete_on_termination": "true",
                    },
                }
            ],
            tag_specifications=[{"resource_type": kind, "tags": tags} for kind in TAGGED_WITH_A_NODE],
            tags=tags,
            opts=pulumi.ResourceOptions(parent=self),
        )
