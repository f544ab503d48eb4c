"""What exists in the broker: the shared part once, one component for each queue, and the delayed-delivery tree.

Invariant: a queue, its dead letters, its policy and its bindings are there before anything publishes to it or consumes it.
"""

from dataclasses import dataclass

import pulumi

from fleet.plan import QueuePlan
from fleet.topology import FleetTopology
from infra.manifests import topology as manifests
from infra.manifests.autoscaling import trigger_authentication, trigger_tls
from infra.manifests.topology import DeletionPolicy
from infra.objects import KubernetesObject


@dataclass(frozen=True, kw_only=True)
class BrokerTopologyArgs:
    """What all queues share."""

    fleet: str
    topology: FleetTopology
    counted: tuple[str, ...]
    """Broker queues whose messages the web layer may count (`fleet.plan.Plan.counted_queues`)."""
    deletion: DeletionPolicy
    """What becomes of the vhost and its queues when their resources are deleted."""
    broker_tls: bool = False
    """Whether the broker speaks TLS, and then nothing else."""


class BrokerTopology(pulumi.ComponentResource):
    """Vhost, users with the least they need, the exchanges for publishers and the queue of what they cannot route."""

    vhost_name: pulumi.Output[str]

    def __init__(self, name: str, args: BrokerTopologyArgs, *, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("celery-fleet:topology:BrokerTopology", name, None, opts)
        fleet, topology = args.fleet, args.topology
        vhost = KubernetesObject(
            f"{name}-vhost", manifests.vhost(fleet, topology, args.deletion), opts=pulumi.ResourceOptions(parent=self)
        )
        # The operator would retry with a growing delay whatever stands in a vhost that is not there yet.
        inside = pulumi.ResourceOptions(parent=self, depends_on=[vhost])
        self._add_users(name, args, inside)
        exchange = KubernetesObject(
            f"{name}-unrouted-exchange", manifests.unrouted_exchange(fleet, topology), opts=inside
        )
        queue = KubernetesObject(
            f"{name}-unrouted-queue", manifests.unrouted_queue(fleet, topology, args.deletion), opts=inside
        )
        bound = pulumi.ResourceOptions(parent=self, depends_on=[exchange, queue])
        KubernetesObject(f"{name}-unrouted-binding", manifests.unrouted_binding(fleet, topology), opts=bound)
        KubernetesObject(f"{name}-unrouted-policy", manifests.unrouted_policy(fleet, topology), opts=inside)
        KubernetesObject(f"{name}-tasks", manifests.task_exchange(fleet, topology), opts=inside)
        if topology.ingress is not None:
            KubernetesObject(f"{name}-ingress", manifests.ingress_exchange(fleet, topology), opts=inside)
        self.vhost_name = vhost.object_name
        self.register_outputs({"vhost_name": self.vhost_name})

    def _add_users(self, name: str, args: BrokerTopologyArgs, inside: pulumi.ResourceOptions) -> None:
        made: dict[str, KubernetesObject] = {}
        for spec in manifests.users(args.topology, args.counted):
            made[spec.name] = KubernetesObject(
                f"{name}-{spec.name}-user",
                manifests.user(args.fleet, spec),
                opts=pulumi.ResourceOptions(parent=self),
            )
            granted = pulumi.ResourceOptions.merge(inside, pulumi.ResourceOptions(depends_on=[made[spec.name]]))
            KubernetesObject(
                f"{name}-{spec.name}-permission",
                manifests.permission(args.fleet, args.topology, spec),
                opts=granted,
            )
        tls = None
        if args.broker_tls:
            tls = KubernetesObject(
                f"{name}-trigger-tls", trigger_tls(args.fleet), opts=pulumi.ResourceOptions(parent=self)
            ).object_name
        KubernetesObject(
            f"{name}-trigger-authentication",
            trigger_authentication(args.fleet, tls=tls),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[made["autoscaler"]]),
        )


@dataclass(frozen=True, kw_only=True)
class QueueTopologyArgs:
    """One queue of the catalogue."""

    fleet: str
    topology: FleetTopology
    queue: QueuePlan
    deletion: DeletionPolicy


class QueueTopology(pulumi.ComponentResource):
    """One queue in the broker: its shards, dead letters, bindings and policy."""

    queue_names: list[str]
    """Broker queues that workers consume."""

    def __init__(self, name: str, args: QueueTopologyArgs, *, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("celery-fleet:topology:QueueTopology", name, None, opts)
        fleet, topology, queue = args.fleet, args.topology, args.queue
        child = pulumi.ResourceOptions(parent=self)
        bound_to: list[pulumi.Resource] = [
            KubernetesObject(f"{name}-policy", manifests.queue_policy(fleet, topology, queue), opts=child),
            KubernetesObject(f"{name}-dead-policy", manifests.dead_letter_policy(fleet, topology, queue), opts=child),
        ]
        for broker_queue, manifest in manifests.task_queues(fleet, topology, queue, args.deletion).items():
            bound_to.append(KubernetesObject(f"{name}-{broker_queue}-queue", manifest, opts=child))
        if queue.topology.sharded:
            exchange = manifests.shard_exchange(fleet, topology, queue)
            bound_to.append(KubernetesObject(f"{name}-exchange", exchange, opts=child))
        # Last of all, so that no message arrives in a queue without its policy.
        bound = pulumi.ResourceOptions(parent=self, depends_on=bound_to)
        bindings = {
            **manifests.task_bindings(fleet, topology, queue),
            **manifests.ingress_bindings(fleet, topology, queue),
        }
        for binding, manifest in bindings.items():
            KubernetesObject(f"{name}-{binding}-binding", manifest, opts=bound)
        self.queue_names = list(queue.topology.shards)
        self.register_outputs({"queue_names": self.queue_names})
