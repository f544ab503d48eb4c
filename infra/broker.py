"""The RabbitMQ cluster of a fleet.

Invariant: it counts as deployed when every node is ready, and no drain takes two of its nodes at a time.
"""

from dataclasses import dataclass

import pulumi

from fleet.plan import BrokerPlan
from infra.manifests.broker import broker_disruption_budget, rabbitmq_cluster
from infra.manifests.tls import broker_certificate
from infra.objects import KubernetesObject
from infra.placement import ANYWHERE, Placement


@dataclass(frozen=True, kw_only=True)
class BrokerArgs:
    """Size and storage of the cluster."""

    fleet: str
    plan: BrokerPlan
    storage_class: str | None = None
    """StorageClass of the nodes' volumes; None takes the cluster's default."""
    issuer: str | None = None
    """ClusterIssuer of the broker's certificate; None lets it speak in clear."""
    placement: Placement = ANYWHERE


class Broker(pulumi.ComponentResource):
    """A `RabbitmqCluster`; the cluster operator makes everything else from it."""

    cluster_name: pulumi.Output[str]

    def __init__(self, name: str, args: BrokerArgs, *, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("celery-fleet:broker:Broker", name, None, opts)
        needed = [] if args.issuer is None else [self._add_certificate(name, args, args.issuer)]
        cluster = KubernetesObject(
            f"{name}-cluster",
            rabbitmq_cluster(
                args.fleet,
                args.plan,
                storage_class=args.storage_class,
                tls=args.issuer is not None,
                placement=args.placement,
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=needed),
        )
        if args.plan.nodes > 1:
            KubernetesObject(
                f"{name}-disruption-budget",
                broker_disruption_budget(args.fleet),
                opts=pulumi.ResourceOptions(parent=self, protect=False),
            )
        self.cluster_name = cluster.object_name
        self.register_outputs({"cluster_name": self.cluster_name})

    def _add_certificate(self, name: str, args: BrokerArgs, issuer: str) -> pulumi.Resource:
        return KubernetesObject(
            f"{name}-certificate",
            broker_certificate(args.fleet, nodes=args.plan.nodes, issuer=issuer),
            opts=pulumi.ResourceOptions(parent=self, protect=False),
        )
