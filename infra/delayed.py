"""The delayed-delivery tree, declared once for each list of queues.

Invariant: a queue at zero accepts countdowns from the first second, because the tree is bound before any worker runs; kombu's own functions
declare it, so it is what Celery expects.
"""

from dataclasses import dataclass

import pulumi

from fleet.documents import DelayedDeliveryDocument, dump_document
from infra.manifests.delayed import delayed_delivery_job, job_suffix
from infra.manifests.metadata import config_map
from infra.manifests.pods import DOCUMENT_NAME
from infra.objects import KubernetesObject
from infra.placement import ANYWHERE, Placement

IMAGE_PATH = "spec.template.spec.containers[0].image"


@dataclass(frozen=True, kw_only=True)
class DelayedDeliveryArgs:
    """The tree and the image that knows how to declare it."""

    document: DelayedDeliveryDocument
    image: pulumi.Input[str]
    broker_tls: bool = False
    placement: Placement = ANYWHERE


class DelayedDelivery(pulumi.ComponentResource):
    """A Job that ran to its end."""

    job_name: pulumi.Output[str]

    def __init__(self, name: str, args: DelayedDeliveryArgs, *, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("celery-fleet:delayed:DelayedDelivery", name, None, opts)
        fleet, document = args.document.fleet, dump_document(args.document)
        child = pulumi.ResourceOptions(parent=self)
        stored = KubernetesObject(
            f"{name}-document",
            config_map(fleet, "delayed-delivery", "delayed-delivery", {DOCUMENT_NAME: document}),
            opts=child,
        )
        # The hash is part of the resource's name too: another document is another Job, not a change of this one. Of the same Job the image
        # may differ, since what it declared stays, and a Job cannot be changed.
        job = KubernetesObject(
            f"{name}-job-{job_suffix(document, broker_tls=args.broker_tls)}",
            delayed_delivery_job(
                fleet,
                document,
                image=args.image,
                config_map_name=stored.object_name,
                broker_tls=args.broker_tls,
                placement=args.placement,
            ),
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=[IMAGE_PATH]),
        )
        self.job_name = job.object_name
        self.register_outputs({"job_name": self.job_name})
