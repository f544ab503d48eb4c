"""Names, labels and annotations that every object of a fleet carries.

Invariant: an object is found by three labels: which fleet it is part of, what it is called, which component it belongs to. Names are fixed
where another object or a person refers to them, and absent (Pulumi then adds a random suffix) where a change has to make a new object.
"""

import re
from typing import Any, Literal

Manifest = dict[str, Any]
"""A Kubernetes object as the API server takes it; leaves may be Pulumi outputs."""

Component = Literal["worker", "web", "beat", "results", "broker", "delayed-delivery", "scale-in", "monitoring", "fleet"]

QUEUE_LABEL = "celery-fleet/queue"
"""Logical queue that an object serves."""

PROFILE_LABEL = "celery-fleet/profile"
"""On a worker Deployment: the profile of its queue, by which people and the policy pack tell who has a CPU limit."""

READY = {"pulumi.com/waitFor": "condition=Ready"}
"""Annotation: Pulumi goes on only when the object says that it is ready. A custom resource without it counts as done at once."""


READINESS_GATES_LABEL = "elbv2.k8s.aws/pod-readiness-gate-inject"
"""On a namespace: the AWS Load Balancer Controller adds its condition to pods behind its load balancers."""


def selector(name: str) -> dict[str, str]:
    """The labels by which a Service, a Deployment or a budget finds the pods of one workload."""
    return {"app.kubernetes.io/name": name}


def labels(fleet: str, name: str, component: Component, *, queue: str | None = None) -> dict[str, str]:
    """The labels of one object."""
    found = {
        "app.kubernetes.io/name": name,
        "app.kubernetes.io/part-of": fleet,
        "app.kubernetes.io/component": component,
        "app.kubernetes.io/managed-by": "pulumi",
    }
    return found if queue is None else {**found, QUEUE_LABEL: queue}


def metadata(
    fleet: str,
    name: str,
    component: Component,
    *,
    queue: str | None = None,
    annotations: dict[str, str] | None = None,
    generated: bool = False,
) -> Manifest:
    """The metadata of a namespaced object; with `generated` its name is left to Pulumi."""
    found: Manifest = {"namespace": fleet, "labels": labels(fleet, name, component, queue=queue)}
    if not generated:
        found["name"] = name
    if annotations:
        found["annotations"] = dict(annotations)
    return found


def cluster_metadata(
    fleet: str, name: str, component: Component, *, annotations: dict[str, str] | None = None
) -> Manifest:
    """The metadata of an object that stands in no namespace."""
    found: Manifest = {"name": name, "labels": labels(fleet, name, component)}
    if annotations:
        found["annotations"] = dict(annotations)
    return found


def config_map(
    fleet: str, name: str, component: Component, data: dict[str, str], *, queue: str | None = None
) -> Manifest:
    """A ConfigMap with a generated name: other content is another object, so the pods that mount it are rolled with it."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata(fleet, name, component, queue=queue, generated=True),
        "data": data,
    }


def disruption_budget(fleet: str, name: str, component: Component, *, queue: str | None = None) -> Manifest:
    """A budget that lets a drain take one pod at a time, also where there is only one."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": metadata(fleet, name, component, queue=queue),
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": selector(name)}},
    }


def service_account(fleet: str, name: str, component: Component, *, queue: str | None = None) -> Manifest:
    """An identity whose pods get no token by themselves: of a fleet the scale-in controller alone talks to the Kubernetes API, and says so in its pod."""
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": metadata(fleet, name, component, queue=queue),
        "automountServiceAccountToken": False,
    }


def namespace(fleet: str, *, readiness_gates: bool = False) -> Manifest:
    """The fleet's namespace, which refuses pods that could touch their node.

    With `readiness_gates` a pod behind a load balancer is ready only when that one has found it healthy.
    """
    gates = {READINESS_GATES_LABEL: "enabled"} if readiness_gates else {}
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": fleet,
            "labels": {
                **labels(fleet, fleet, "fleet"),
                "pod-security.kubernetes.io/enforce": "restricted",
                "pod-security.kubernetes.io/warn": "restricted",
                **gates,
            },
        },
    }


def names_pattern(names: tuple[str, ...]) -> str:
    """A regular expression that matches exactly these broker names."""
    if len(names) == 1:
        return f"^{re.escape(names[0])}$"
    return f"^({'|'.join(re.escape(name) for name in names)})$"
