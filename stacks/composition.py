"""One fleet on a foundation, from the namespace to the autoscalers.

Invariant: the order is data, or a `depends_on` with its reason; taken backwards it is the order of a `destroy`: autoscalers and workers, queues,
broker, namespace.
"""

from dataclasses import dataclass

import pulumi

from fleet.documents import delayed_delivery_document, producer_document, scale_in_document, web_document
from infra.beat import Beat, BeatArgs
from infra.broker import Broker, BrokerArgs
from infra.delayed import DelayedDelivery, DelayedDeliveryArgs
from infra.manifests.ingress import DRAIN_SECONDS
from infra.manifests.pods import IN_CLUSTER
from infra.manifests.web import WebLimits
from infra.namespace import FleetNamespace, FleetNamespaceArgs
from infra.observability import Monitoring, Observability, ObservabilityArgs
from infra.results import Results, ResultsArgs, ResultsPassword
from infra.scale_in import ScaleIn, ScaleInArgs
from infra.topology import BrokerTopology, BrokerTopologyArgs, QueueTopology, QueueTopologyArgs
from infra.ways_in import WaysIn
from infra.web import Web, WebArgs
from infra.workers import QueueWorkers, QueueWorkersArgs
from stacks.foundation import Foundation
from stacks.loading import Loaded

_Results = Results | ResultsPassword


@dataclass(frozen=True, kw_only=True)
class _InBroker:
    """What exists in the broker."""

    topology: BrokerTopology
    queues: dict[str, QueueTopology]
    delayed: DelayedDelivery


def compose_fleet(loaded: Loaded, foundation: Foundation) -> list[pulumi.Resource]:
    """Registers the whole fleet, exports where to find it and returns its components."""
    plan, settings = loaded.plan, loaded.settings
    namespace = FleetNamespace(
        "fleet",
        FleetNamespaceArgs(
            fleet=plan.fleet,
            publishers=plan.topology.ingress is not None,
            broker_tls=settings.broker_issuer is not None,
            broker_cidrs=foundation.broker_cidrs,
            scale_in=bool(plan.scale_in.queues),
            readiness_gates=foundation.web_is_behind_balancer,
        ),
        opts=_after(foundation, protect=settings.protect),
    )
    results = _results(loaded, foundation, namespace)
    broker = Broker(
        "broker",
        BrokerArgs(
            fleet=plan.fleet,
            plan=plan.broker,
            storage_class=foundation.storage_class,
            issuer=settings.broker_issuer,
            placement=foundation.placements.broker,
        ),
        opts=_after(foundation, namespace, *foundation.before_broker, protect=settings.protect),
    )
    inside = _in_broker(loaded, foundation, broker)
    workers = [
        QueueWorkers(
            f"workers-{queue.name}",
            QueueWorkersArgs(
                plan=plan,
                queue=queue,
                image=foundation.images.worker,
                results_secret=results.secret_name,
                results=foundation.results or IN_CLUSTER,
                broker_tls=settings.broker_issuer is not None,
                placement=foundation.placements.workers(queue),
            ),
            opts=_after(
                foundation,
                inside.queues[queue.name],
                inside.delayed,
                results,
                *foundation.before_workers,
                *([foundation.queue_roles[queue.name]] if queue.name in foundation.queue_roles else []),
            ),
        )
        for queue in plan.queues
    ]
    web = _web(loaded, foundation, results, inside.delayed)
    pulumi.export("fleet", plan.fleet)
    pulumi.export("namespace", namespace.namespace_name)
    pulumi.export("queues", [queue.name for queue in plan.queues])
    pulumi.export("web_service", web.service_name)
    # What another stack is to run: the same bytes (docs/runbooks/promote-images.md).
    pulumi.export("images", {"web": foundation.images.web, "worker": foundation.images.worker})
    made: list[pulumi.Resource] = [
        namespace,
        results,
        broker,
        inside.topology,
        *inside.queues.values(),
        inside.delayed,
        *workers,
        web,
    ]
    if loaded.scheduled:
        made.append(_beat(loaded, foundation, results, inside.delayed))
    if plan.scale_in.queues:
        # Before the workers there is nothing to look after.
        made.append(_scale_in(loaded, foundation, workers))
    if settings.monitoring is not Monitoring.NONE:
        made.append(_observability(loaded, foundation, namespace))
    if foundation.ways_in is not None:
        opts = _after(foundation, broker, web, *foundation.before_ways_in)
        made.append(WaysIn("ways-in", foundation.ways_in, opts=opts))
    return made


