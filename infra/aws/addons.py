"""The EKS add-ons: network, DNS, volumes, identities and metrics of the cluster.

Invariant: versions are pinned for each minor version of Kubernetes in one table, so two runs of one commit make the same cluster. What nodes need to join
comes before them (identity agent, network, proxy); what needs nodes to run comes after, or it would wait in vain. The agent comes before the
network, which has its role from it. With Auto Mode, AWS runs most of them itself.
Sources: EKS user guide, "Amazon EKS add-ons", "Amazon EKS Auto Mode" (what it brings), "Configure Amazon VPC CNI plugin to use EKS Pod Identity",
"Use Kubernetes volume storage with Amazon EBS" (the statements for a key); terraform-aws-eks#3260 on the order.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import pulumi
import pulumi_aws as aws

from infra.aws.keys import USE
from infra.aws.kubernetes_versions import check_version
from infra.aws.place import Place
from infra.aws.policies import Statement, allow, document, pod_trust
from infra.aws.roles import attach_managed, create_role
from infra.placement import SYSTEM_TAINT

# The defaults of EKS as of September 2026. To look for newer ones, or for those of another region:
#   aws eks describe-addon-versions --kubernetes-version 1.36 \
#     --query 'addons[].{name: addonName, default: addonVersions[?compatibilities[0].defaultVersion].addonVersion | [0]}' --output table
VERSIONS: Mapping[str, Mapping[str, str]] = {
    "1.35": {
        "eks-pod-identity-agent": "v1.3.10-eksbuild.3",
        "vpc-cni": "v1.22.4-eksbuild.3",
        "kube-proxy": "v1.35.3-eksbuild.29",
        "coredns": "v1.13.2-eksbuild.31",
        "aws-ebs-csi-driver": "v1.66.0-eksbuild.1",
        "metrics-server": "v0.9.0-eksbuild.11",
        "eks-node-monitoring-agent": "v1.7.2-eksbuild.1",
        "snapshot-controller": "v8.6.0-eksbuild.8",
    },
    "1.36": {
        "eks-pod-identity-agent": "v1.3.10-eksbuild.3",
        "vpc-cni": "v1.22.4-eksbuild.3",
        "kube-proxy": "v1.36.0-eksbuild.25",
        "coredns": "v1.14.3-eksbuild.23",
        "aws-ebs-csi-driver": "v1.66.0-eksbuild.1",
        "metrics-server": "v0.9.0-eksbuild.11",
        "eks-node-monitoring-agent": "v1.7.2-eksbuild.1",
        "snapshot-controller": "v8.6.0-eksbuild.8",
    },
}
"""Minor version of Kubernetes -> add-on -> version."""


class AddonStage(StrEnum):
    """When an add-on is installed."""

    BEFORE_NODES = "before-nodes"
    AFTER_NODES = "after-nodes"


@dataclass(frozen=True, kw_only=True)
class AddonRole:
    """What an add-on's pods may do in AWS."""

    service_account: str
    managed_policy: str
    uses_key: bool = False
    """Whether it makes things that are encrypted with the cluster's key."""


@dataclass(frozen=True, kw_only=True)
class Addon:
    """One add-on, whatever its version."""

    name: str
    stage: AddonStage
    built_in: bool = False
    """Whether Auto Mode brings it."""
    optional: bool = False
    after: str | None = None
    """Add-on of the same stage that has to be there first."""
    role: AddonRole | None = None
    configuration: Callable[[Place], dict[str, Any]] = lambda _: {}
    """Values for the add-on's schema (`aws eks describe-addon-configuration`)."""


# CoreDNS and the controller of the EBS driver tolerate the taint of the system nodes by themselves.
_TOLERATES_SYSTEM = {"tolerations": [SYSTEM_TAINT.as_toleration()]}

ADDONS = (
    Addon(name="eks-pod-identity-agent", stage=AddonStage.BEFORE_NODES, built_in=True),
    Addon(
        name="vpc-cni",
        stage=AddonStage.BEFORE_NODES,
        built_in=True,
        after="eks-pod-identity-agent",
        role=AddonRole(service_account="aws-node", managed_policy="AmazonEKS_CNI_Policy"),
        configuration=lambda _: {
            # Without it every NetworkPolicy of the cluster is ignored.
            "enableNetworkPolicy": "true",
            "env": {"ENABLE_PREFIX_DELEGATION": "true", "WARM_PREFIX_TARGET": "1"},
        },
    ),
    Addon(name="kube-proxy", stage=AddonStage.BEFORE_NODES, built_in=True),
    Addon(
        name="coredns",
        stage=AddonStage.AFTER_NODES,
        built_in=True,
        configuration=lambda _: {"autoScaling": {"enabled": True, "minReplicas": 2, "maxReplicas": 10}},
    ),
    Addon(
        name="aws-ebs-csi-driver",
        stage=AddonStage.AFTER_NODES,
        built_in=True,
        role=AddonRole(
            service_account="ebs-csi-controller-sa", managed_policy="AmazonEBSCSIDriverPolicyV2", uses_key=True
        ),
        configuration=lambda place: {
            # Volumes are made by the driver, not by Pulumi, and are part of the bill all the same.
            "controller": {"extraVolumeTags": dict(place.tags)},
            # The brokers' nodes are tainted, and have the volumes.
            "node": {"tolerateAllTaints": True},
        },
    ),
    Addon(name="metrics-server", stage=AddonStage.AFTER_NODES, configuration=lambda _: _TOLERATES_SYSTEM),
    Addon(name="eks-node-monitoring-agent", stage=AddonStage.AFTER_NODES, built_in=True),
    Addon(
        name="snapshot-controller",
        stage=AddonStage.AFTER_NODES,
        optional=True,
        configuration=lambda _: _TOLERATES_SYSTEM,
    ),
)


