"""The autoscaler of one broker queue in KEDA's words, and how KEDA reads the broker.

Invariant: every number is the Plan's; this file only spells it. The counts come over HTTP because only there unacknowledged messages are
counted, and credentials come from a Secret, never from trigger metadata. Source: KEDA 2.21 docs, "RabbitMQ Queue" and "ScaledObject
specification"; `fleet/scaling.py` for the rule.
"""

from dataclasses import dataclass

import pulumi

from fleet.plan import QueuePlan
from fleet.scaling import AutoscalingPlan, PeakWindow, window_name
from fleet.units import format_number
from infra.manifests.metadata import READY, Manifest, config_map, metadata
from infra.manifests.tls import BROKER_CERTIFICATE, CA_KEY, broker_ports, server_name
from infra.manifests.workers import worker_name

AUTHENTICATION_NAME = "autoscaler"
AUTOSCALER_USER_SECRET = "autoscaler-user-credentials"  # noqa: S105 -- the name of a Secret, made by the topology operator

SCALE_UP_PERIOD_SECONDS = 15
"""One sync of the horizontal pod autoscaler."""


def trigger_tls(fleet: str) -> Manifest:
    """KEDA's word for speaking TLS, which it takes from no trigger's metadata (2.21, `rabbitmq_scaler.go`: `tls` is of `authParams`)."""
    return config_map(fleet, "autoscaler-tls", "broker", {"tls": "enable"})


def trigger_authentication(fleet: str, *, tls: pulumi.Input[str] | None = None) -> Manifest:
    """KEDA's credentials: the broker user that may only look; `tls` names the ConfigMap of `trigger_tls` where the broker speaks it."""
    secrets = [{"parameter": key, "name": AUTOSCALER_USER_SECRET, "key": key} for key in ("username", "password")]
    spec: Manifest = {"secretTargetRef": secrets}
    if tls is not None:
        secrets.append({"parameter": "ca", "name": BROKER_CERTIFICATE, "key": CA_KEY})
        spec["configMapTargetRef"] = [{"parameter": "tls", "name": tls, "key": "tls"}]
    return {
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "TriggerAuthentication",
        "metadata": metadata(fleet, AUTHENTICATION_NAME, "broker"),
        "spec": spec,
    }


def management_address(fleet: str, *, tls: bool) -> str:
    """Where the broker's management API answers inside the cluster."""
    return f"{'https' if tls else 'http'}://{server_name(fleet)}:{broker_ports(tls=tls).management}"


@dataclass(frozen=True, kw_only=True)
class Counted:
    """The broker queue whose messages a trigger counts."""

    fleet: str
    vhost: str
    shard: str
    broker_tls: bool


def _trigger(counted: Counted, *, name: str, value: str, ready_only: bool = False) -> Manifest:
    facts = {
        "protocol": "http",
        "host": management_address(counted.fleet, tls=counted.broker_tls),
        "vhostName": counted.vhost,
        "queueName": counted.shard,
        "mode": "QueueLength",
        "value": value,
    }
    if ready_only:
        facts["excludeUnacknowledged"] = "true"
    return {
        "type": "rabbitmq",
        "name": name,
        "metricType": "AverageValue",
        "metadata": facts,
        "authenticationRef": {"name": AUTHENTICATION_NAME},
    }


def _triggers(counted: Counted, plan: AutoscalingPlan) -> list[Manifest]:
    """One trigger of the long regime, or the two that a formula reads (their own values then count for nothing), and the known peaks."""
    windows = [_window(index, window) for index, window in enumerate(plan.windows)]
    if plan.formula is None:
        return [_trigger(counted, name="total", value=format_number(plan.target)), *windows]
    return [
        _trigger(counted, name="total", value="1"),
        _trigger(counted, name="ready", value="1", ready_only=True),
        *windows,
    ]


def _window(index: int, window: PeakWindow) -> Manifest:
    """A known peak: KEDA counts `desiredReplicas` while it lasts and 0 outside, where it is not active either (2.21, `cron_scaler.go`)."""
    return {
        "type": "cron",
        "name": window_name(index),
        "metricType": "AverageValue",
        "metadata": {
            "timezone": window.timezone,
            "start": window.start,
            "end": window.end,
            "desiredReplicas": str(window.min_replicas),
        },
    }


def _advanced(plan: AutoscalingPlan) -> Manifest:
    found: Manifest = {
        "horizontalPodAutoscalerConfig": {
            "behavior": {
                # All that the formula asks for, at once: a backlog waits while pods come in steps.
                "scaleUp": {
                    "stabilizationWindowSeconds": 0,
                    "selectPolicy": "Max",
                    "policies": [
                        {
                            "type": "Pods",
                            "value": plan.max_replicas,
                            "periodSeconds": SCALE_UP_PERIOD_SECONDS,
                        }
                    ],
                },
                "scaleDown": {"stabilizationWindowSeconds": plan.scale_down_window_seconds},
            }
        }
    }
    if plan.formula is not None:
        found["scalingModifiers"] = {
            "formula": plan.whole_formula,
            "target": format_number(plan.target),
            "metricType": "AverageValue",
        }
    return found


def scaled_object(fleet: str, vhost: str, queue: QueuePlan, shard: str, *, broker_tls: bool = False) -> Manifest:
    """The ScaledObject of one broker queue."""
    plan, name = queue.autoscaling, worker_name(shard)
    counted = Counted(fleet=fleet, vhost=vhost, shard=shard, broker_tls=broker_tls)
    return {
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "ScaledObject",
        "metadata": metadata(fleet, name, "worker", queue=queue.name, annotations=READY),
        "spec": {
            "scaleTargetRef": {"name": name},
            "pollingInterval": plan.polling_seconds,
            "cooldownPeriod": plan.cooldown_seconds,
            "minReplicaCount": plan.min_replicas,
            "maxReplicaCount": plan.max_replicas,
            "fallback": {
                "failureThreshold": plan.fallback_failures,
                "replicas": plan.fallback_replicas,
                "behavior": "currentReplicasIfHigher",
            },
            "advanced": _advanced(plan),
            "triggers": _triggers(counted, plan),
        },
    }
