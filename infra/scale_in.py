"""The scale-in controller, for fleets in which a scale-in may interrupt tasks.

Invariant: its account may do what it needs before its pod starts, and nothing beside.
"""

from dataclasses import dataclass

import pulumi

from fleet.documents import ScaleInDocument, dump_document
from infra.manifests.metadata import config_map, service_account
from infra.manifests.pods import DOCUMENT_NAME
from infra.manifests.scale_in import (
    NAME,
    ScaleInManifest,
    scale_in_deployment,
    scale_in_role,
    scale_in_role_binding,
)
from infra.objects import KubernetesObject
from infra.placement import ANYWHERE, Placement


@dataclass(frozen=True, kw_only=True)
class ScaleInArgs:
    """Whose pods it looks after, and what it runs."""

    document: ScaleInDocument

    image: pulumi.Input[str]
    """By digest: the workers' own."""

    placement: Placement = ANYWHERE


class ScaleIn(pulumi.ComponentResource):
    """The single-replica Deployment of the controller, and its account."""

    deployment_name: pulumi.Output[str]

    def __init__(self, name: str, args: ScaleInArgs, *, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("celery-fleet:scale-in:ScaleIn", name, None, opts)
        fleet, child = args.document.fleet, pulumi.ResourceOptions(parent=self)
        document = KubernetesObject(
            f"{name}-document",
            config_map(fleet, NAME, "scale-in", {DOCUMENT_NAME: dump_document(args.document)}),
            opts=child,
        )
        account = KubernetesObject(f"{name}-service-account", service_account(fleet, NAME, "scale-in"), opts=child)
        role = KubernetesObject(f"{name}-role", scale_in_role(fleet), opts=child)
        # Names are plain text here, so the order has to be said.
        binding = KubernetesObject(
            f"{name}-role-binding",
            scale_in_role_binding(fleet),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[account, role]),
        )
        deployment = KubernetesObject(
            f"{name}-deployment",
            scale_in_deployment(
                ScaleInManifest(fleet=fleet, image=args.image, document=document.object_name, placement=args.placement)
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[binding]),
        )
        self.deployment_name = deployment.object_name
        self.register_outputs({"deployment_name": self.deployment_name})
