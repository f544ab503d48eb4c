"""Which objects a Plan becomes, and what of it each is made from: enough to tell what a change of the catalogue reaches.

Invariant: two plans that differ for an object here differ in the manifests that the infrastructure builds, and the other way round; a test holds
this file against those builders. Only objects that depend on the catalogue are listed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from msgspec import structs

from fleet.documents import (
    delayed_delivery_document,
    dump_document,
    producer_document,
    scale_in_document,
    web_document,
    worker_document,
)
from fleet.plan import Plan, QueuePlan
from fleet.scaling import Regime

IMMUTABLE = frozenset({"Binding", "Exchange", "Job", "Queue"})
"""Kinds whose objects are replaced where others are updated: the topology operator refuses a change of them, and a Job runs once."""


@dataclass(frozen=True, kw_only=True, order=True)
class Identity:
    """An object by kind and name."""

    queue: str
    """The queue it belongs to; empty for what all queues share."""
    kind: str
    name: str
    """Its name in the cluster, without the hash that some end in."""


def plan_objects(plan: Plan) -> dict[Identity, Any]:
    """Every object that depends on the catalogue -> what it is made from."""
    found = {Identity(queue="", kind=kind, name=name): content for kind, name, content in _shared(plan)}
    for queue in plan.queues:
        for kind, name, content in (*_topology(plan, queue), *_workers(plan, queue)):
            found[Identity(queue=queue.name, kind=kind, name=name)] = content
    return found


_Object = tuple[str, str, Any]


def _shared(plan: Plan) -> Iterator[_Object]:
    producer, web = dump_document(producer_document(plan)), dump_document(web_document(plan))
    yield "RabbitmqCluster", "broker", plan.broker
    yield "Vhost", plan.topology.vhost, plan.topology.vhost
    yield "Permission", "producer", plan.counted_queues
    yield "ConfigMap", "web", web
    yield "ConfigMap", "beat", producer
    yield "Deployment", "web", (web, plan.web)
    yield "HorizontalPodAutoscaler", "web", plan.web
    yield "Deployment", "beat", producer
    if plan.topology.ingress is not None:
        for kind in ("Exchange", "User", "Permission"):
            yield kind, plan.topology.ingress, plan.topology.vhost
    yield "NetworkPolicy", "broker", plan.topology.ingress
    yield "NetworkPolicy", "worker", bool(plan.scale_in.queues)
    if plan.scale_in.queues:
        document = dump_document(scale_in_document(plan))
        for kind in ("ServiceAccount", "Role", "RoleBinding"):
            yield kind, "scale-in", plan.fleet
        for kind in ("ConfigMap", "Deployment"):
            yield kind, "scale-in", document
    delayed = dump_document(delayed_delivery_document(plan))
    yield "ConfigMap", "delayed-delivery", delayed
    yield "Job", "delayed-delivery", delayed


def _topology(plan: Plan, queue: QueuePlan) -> Iterator[_Object]:
    topology = queue.topology
    for name in (*topology.shards, topology.dead_letter_queue):
        yield "Queue", name, plan.topology.vhost
    if topology.sharded:
        yield "Exchange", queue.name, plan.topology.vhost
        for shard in topology.shards:
            yield "Binding", shard, queue.name
    yield "Binding", queue.name, topology.sharded
    if topology.keeps_failed:
        yield "Binding", topology.dead_letter_queue, topology.dead_letter_queue
    for pattern in topology.ingress_patterns:
        yield "Binding", f"{queue.name} by {pattern}", topology.sharded
    keep_seconds = topology.policy.dead_letter_keep_seconds
    yield "Policy", queue.name, (topology.shards, structs.replace(topology.policy, dead_letter_keep_seconds=0))
    yield "Policy", topology.dead_letter_queue, keep_seconds


def _workers(plan: Plan, queue: QueuePlan) -> Iterator[_Object]:
    # Numbers on the way to others, which no object holds.
    scaling = structs.replace(queue.autoscaling, regime=Regime.LONG, reaction_seconds=0.0, peak_replicas=0)
    yield "ServiceAccount", f"worker-{queue.name}", queue.name
    for shard in queue.topology.shards:
        name = f"worker-{shard}"
        document = dump_document(worker_document(plan, queue, shard))
        yield "PodDisruptionBudget", name, queue.name
        yield "ConfigMap", name, document
        yield "Deployment", name, (document, queue.resources, queue.probes, queue.pod, queue.capacity)
        yield "ScaledObject", name, scaling
