"""How a fleet is reached from outside its cluster.

Invariant: there is no way in that was not asked for, and each is gone before the controller that made its load balancer.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pulumi

from infra.manifests.metadata import Manifest
from infra.objects import KubernetesObject


@dataclass(frozen=True, kw_only=True)
class WaysInArgs:
    """The ways, and what they name."""

    manifests: Mapping[str, Manifest]
    """Name -> Ingress, or Service of the type LoadBalancer; plain in number, because each is a resource."""

    classes: Mapping[str, Manifest] = field(default_factory=dict)
    """Name -> what has to be there before them, one after the other: the class of the Ingresses."""


class WaysIn(pulumi.ComponentResource):
    """The Ingress of the web layer and the load balancer of the broker, as far as they are wanted."""

    names: list[str]

    def __init__(self, name: str, args: WaysInArgs, *, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("celery-fleet:ways-in:WaysIn", name, None, opts)
        before: list[pulumi.Resource] = []
        for kind, manifest in args.classes.items():
            after = pulumi.ResourceOptions(parent=self, depends_on=before)
            before = [KubernetesObject(f"{name}-{kind}", manifest, opts=after)]
        for way, manifest in args.manifests.items():
            KubernetesObject(f"{name}-{way}", manifest, opts=pulumi.ResourceOptions(parent=self, depends_on=before))
        self.names = list(args.manifests)
        self.register_outputs({"names": self.names})
