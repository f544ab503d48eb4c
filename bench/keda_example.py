"""KEDA's documented RabbitMQ example, beside the fleet's own autoscaler, for a queue of a running fleet.

Invariant: the example differs from the fleet in its ScaledObject alone: it drives a copy of the queue's Deployment. It leaves nothing behind, and
no object that Pulumi owns changes but for an annotation that is taken away again.
Source: KEDA 2.21 docs, "RabbitMQ Queue" (QueueLength over AMQP; 20 is the value of KEDA's own sample) and "ScaledObject specification" (polling
interval 30 s by default), "Pause autoscaling".
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.cluster.running_fleet import RunningFleet

EXAMPLE = "keda-example"
BROKER_LOGIN = "broker-default-user"
"""Secret that the cluster operator makes."""


@contextmanager
def paused_autoscaler(fleet: RunningFleet, queue: str) -> Iterator[None]:
    """The fleet's own autoscaler of a queue does nothing during the block."""
    scaled_object = f"scaledobject/worker-{queue}"
    fleet.kubectl("annotate", "--overwrite", scaled_object, "autoscaling.keda.sh/paused=true")
    try:
        yield
    finally:
        fleet.kubectl("annotate", scaled_object, "autoscaling.keda.sh/paused-")


@contextmanager
def running_example(fleet: RunningFleet, queue: str) -> Iterator[None]:
    """KEDA's example scales a copy of the queue's Deployment during the block."""
    items = [_login(fleet), _authentication(), _deployment(fleet, queue), _scaled_object(fleet, queue)]
    manifest = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
    try:
        fleet.kubectl("apply", "-f", "-", stdin=manifest)
        fleet.kubectl("wait", f"scaledobject/{EXAMPLE}", "--for=condition=Ready", "--timeout=60s", timeout=90)
        yield
    finally:
        fleet.kubectl("delete", "--ignore-not-found", "--wait", "-f", "-", stdin=manifest, timeout=180)


def _login(fleet: RunningFleet) -> dict[str, Any]:
    data = json.loads(fleet.kubectl("get", f"secret/{BROKER_LOGIN}", "-o", "json"))["data"]
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": EXAMPLE}, "data": data}


def _authentication() -> dict[str, Any]:
    keys = [{"parameter": key, "name": EXAMPLE, "key": key} for key in ("username", "password")]
    return {
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "TriggerAuthentication",
        "metadata": {"name": EXAMPLE},
        "spec": {"secretTargetRef": keys},
    }


def _deployment(fleet: RunningFleet, queue: str) -> dict[str, Any]:
    """A copy of the queue's Deployment under labels of its own, at zero."""
    specification = json.loads(fleet.kubectl("get", f"deployment/worker-{queue}", "-o", "json"))["spec"]
    labels = {"app.kubernetes.io/name": EXAMPLE}
    specification["template"]["metadata"]["labels"].update(labels)
    specification.update(selector={"matchLabels": labels}, replicas=0)
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": EXAMPLE}, "spec": specification}


def _scaled_object(fleet: RunningFleet, queue: str) -> dict[str, Any]:
    trigger = {
        "type": "rabbitmq",
        "metadata": {
            "host": f"amqp://broker.{fleet.namespace}.svc:5672/{fleet.namespace}",
            "protocol": "amqp",
            "mode": "QueueLength",
            "value": "20",
            "queueName": queue,
        },
        "authenticationRef": {"name": EXAMPLE},
    }
    return {
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "ScaledObject",
        "metadata": {"name": EXAMPLE},
        "spec": {
            "scaleTargetRef": {"name": EXAMPLE},
            "minReplicaCount": 0,
            "maxReplicaCount": 5,
            "triggers": [trigger],
        },
    }
