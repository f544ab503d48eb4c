"""The scheduler of periodic tasks, for applications that have any.

Invariant: one pod, replaced only after it is gone.
"""

from dataclasses import dataclass

import pulumi

from fleet.documents import ProducerDocument, dump_document
from infra.manifests.beat import NAME, BeatManifest, beat_deployment
from infra.manifests.metadata import config_map, service_account
from infra.manifests.pods import DOCUMENT_NAME, IN_CLUSTER, ResultsAddress
from infra.objects import KubernetesObject
from infra.placement import ANYWHERE, Placement


@dataclass(frozen=True, kw_only=True)
class BeatArgs:
    """What beat publishes to and runs."""

    document: ProducerDocument
    image: pulumi.Input[str]
    results_secret: pulumi.Input[str]
    results: ResultsAddress = IN_CLUSTER
    broker_tls: bool = False
    placement: Placement = ANYWHERE


class Beat(pulumi.ComponentResource):
    """The single-replica Deployment of beat."""

    deployment_name: pulumi.Output[str]

    def __init__(self, name: str, args: BeatArgs, *, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("celery-fleet:beat:Beat", name, None, opts)
        fleet, child = args.document.fleet, pulumi.ResourceOptions(parent=self)
        document = KubernetesObject(
            f"{name}-document",
            config_map(fleet, NAME, "beat", {DOCUMENT_NAME: dump_document(args.document)}),
            opts=child,
        )
        account = KubernetesObject(f"{name}-service-account", service_account(fleet, NAME, "beat"), opts=child)
        deployment = KubernetesObject(
            f"{name}-deployment",
            beat_deployment(
                BeatManifest(
                    fleet=fleet,
                    image=args.image,
                    document=document.object_name,
                    results_secret=args.results_secret,
                    results=args.results,
                    broker_tls=args.broker_tls,
                    placement=args.placement,
                )
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[account]),
        )
        self.deployment_name = deployment.object_name
        self.register_outputs({"deployment_name": self.deployment_name})
