"""The web layer.

Invariant: it only enqueues and answers about tasks, and always has a pod that can.
"""

from dataclasses import dataclass, field

import pulumi

from fleet.documents import WebDocument, dump_document
from fleet.web import WebPlan
from infra.manifests.metadata import config_map, disruption_budget, service_account
from infra.manifests.pods import DOCUMENT_NAME, IN_CLUSTER, ResultsAddress
from infra.manifests.web import (
    NAME,
    UNLIMITED,
    WebLimits,
    WebManifest,
    tokens_secret,
    web_autoscaler,
    web_deployment,
    web_service,
)
from infra.objects import KubernetesObject
from infra.placement import ANYWHERE, Placement


@dataclass(frozen=True, kw_only=True)
class WebArgs:
    """What the web layer publishes to and runs."""

    document: WebDocument
    image: pulumi.Input[str]
    results_secret: pulumi.Input[str]
    plan: WebPlan
    """Pods, their requests and their autoscaler."""
    results: ResultsAddress = IN_CLUSTER
    broker_tls: bool = False
    placement: Placement = ANYWHERE
    drain_seconds: int = 0
    """How long a pod goes on before it stops, where a load balancer outside the cluster sends to it."""
    limits: WebLimits = UNLIMITED
    tokens: pulumi.Output[str] | None = field(default=None, repr=False)
    """A secret output, in the form of `fleet.web.TOKEN_FORM`; without it anybody may ask who reaches the web layer."""


class Web(pulumi.ComponentResource):
    """Deployment, Service, autoscaler on CPU and disruption budget of the web layer."""

    service_name: pulumi.Output[str]

    def __init__(self, name: str, args: WebArgs, *, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("celery-fleet:web:Web", name, None, opts)
        fleet, child = args.document.producer.fleet, pulumi.ResourceOptions(parent=self)
        document = KubernetesObject(
            f"{name}-document",
            config_map(fleet, NAME, "web", {DOCUMENT_NAME: dump_document(args.document)}),
            opts=child,
        )
        account = KubernetesObject(f"{name}-service-account", service_account(fleet, NAME, "web"), opts=child)
        KubernetesObject(f"{name}-disruption-budget", disruption_budget(fleet, NAME, "web"), opts=child)
        secret = None
        if args.tokens is not None:
            made = KubernetesObject(f"{name}-tokens", tokens_secret(fleet, args.tokens), opts=child)
            # A Secret's metadata is no secret; the pods only name it.
            secret = pulumi.Output.unsecret(made.object_name)
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
                    broker_tls=args.broker_tls,
                    placement=args.placement,
                    drain_seconds=args.drain_seconds,
                    limits=args.limits,
                    tokens_secret=secret,
                )
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[account]),
        )
        after = pulumi.ResourceOptions(parent=self, depends_on=[deployment])
        KubernetesObject(f"{name}-autoscaler", web_autoscaler(fleet, args.plan), opts=after)
        service = KubernetesObject(f"{name}-service", web_service(fleet), opts=after)
        self.service_name = service.object_name
        self.register_outputs({"service_name": self.service_name})
