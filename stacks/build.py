"""One fleet on one cluster, from the namespace to the autoscalers.

Invariant: everything is loaded and checked before the first resource; after that the order is data, or a `depends_on` with its reason.
"""

import os

import pulumi

from fleet.documents import delayed_delivery_document, producer_document
from fleet.errors import FleetError
from infra.beat import Beat, BeatArgs
from infra.broker import Broker, BrokerArgs
from infra.delayed import DelayedDelivery, DelayedDeliveryArgs
from infra.images import Images, ImagesArgs, PrebuiltImages, repositories_in
from infra.manifests.extras import toleration
from infra.namespace import FleetNamespace, FleetNamespaceArgs
from infra.placement import Placement, Placements
from infra.platform import Platform, PlatformArgs
from infra.provider import cluster_provider
from infra.results import Results, ResultsArgs
from infra.topology import BrokerTopology, BrokerTopologyArgs, QueueTopology, QueueTopologyArgs
from infra.web import Web, WebArgs
from infra.workers import QueueWorkers, QueueWorkersArgs
from stacks.loading import Loaded, load
from stacks.pace import drop_sdk_debug_lines, wait_for_resources
from stacks.settings import Settings


def build() -> None:
    """The program: what Pulumi says is loaded and checked, then composed.

    Raises: pulumi.RunError with everything that a person has to put right; Pulumi shows it without a traceback.
    """
    drop_sdk_debug_lines(os.environ)
    try:
        loaded = load(
            pulumi.runtime.config.CONFIG.get(),
            os.environ,
            stack=pulumi.get_stack(),
            root=pulumi.runtime.get_root_directory(),
        )
        components = build_stack(loaded)
    except FleetError as error:
        raise pulumi.RunError(str(error)) from None
    pulumi.run(lambda: wait_for_resources(components))


def build_stack(loaded: Loaded) -> list[pulumi.Resource]:
    """Registers the whole fleet, exports where to find it and returns its components."""
    plan, settings, fleet = loaded.plan, loaded.settings, loaded.plan.fleet
    for note in plan.notes:
        pulumi.warn(str(note))
    placements = _placements(settings)
    if loaded.cluster is None:
        raise FleetError(
            f"Pulumi.{settings.stack}.yaml",
            "celery-fleet:target is eks, for which there is no program yet",
            "Set it to existing, with a kubeconfig that reaches a cluster.",
        )
    provider = cluster_provider("cluster", settings.spec.kubeconfig, settings.context, loaded.cluster.identity)

    def after(*needed: pulumi.Resource, protect: bool = False) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(provider=provider, depends_on=needed, protect=protect or None)

    images = Images("images", _images_args(loaded))
    platform = Platform("platform", PlatformArgs(parts=settings.platform), opts=after())
    namespace = FleetNamespace(
        "fleet",
        FleetNamespaceArgs(fleet=fleet, publishers=plan.topology.ingress is not None),
        opts=after(protect=settings.protect),
    )

    results = Results(
        "results", ResultsArgs(fleet=fleet, password=pulumi.Output.secret(loaded.password)), opts=after(namespace)
    )
    broker = Broker(
        "broker",
        BrokerArgs(fleet=fleet, plan=plan.broker, storage_class=settings.spec.storage_class),
        opts=after(namespace, platform, protect=settings.protect),
    )
    # Topology resources of a broker that does not answer would be retried with growing delays.
    topology = BrokerTopology(
        "topology",
        BrokerTopologyArgs(fleet=fleet, topology=plan.topology, deletion=settings.deletion),
        opts=after(broker),
    )
    queues = {
        queue.name: QueueTopology(
            f"queue-{queue.name}",
            QueueTopologyArgs(fleet=fleet, topology=plan.topology, queue=queue, deletion=settings.deletion),
            opts=after(topology),
        )
        for queue in plan.queues
    }
    # The tree is bound to every queue, and no worker or producer runs before it is.
    delayed = DelayedDelivery(
        "delayed",
        DelayedDeliveryArgs(document=delayed_delivery_document(plan), image=images.worker),
        opts=after(topology, *queues.values()),
    )
    workers = [
        QueueWorkers(
            f"workers-{queue.name}",
            QueueWorkersArgs(
                plan=plan,
                queue=queue,
                image=images.worker,
                results_secret=results.secret_name,
                placement=placements.workers(queue),
            ),
            opts=after(queues[queue.name], delayed, results),
        )
        for queue in plan.queues
    ]
    web = Web(
        "web",
        WebArgs(
            document=producer_document(plan),
            image=images.web,
            results_secret=results.secret_name,
            plan=plan.web,
        ),
        opts=after(delayed, results),
    )
    beat = _beat(loaded, images, results, after(delayed, results)) if loaded.scheduled else None

    pulumi.export("fleet", fleet)
    pulumi.export("namespace", namespace.namespace_name)
    pulumi.export("queues", [queue.name for queue in plan.queues])
    pulumi.export("web_service", web.service_name)
    made: list[pulumi.Resource] = [
        images,
        platform,
        namespace,
        results,
        broker,
        topology,
        *queues.values(),
        delayed,
        *workers,
        web,
    ]
    return made if beat is None else [*made, beat]


def _images_args(loaded: Loaded) -> ImagesArgs:
    settings, spec = loaded.settings, loaded.settings.spec.images
    return ImagesArgs(
        fleet=loaded.plan.fleet,
        environment=settings.stack,
        root=loaded.root,
        base_image=settings.base_image,
        repositories=None if spec.registry is None else repositories_in(spec.registry, loaded.plan.fleet),
        prebuilt=None if spec.prebuilt is None else PrebuiltImages(web=spec.prebuilt.web, worker=spec.prebuilt.worker),
    )


def _beat(loaded: Loaded, images: Images, results: Results, opts: pulumi.ResourceOptions) -> Beat:
    args = BeatArgs(document=producer_document(loaded.plan), image=images.worker, results_secret=results.secret_name)
    return Beat("beat", args, opts=opts)


def _placements(settings: Settings) -> Placements:
    spec = settings.spec.spot_nodes
    return Placements(
        spot=Placement(
            node_selector=spec.node_selector,
            tolerations=tuple(toleration(item) for item in spec.tolerations),
        )
    )