@dataclass(frozen=True, kw_only=True)
class AddonsArgs:
    """Which add-ons, for which cluster."""

    place: Place
    cluster_name: pulumi.Input[str]
    cluster_arn: pulumi.Input[str]
    version: str
    """Minor version of Kubernetes."""
    stage: AddonStage
    key_arn: pulumi.Input[str] | None = None
    """Key of encrypted volumes, where it is not AWS's own."""
    auto_mode: bool = False
    snapshots: bool = False
    """Whether volume snapshots can be taken."""


class Addons(pulumi.ComponentResource):
    """The add-ons of one stage. Nodes depend on those before them, and those after nodes on the nodes."""

    installed: list[pulumi.Resource]

    def __init__(self, name: str, args: AddonsArgs, *, opts: pulumi.ResourceOptions | None = None) -> None:
        check_version(args.version)
        super().__init__("celery-fleet:aws:Addons", name, None, opts)
        made: dict[str, pulumi.Resource] = {}
        for addon in chosen_addons(args.stage, auto_mode=args.auto_mode, snapshots=args.snapshots):
            made[addon.name] = self._install(name, args, addon, [made[addon.after]] if addon.after else [])
        self.installed = list(made.values())
        self.register_outputs({"installed": list(made)})

    def _install(self, name: str, args: AddonsArgs, addon: Addon, after: list[pulumi.Resource]) -> aws.eks.Addon:
        place, needs, associations = args.place, list(after), None
        if addon.role is not None:
            role, permissions = self._role(f"{name}-{addon.name}", args, addon, addon.role)
            needs += permissions
            associations = [
                aws.eks.AddonPodIdentityAssociationArgs(role_arn=role.arn, service_account=addon.role.service_account)
            ]
        values = addon.configuration(place)
        return aws.eks.Addon(
            f"{name}-{addon.name}",
            addon_name=addon.name,
            cluster_name=args.cluster_name,
            addon_version=VERSIONS[args.version][addon.name],
            configuration_values=json.dumps(values, sort_keys=True) if values else None,
            pod_identity_associations=associations,
            resolve_conflicts_on_create="OVERWRITE",
            # What somebody changed in the cluster by hand survives an update.
            resolve_conflicts_on_update="PRESERVE",
            tags=place.tagged(f"{place.name}-{addon.name}"),
            opts=pulumi.ResourceOptions(parent=self, depends_on=needs),
        )

    def _role(
        self, name: str, args: AddonsArgs, addon: Addon, wanted: AddonRole
    ) -> tuple[aws.iam.Role, list[pulumi.Resource]]:
        """The role of an add-on's pods, and what gives it its permissions."""
        place, child = args.place, pulumi.ResourceOptions(parent=self)
        role = create_role(f"{name}-role", place, addon.name, trust=pod_trust(place, args.cluster_arn), parent=self)
        permissions = attach_managed(f"{name}-role", role, place, [wanted.managed_policy], parent=self)
        if wanted.uses_key and args.key_arn is not None:
            permissions.append(
                aws.iam.RolePolicy(
                    f"{name}-role-policy", role=role.name, policy=document(*key_statements(args.key_arn)), opts=child
                )
            )
        return role, permissions


def key_statements(key_arn: pulumi.Input[str]) -> list[Statement]:
    """What the EBS driver has to be allowed for volumes that are encrypted with a key of one's own; no managed policy has it."""
    for_aws = {"Bool": {"kms:GrantIsForAWSResource": "true"}}
    return [
        allow("VolumeKey", USE, [key_arn]),
        allow(
            "VolumeKeyGrants", ["kms:CreateGrant", "kms:ListGrants", "kms:RevokeGrant"], [key_arn], condition=for_aws
        ),
    ]


def chosen_addons(stage: AddonStage, *, auto_mode: bool, snapshots: bool) -> list[Addon]:
    """The add-ons of a stage in the order in which they are installed."""
    return [
        addon
        for addon in ADDONS
        if addon.stage is stage and not (addon.built_in and auto_mode) and (snapshots or not addon.optional)
    ]