def _after(foundation: Foundation, *needed: pulumi.Resource, protect: bool = False) -> pulumi.ResourceOptions:
    return pulumi.ResourceOptions(provider=foundation.provider, depends_on=needed, protect=protect or None)


def _results(loaded: Loaded, foundation: Foundation, namespace: FleetNamespace) -> _Results:
    """The results store, or the password of the one that is there already."""
    args = ResultsArgs(
        fleet=loaded.plan.fleet,
        password=pulumi.Output.secret(loaded.password),
        storage_class=foundation.storage_class,
    )
    if foundation.results is None:
        return Results("results", args, opts=_after(foundation, namespace))
    return ResultsPassword("results", args, opts=_after(foundation, namespace))


def _in_broker(loaded: Loaded, foundation: Foundation, broker: Broker) -> _InBroker:
    plan, deletion = loaded.plan, loaded.settings.deletion
    # Topology resources of a broker that does not answer would be retried with growing delays.
    topology = BrokerTopology(
        "topology",
        BrokerTopologyArgs(
            fleet=plan.fleet,
            topology=plan.topology,
            counted=plan.counted_queues,
            deletion=deletion,
            broker_tls=loaded.settings.broker_issuer is not None,
        ),
        opts=_after(foundation, broker),
    )
    queues = {
        queue.name: QueueTopology(
            f"queue-{queue.name}",
            QueueTopologyArgs(fleet=plan.fleet, topology=plan.topology, queue=queue, deletion=deletion),
            opts=_after(foundation, topology),
        )
        for queue in plan.queues
    }
    # The tree is bound to every queue, and no worker or producer runs before it is.
    delayed = DelayedDelivery(
        "delayed",
        DelayedDeliveryArgs(
            document=delayed_delivery_document(plan),
            image=foundation.images.worker,
            broker_tls=loaded.settings.broker_issuer is not None,
            placement=foundation.placements.system,
        ),
        opts=_after(foundation, topology, *queues.values()),
    )
    return _InBroker(topology=topology, queues=queues, delayed=delayed)


def _web(loaded: Loaded, foundation: Foundation, results: _Results, delayed: DelayedDelivery) -> Web:
    spec = loaded.settings.spec
    return Web(
        "web",
        WebArgs(
            document=web_document(loaded.plan),
            image=foundation.images.web,
            results_secret=results.secret_name,
            results=foundation.results or IN_CLUSTER,
            broker_tls=loaded.settings.broker_issuer is not None,
            plan=loaded.plan.web,
            placement=foundation.placements.system,
            drain_seconds=DRAIN_SECONDS if foundation.web_is_behind_balancer else 0,
            limits=WebLimits(max_body_bytes=spec.web.max_body, rate_per_second=spec.web.rate, burst=spec.web.burst),
            tokens=None if spec.web_tokens is None else pulumi.Output.secret(spec.web_tokens),
        ),
        opts=_after(foundation, delayed, results),
    )


def _beat(loaded: Loaded, foundation: Foundation, results: _Results, delayed: DelayedDelivery) -> Beat:
    return Beat(
        "beat",
        BeatArgs(
            document=producer_document(loaded.plan),
            image=foundation.images.worker,
            results_secret=results.secret_name,
            results=foundation.results or IN_CLUSTER,
            broker_tls=loaded.settings.broker_issuer is not None,
            placement=foundation.placements.system,
        ),
        opts=_after(foundation, delayed, results),
    )


def _scale_in(loaded: Loaded, foundation: Foundation, workers: list[QueueWorkers]) -> ScaleIn:
    return ScaleIn(
        "scale-in",
        ScaleInArgs(
            document=scale_in_document(loaded.plan),
            image=foundation.images.worker,
            placement=foundation.placements.system,
        ),
        opts=_after(foundation, *workers),
    )


def _observability(loaded: Loaded, foundation: Foundation, namespace: FleetNamespace) -> Observability:
    settings = loaded.settings
    return Observability(
        "observability",
        ObservabilityArgs(
            plan=loaded.plan,
            mode=settings.monitoring,
            broker_tls=settings.broker_issuer is not None,
            labels=settings.spec.monitoring.labels,
            runbook=settings.spec.monitoring.runbook,
        ),
        opts=_after(foundation, namespace),
    )
