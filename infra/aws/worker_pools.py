"""The node pools of a cluster and the class of their nodes, as objects that Karpenter or Auto Mode reads.

Invariant: a pool names a class that is ready, and is gone before its class: what is deleted first ends its nodes while somebody still can.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import pulumi

from fleet.cloud import Cloud
from fleet.plan import Plan
from infra.aws.place import Place
from infra.manifests.auto_mode import auto_node_class, auto_node_pools
from infra.manifests.karpenter import CLASS_REFERENCE, EXPIRE_HOURS, node_class, node_pools
from infra.manifests.metadata import Manifest
from infra.objects import KubernetesObject


class NodeMaker(StrEnum):
    """Who starts the nodes."""

    KARPENTER = "karpenter"
    AUTO_MODE = "auto"


@dataclass(frozen=True, kw_only=True)
class WorkerPoolsArgs:
    """What the pools are derived from and what their nodes are made of."""

    place: Place
    plan: Plan
    """Plain, because it decides which pools exist and how large they grow."""
    cloud: Cloud
    maker: NodeMaker
    node_identity: pulumi.Input[str]
    """Instance profile of Karpenter's nodes; the name of their role with Auto Mode."""
    subnet_ids: Sequence[pulumi.Input[str]]
    """Private subnets, one a zone, in zone order; those of the zones that the Plan counts are used."""
    security_group_id: pulumi.Input[str]
    """The cluster's own, which lets everything inside talk to each other."""
    key_arn: pulumi.Input[str] | None = None
    """KMS key of the disks; None takes the account's own for EBS."""


class WorkerPools(pulumi.ComponentResource):
    """With Karpenter the pools of the workers; with Auto Mode those of all nodes, so what runs on them comes after it."""

    pools: list[str]
    """Names of the node pools; plain, because they are fixed."""

    def __init__(self, name: str, args: WorkerPoolsArgs, *, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("celery-fleet:aws:WorkerPools", name, None, opts)
        made = KubernetesObject(f"{name}-class", _class(args), opts=pulumi.ResourceOptions(parent=self))
        after = pulumi.ResourceOptions(parent=self, depends_on=[made])
        manifests = _pools(args)
        for manifest in manifests:
            KubernetesObject(f"{name}-{manifest['metadata']['name']}", manifest, opts=after)
        self.pools = [str(manifest["metadata"]["name"]) for manifest in manifests]
        self.register_outputs({"pools": self.pools})


def _class(args: WorkerPoolsArgs) -> Manifest:
    subnets = list(args.subnet_ids)[: args.cloud.zones]
    if args.maker is NodeMaker.AUTO_MODE:
        return auto_node_class(
            args.plan.fleet,
            args.cloud,
            node_role=args.node_identity,
            subnet_ids=subnets,
            security_group_id=args.security_group_id,
            key_arn=args.key_arn,
            tags=args.place.tags,
        )
    return node_class(
        args.plan.fleet,
        args.cloud,
        instance_profile=args.node_identity,
        subnet_ids=subnets,
        security_group_id=args.security_group_id,
        key_arn=args.key_arn,
        tags=args.place.tags,
    )


def _pools(args: WorkerPoolsArgs) -> list[Manifest]:
    if args.maker is NodeMaker.AUTO_MODE:
        return auto_node_pools(args.plan, args.cloud)
    return node_pools(args.plan, args.cloud, CLASS_REFERENCE, expire_hours=EXPIRE_HOURS)
