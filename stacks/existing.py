"""The foundation where the cluster is one's own: what its kubeconfig reaches, with the parts of the platform that are to be installed."""

from collections.abc import Iterator

import pulumi

from infra.images import Images, ImagesArgs, PrebuiltImages, cache_in, repositories_in
from infra.manifests.extras import toleration
from infra.placement import Placement, Placements
from infra.platform import Platform, PlatformArgs
from infra.preflight import ClusterFacts
from infra.provider import cluster_provider
from stacks.foundation import Foundation
from stacks.loading import Loaded
from stacks.settings import Settings


def existing_foundation(loaded: Loaded, cluster: ClusterFacts) -> Foundation:
    """Registers what a cluster of one's own lacks."""
    settings, spec = loaded.settings, loaded.settings.spec
    for note in roles_left_out(loaded):
        pulumi.warn(note)
    provider = cluster_provider("cluster", spec.kubeconfig, settings.context, cluster.identity)
    registry = spec.images.registry
    images = Images(
        "images",
        ImagesArgs(
            fleet=loaded.plan.fleet,
            environment=settings.stack,
            root=loaded.root,
            base_image=settings.base_image,
            repositories=None if registry is None else repositories_in(registry, loaded.plan.fleet),
            cache=cache_in(registry, loaded.plan.fleet) if registry and spec.images.cache else None,
            prebuilt=prebuilt_images(settings),
        ),
    )
    platform = Platform(
        "platform",
        PlatformArgs(parts=settings.platform, authority=settings.broker_authority),
        opts=pulumi.ResourceOptions(provider=provider),
    )
    return Foundation(
        provider=provider,
        images=images,
        placements=_placements(settings),
        storage_class=spec.storage_class,
        before_broker=(platform,),
        components=(images, platform),
    )


def roles_left_out(loaded: Loaded) -> Iterator[str]:
    """Queues whose tasks ask for AWS policies; where the environment has no place in AWS, the Plan has said so."""
    if loaded.settings.environment.cloud is None:
        return
    for queue in loaded.plan.queues:
        if queue.aws_policies:
            yield (
                f"queues.{queue.name}.aws_policies has no effect: celery-fleet:target is existing\n"
                "  Roles are made for a cluster of the stack's own. Give the pods what they need by `pod.env` and `pod.secrets`,"
                " or write `target: eks`."
            )


def prebuilt_images(settings: Settings) -> PrebuiltImages | None:
    """Images that the settings name; None where they are built."""
    spec = settings.spec.images.prebuilt
    return None if spec is None else PrebuiltImages(web=spec.web, worker=spec.worker)


def _placements(settings: Settings) -> Placements:
    spec = settings.spec.spot_nodes
    return Placements(
        spot=Placement(
            node_selector=spec.node_selector,
            tolerations=tuple(toleration(item) for item in spec.tolerations),
        )
    )
