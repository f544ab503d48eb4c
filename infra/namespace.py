"""The fleet's namespace and who may talk to whom in it.

Invariant: no workload exists before the policies that bound it; facts are the table in `infra.manifests.network`.
"""

from dataclasses import dataclass

import pulumi

from infra.manifests.metadata import namespace
from infra.manifests.network import network_policies, rules
from infra.objects import KubernetesObject


@dataclass(frozen=True, kw_only=True)
class FleetNamespaceArgs:
    """What the namespace is made of."""

    fleet: str
    """Name of the fleet and of its namespace."""

    publishers: bool = False
    """Whether pods that are not the fleet's may publish, by their label; plain, because it decides what is allowed."""

    broker_tls: bool = False
    """Whether the broker speaks TLS, and then nothing else."""

    broker_cidrs: tuple[pulumi.Input[str], ...] = ()
    """Networks of a load balancer in front of the broker."""

    scale_in: bool = False
    """Whether a controller asks workers for their busy slots; plain, because it decides what is allowed."""

    readiness_gates: bool = False
    """Whether a pod behind a load balancer waits for its word before it is ready."""


class FleetNamespace(pulumi.ComponentResource):
    """A namespace that enforces the restricted pod security standard and refuses what its network policies do not allow."""

    namespace_name: pulumi.Output[str]

    def __init__(self, name: str, args: FleetNamespaceArgs, *, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("celery-fleet:namespace:FleetNamespace", name, None, opts)
        made = KubernetesObject(
            f"{name}-namespace",
            namespace(args.fleet, readiness_gates=args.readiness_gates),
            opts=pulumi.ResourceOptions(parent=self),
        )
        # Policies name their namespace in plain text, so the order has to be said; a protected namespace does not hold up their change.
        inside = pulumi.ResourceOptions(parent=self, depends_on=[made], protect=False)
        table = rules(
            broker_tls=args.broker_tls,
            publishers=args.publishers,
            broker_cidrs=args.broker_cidrs,
            scale_in=args.scale_in,
        )
        for policy, manifest in network_policies(args.fleet, table).items():
            KubernetesObject(f"{name}-{policy}", manifest, opts=inside)
        self.namespace_name = made.object_name
        self.register_outputs({"namespace_name": self.namespace_name})
