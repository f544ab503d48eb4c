"""The foundation in AWS: network, cluster, nodes, registry, results store, and what runs in the cluster for every fleet.

Invariant: taken backwards, the order is one in which a `destroy` completes. What is made inside the cluster waits for the access that it is made with
and for the nodes that its controllers run on; objects that make AWS resources wait for their controller, and the controller for its role.
Sources: terraform-aws-eks#2903 (access gone before the objects); Karpenter 1.14 docs, "Getting Started", section on cleaning up (node pools before
the controller); EKS user guide, "Delete a cluster" (load balancers before the VPC).
"""

from dataclasses import replace
from datetime import UTC, datetime

import pulumi

from infra.aws.addons import Addons, AddonsArgs, AddonStage
from infra.aws.kubernetes_versions import support_warning
from infra.aws.node_groups import node_groups
from infra.aws.nodes import ManagedNodes, ManagedNodesArgs
from infra.aws.registry import CACHE, Registry, RegistryArgs
from infra.aws.results import ManagedResults, ManagedResultsArgs
from infra.images import ROLES, BuildPlatform, Images, ImagesArgs, cache_in, repositories_in
from infra.placement import eks_placements
from infra.provider import eks_kubeconfig, eks_provider
from stacks.aws_base import AwsBase, aws_base
from stacks.aws_checks import has_web_balancer, notes_on
from stacks.aws_settings import AwsSettings
from stacks.existing import prebuilt_images
from stacks.foundation import Foundation
from stacks.in_cluster import add_in_cluster
from stacks.loading import Loaded
from stacks.ways_in import ways_in

NODE_PLATFORM: BuildPlatform = "linux/arm64"
"""Every type that `fleet.instances` knows is Graviton."""


async def eks_foundation(loaded: Loaded, settings: AwsSettings) -> Foundation:
    """Registers everything in AWS, and in the cluster what every fleet needs.

    It waits once, for whether the cluster's address is known: `infra.platform` tells why.
    """
    for note in notes_on(settings.spec, web_asks_for_tokens=loaded.settings.spec.web_tokens is not None):
        pulumi.warn(f"Pulumi.{loaded.settings.stack}.yaml: note: celery-fleet:{note.key} {note.problem}\n  {note.fix}")
    if warning := support_warning(settings.kubernetes_version, datetime.now(UTC).date()):
        pulumi.warn(warning)
    base = aws_base(loaded, settings)
    nodes = _nodes(base)
    results = _results(base)
    images = _images(base)
    kubeconfig = eks_kubeconfig(
        cluster_name=base.cluster.cluster_name,
        endpoint=base.cluster.endpoint,
        certificate_authority=base.cluster.certificate_authority,
        region=settings.cloud.region,
        role_arn=base.caller.token_role_arn,
    )
    # What is made with it is taken away with it, so the access and the nodes outlive it.
    kubernetes = eks_provider(
        "kubernetes",
        kubeconfig,
        base.cluster.arn,
        opts=pulumi.ResourceOptions(depends_on=[base.cluster.deployer_access, base.network, *nodes]),
    )
    inside = add_in_cluster(base, kubernetes, cluster_is_known=await kubeconfig.is_known())
    return Foundation(
        provider=kubernetes,
        images=images[-1],
        placements=eks_placements(settings.compute),
        storage_class=inside.volumes.storage_class,
        results=results.address,
        before_broker=(inside.platform, inside.volumes),
        before_workers=inside.pools,
        queue_roles=inside.queue_roles,
        ways_in=ways_in(base),
        before_ways_in=inside.controllers,
        broker_cidrs=(base.network.cidr,) if settings.spec.broker_load_balancer else (),
        web_is_behind_balancer=has_web_balancer(settings.spec),
        components=(base.network, base.cluster, *nodes, results, *images, *inside.components),
        exports={"cluster": base.cluster.cluster_name, "kubeconfig": kubeconfig, "region": settings.cloud.region},
    )


def _nodes(base: AwsBase) -> tuple[pulumi.Resource, ...]:
    """The add-ons that nodes join with, the managed nodes, the add-ons that run on nodes; of Auto Mode the last alone."""
    made: list[pulumi.Resource] = []
    groups = node_groups(base.loaded.plan, base.aws.cloud, base.aws.compute)
    if groups:
        made.append(_addons(base, "addons", AddonStage.BEFORE_NODES, base.opts))
        made.append(
            ManagedNodes(
                "nodes",
                ManagedNodesArgs(
                    place=base.place,
                    cluster_name=base.cluster.cluster_name,
                    version=base.aws.kubernetes_version,
                    subnet_ids=base.network.private_subnet_ids,
                    groups=groups,
                    key_arn=base.cluster.key_arn,
                ),
                # Without the add-ons no node becomes ready; without routes none joins.
                opts=base.after(base.network, *made),
            )
        )
    return (*made, _addons(base, "late-addons", AddonStage.AFTER_NODES, base.after(*made)))


def _addons(base: AwsBase, name: str, stage: AddonStage, opts: pulumi.ResourceOptions) -> Addons:
    args = AddonsArgs(
        place=base.place,
        cluster_name=base.cluster.cluster_name,
        cluster_arn=base.cluster.arn,
        version=base.aws.kubernetes_version,
        stage=stage,
        key_arn=base.cluster.key_arn,
        auto_mode=base.auto_mode,
    )
    return Addons(name, args, opts=opts)


def _results(base: AwsBase) -> ManagedResults:
    return ManagedResults(
        "results-store",
        ManagedResultsArgs(
            place=base.place,
            vpc_id=base.network.vpc_id,
            subnet_ids=base.network.private_subnet_ids,
            client_security_group_id=base.cluster.security_group_id,
            instance=base.aws.cloud.results_instance,
            nodes=base.aws.cloud.results_nodes,
            key_arn=base.cluster.key_arn,
            password=pulumi.Output.secret(base.loaded.password),
        ),
        opts=base.opts,
    )


def _images(base: AwsBase) -> tuple[Registry, Images] | tuple[Images]:
    """The images, in a registry of the stack's own unless the settings name another.

    It stays where images are named that exist already: what is protected does not go because of them, and what ran before can be gone back to.
    """
    settings, spec, fleet = base.loaded.settings, base.loaded.settings.spec.images, base.loaded.plan.fleet
    args = ImagesArgs(
        fleet=fleet,
        environment=settings.stack,
        root=base.loaded.root,
        base_image=settings.base_image,
        platforms=(NODE_PLATFORM,),
        prebuilt=prebuilt_images(settings),
    )
    if spec.registry is not None:
        cache = cache_in(spec.registry, fleet) if spec.cache else None
        return (Images("images", replace(args, repositories=repositories_in(spec.registry, fleet), cache=cache)),)
    roles = (*ROLES, CACHE) if spec.cache else ROLES
    registry = Registry(
        "registry", RegistryArgs(place=base.place, key_arn=base.cluster.key_arn, repositories=roles), opts=base.opts
    )
    if args.prebuilt is not None:
        return registry, Images("images", args)
    own = {role: registry.urls[role] for role in ROLES}
    return registry, Images(
        "images",
        replace(args, repositories=own, credentials=registry.credentials(), cache=registry.urls.get(CACHE)),
    )
