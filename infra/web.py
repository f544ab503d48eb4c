"""The web layer.

Invariant: it only enqueues and answers about tasks, and always has a pod that can.
"""

from dataclasses import dataclass

import pulumi

from fleet.documents import ProducerDocument, dump_document
from fleet.web import WebPlan
from infra.manifests.metadata import config_map, disruption_budget, service_account
from infra.manifests.pods import DOCUMENT_NAME, IN_CLUSTER, ResultsAddress
from infra.manifests.web import NAME, WebManifest, web_autoscaler, web_deployment, web_service
from infra.objects import KubernetesObject
from infra.placement import ANYWHERE, Placement


@dataclass(frozen=True, kw_only=True)
class WebArgs:
    """What the web layer publishes to and runs."""

    document: ProducerDocument
    image: pulumi.Input[str]
    results_secret: pulumi.Input[str]
    plan: WebPlan
    """Pods, their requests and their autoscaler."""
    results: ResultsAddress = IN_CLUSTER
    placement: Placement = ANYWHERE
    drain_seconds: int = 0
    """How long a pod goes on before it stops, where a load balancer outside the cluster sends to it."""


class Web(pulumi.ComponentResource):
    """Deployment, Service, autoscaler on CPU and disruption budget of the web layer."""

    service_name: pulumi.Output[str]

    def __init__(self, name: str, args: WebArgs, *, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("celery-fleet:web:Web", name, None, opts)
        fleet, child = args.document.fleet, pulumi.ResourceOptions(parent=self)
        document = KubernetesObject(
            f"{name}-document",
            config_map(fleet, NAME, "web", {DOCUMENT_NAME: dump_document(args.document)}),
            opts=child,
        )
        account = KubernetesObject(f"{name}-service-account", service_account(fleet, NAME, "web"), opts=child)
        KubernetesObject(f"{name}-disruption-budget", disruption_budget(fleet, NAME, "web"), opts=child)
        deployment = KubernetesObject(
            f"{name}-deployment",
            web_deployment(
                WebManifest(
                    fleet=fleet,
                    plan=args.plan,
                    image=args.image,
                    document=document.object_name,
                    results_secret=args.results_secret,
                    results=args.results,
                    placement=args.placement,
                    drain_seconds=args.drain_seconds,
                )
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[account]),
        )
        after = pulumi.ResourceOptions(parent=self, depends_on=[deployment])
        KubernetesObject(f"{name}-autoscaler", web_autoscaler(fleet, args.plan), opts=after)
        service = KubernetesObject(f"{name}-service", web_service(fleet), opts=after)
        self.service_name = service.object_name
        self.register_outputs({"service_name": self.service_name})
