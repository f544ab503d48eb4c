"""The RabbitMQ cluster of a fleet, as the cluster operator reads it.

Invariant: memory request and limit are equal (the operator warns otherwise, and RabbitMQ's watermark counts from the limit), and no key is
written that RabbitMQ 4.3 ignores (partition handling) or that does nothing for quorum queues (`queue_master_locator`).
Source: RabbitMQ 4.3 docs, "Quorum Queues" and "Production Checklist"; cluster operator 2.21 API reference.
"""

from fleet.plan import BrokerPlan
from fleet.units import format_cpu, format_size
from fleet.versions import RABBITMQ_IMAGE
from infra.manifests.metadata import Manifest, disruption_budget, metadata
from infra.manifests.tls import cluster_tls
from infra.placement import ANYWHERE, Placement

BROKER_NAME = "broker"
"""Name of the RabbitmqCluster and of the Service in front of its nodes."""

GRACE_SECONDS = 600
"""A node leaves when its quorum queues have a majority elsewhere; the operator's own default is a week, which no node drain waits for."""

ALL_REPLICAS_READY = {"pulumi.com/waitFor": "condition=AllReplicasReady"}
"""There is no condition `Ready` on a RabbitmqCluster."""


def broker_settings(plan: BrokerPlan, *, tls: bool = False) -> str:
    """Lines of rabbitmq.conf beside those that the operator writes."""
    lines = [
        "queue_leader_locator = balanced",
        f"raft.wal_max_size_bytes = {plan.wal_max_bytes}",
        f"disk_free_limit.absolute = {plan.disk_free_bytes}",
    ]
    if plan.nodes > 1:
        lines += [
            "quorum_queue.continuous_membership_reconciliation.enabled = true",
            f"quorum_queue.continuous_membership_reconciliation.target_group_size = {min(plan.nodes, 3)}",
        ]
    if tls:
        # With a `caSecretName` the operator writes `verify_peer`, and then RabbitMQ on Erlang 29 lets in no client without a certificate (tried on 4.3.6).
        # And the plugin's own default keeps 15692 open, whatever the operator's `disableNonTLSListeners` closes.
        lines += ["ssl_options.verify = verify_none", "prometheus.tcp.listener = none"]
    return "".join(f"{line}\n" for line in lines)


def _spread_over_zones() -> Manifest:
    """One zone may be lost, so no two of three nodes share one; the operator's own default only prefers that."""
    return {
        "statefulSet": {
            "spec": {
                "template": {
                    "spec": {
                        # The operator's strategic merge wants the list of containers, if only empty.
                        "containers": [],
                        "topologySpreadConstraints": [
                            {
                                "maxSkew": 1,
                                "topologyKey": "topology.kubernetes.io/zone",
                                "whenUnsatisfiable": "DoNotSchedule",
                                "labelSelector": {"matchLabels": {"app.kubernetes.io/name": BROKER_NAME}},
                            }
                        ],
                    }
                }
            }
        }
    }


def _apart_from_each_other() -> Manifest:
    return {
        "podAntiAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": [
                {
                    "topologyKey": "kubernetes.io/hostname",
                    "labelSelector": {"matchLabels": {"app.kubernetes.io/name": BROKER_NAME}},
                }
            ]
        }
    }


def rabbitmq_cluster(
    fleet: str, plan: BrokerPlan, *, storage_class: str | None, tls: bool = False, placement: Placement = ANYWHERE
) -> Manifest:
    """The RabbitmqCluster; `storage_class` None takes the cluster's default."""
    memory = format_size(plan.memory_bytes)
    persistence = {"storage": format_size(plan.storage_bytes)}
    if storage_class is not None:
        persistence["storageClassName"] = storage_class
    spec: Manifest = {
        "replicas": plan.nodes,
        "image": RABBITMQ_IMAGE,
        "resources": {
            "requests": {"cpu": format_cpu(plan.cpu_millicores), "memory": memory},
            # No CPU limit: a throttled broker node misses its Raft heartbeats.
            "limits": {"memory": memory},
        },
        "persistence": persistence,
        "rabbitmq": {
            "additionalPlugins": ["rabbitmq_consistent_hash_exchange"],
            "additionalConfig": broker_settings(plan, tls=tls),
        },
        "terminationGracePeriodSeconds": GRACE_SECONDS,
    }
    if tls:
        spec["tls"] = cluster_tls()
    # The kind has no node selector of its own.
    affinity = placement.node_affinity()
    if plan.nodes > 1:
        affinity |= _apart_from_each_other()
    if affinity:
        spec["affinity"] = affinity
    if placement.tolerations:
        spec["tolerations"] = list(placement.tolerations)
    if plan.nodes > 1:
        spec["override"] = _spread_over_zones()
    return {
        "apiVersion": "rabbitmq.com/v1beta1",
        "kind": "RabbitmqCluster",
        "metadata": metadata(fleet, BROKER_NAME, "broker", annotations=ALL_REPLICAS_READY),
        "spec": spec,
    }


def broker_disruption_budget(fleet: str) -> Manifest:
    """One broker node away at a time: quorum queues live on."""
    return disruption_budget(fleet, BROKER_NAME, "broker")
