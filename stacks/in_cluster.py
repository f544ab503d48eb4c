"""What every fleet needs inside an EKS cluster: controllers with their roles, node pools, the platform, the class of the brokers' volumes.

Invariant: a controller has its role before it starts, since a pod asks for its credentials once; node pools wait for whoever reads them, and with
Auto Mode, where they are the first nodes at all, everything else waits for them.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as k8s

from infra.aws.controllers import Controllers, ControllersArgs
from infra.aws.identity import PodRole, queue_role
from infra.aws.ingress import LoadBalancerController, LoadBalancerControllerArgs
from infra.aws.karpenter import Karpenter, KarpenterArgs
from infra.aws.node_role import NodeEntry, NodeRole, NodeRoleArgs
from infra.aws.volumes import BrokerVolumes, BrokerVolumesArgs
from infra.aws.worker_pools import NodeMaker, WorkerPools, WorkerPoolsArgs
from infra.placement import eks_placements
from infra.platform import Platform, PlatformArgs
from stacks.aws_base import AwsBase


@dataclass(frozen=True, kw_only=True)
class InCluster:
    """What was made."""

    platform: Platform
    volumes: BrokerVolumes
    controllers: tuple[pulumi.Resource, ...]
    """What makes load balancers, and Karpenter's nodes; none of ours with Auto Mode."""
    pools: tuple[pulumi.Resource, ...]
    """None where workers run on managed node groups."""
    queue_roles: Mapping[str, PodRole]
    components: tuple[pulumi.Resource, ...]


def add_in_cluster(base: AwsBase, kubernetes: k8s.Provider, *, cluster_is_known: bool) -> InCluster:
    """Registers all of it. `cluster_is_known` is false in a preview of a cluster that is not there yet."""
    account = _account_side(base)
    controllers = () if base.auto_mode else (_controllers(base, account, kubernetes),)
    pools = _pools(base, account, _in(kubernetes, *account.parts, *controllers))
    platform = Platform(
        "platform",
        PlatformArgs(
            parts=base.loaded.settings.platform,
            authority=base.loaded.settings.broker_authority,
            placement=eks_placements(base.aws.compute).system,
            cluster_is_known=cluster_is_known,
        ),
        # With Auto Mode there is no node before there is a pool.
        opts=_in(kubernetes, *(pools if base.auto_mode else ())),
    )
    volumes = BrokerVolumes(
        "volumes",
        BrokerVolumesArgs(
            fleet=base.loaded.plan.fleet,
            iops=base.aws.cloud.broker_iops,
            keep=base.place.keep,
            auto_mode=base.auto_mode,
            key_arn=base.cluster.key_arn,
            tags=base.place.tags,
        ),
        opts=_in(kubernetes),
    )
    queue_roles = _queue_roles(base)
    return InCluster(
        platform=platform,
        volumes=volumes,
        controllers=controllers,
        pools=pools,
        queue_roles=queue_roles,
        components=(*account.parts, *controllers, *pools, platform, volumes, *queue_roles.values()),
    )


def _in(kubernetes: k8s.Provider, *needed: pulumi.Resource) -> pulumi.ResourceOptions:
    return pulumi.ResourceOptions(provider=kubernetes, depends_on=needed)


@dataclass(frozen=True, kw_only=True)
class _AccountSide:
    """What controllers need in the account."""

    karpenter: Karpenter | None = None
    pool_nodes: NodeRole | None = None
    """Of Auto Mode's nodes."""
    parts: tuple[pulumi.Resource, ...] = ()


def _account_side(base: AwsBase) -> _AccountSide:
    place, cluster = base.place, base.cluster
    if base.auto_mode:
        args = NodeRoleArgs(
            place=place, cluster_name=cluster.cluster_name, purpose="pool-node", entry=NodeEntry.AUTO_MODE
        )
        role = NodeRole("pool-node", args, opts=base.opts)
        return _AccountSide(pool_nodes=role, parts=(role,))
    balancing = LoadBalancerController(
        "load-balancing",
        LoadBalancerControllerArgs(
            place=place, cluster_name=cluster.cluster_name, cluster_arn=cluster.arn, vpc_id=base.network.vpc_id
        ),
        opts=base.opts,
    )
    if base.aws.compute == "mng":
        return _AccountSide(parts=(balancing,))
    karpenter = Karpenter(
        "karpenter",
        KarpenterArgs(place=place, cluster_name=cluster.cluster_name, cluster_arn=cluster.arn, key_arn=cluster.key_arn),
        opts=base.opts,
    )
    return _AccountSide(karpenter=karpenter, parts=(balancing, karpenter))


def _controllers(base: AwsBase, account: _AccountSide, kubernetes: k8s.Provider) -> Controllers:
    return Controllers(
        "controllers",
        ControllersArgs(
            place=base.place,
            cluster_name=base.cluster.cluster_name,
            vpc_id=base.network.vpc_id,
            placement=eks_placements(base.aws.compute).system,
            system_nodes=base.aws.cloud.system_nodes,
            karpenter_queue=None if account.karpenter is None else account.karpenter.queue_name,
        ),
        opts=_in(kubernetes, *account.parts),
    )


def _pools(base: AwsBase, account: _AccountSide, opts: pulumi.ResourceOptions) -> tuple[WorkerPools, ...]:
    if account.karpenter is not None:
        maker, identity = NodeMaker.KARPENTER, account.karpenter.instance_profile_name
    elif account.pool_nodes is not None:
        maker, identity = NodeMaker.AUTO_MODE, account.pool_nodes.role_name
    else:
        return ()
    args = WorkerPoolsArgs(
        place=base.place,
        plan=base.loaded.plan,
        cloud=base.aws.cloud,
        maker=maker,
        node_identity=identity,
        subnet_ids=base.network.private_subnet_ids,
        security_group_id=base.cluster.security_group_id,
        key_arn=base.cluster.key_arn,
    )
    return (WorkerPools("pools", args, opts=opts),)


def _queue_roles(base: AwsBase) -> dict[str, PodRole]:
    """A role for the workers of each queue that names policies."""
    found: dict[str, PodRole] = {}
    for queue in base.loaded.plan.queues:
        args = queue_role(
            base.place,
            queue,
            cluster_name=base.cluster.cluster_name,
            cluster_arn=base.cluster.arn,
            fleet=base.loaded.plan.fleet,
        )
        if args is not None:
            found[queue.name] = PodRole(f"role-{queue.name}", args, opts=base.opts)
    return found
