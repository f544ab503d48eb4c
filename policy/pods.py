"""The pods that a Kubernetes object makes, and which of them are ours to judge.

Source: Kubernetes API reference 1.36 (where each workload has its pod template); cluster operator 2.21 API reference (`RabbitmqCluster`, whose
spec stands for the one container of its pods).
"""

from collections.abc import Iterator, Mapping
from typing import Any

from policy.graph import Resource, items, section, text

WORKLOADS = tuple(
    f"kubernetes:{kind}"
    for kind in ("core/v1:Pod", "apps/*:DaemonSet", "apps/*:Deployment", "apps/*:ReplicaSet", "apps/*:StatefulSet", "batch/*:*Job")
)  # fmt: skip
"""Kinds that make pods."""

BROKERS = ("kubernetes:rabbitmq.com/*:RabbitmqCluster",)

UPSTREAM_NAMESPACES = frozenset({"rabbitmq-system"})
"""Namespaces that a release's own manifest fills: the RabbitMQ operators'. What stands in it is upstream's, pinned by the release's version; a rule that
only upstream could satisfy would be a rule that nobody can keep. What comes in a Helm chart reaches the engine as one release, without its pods."""

Manifest = Mapping[str, Any]


def is_upstream(resource: Resource) -> bool:
    """Whether an object comes from a release's manifest."""
    home = resource.object_name if resource.kind == "Namespace" else resource.namespace
    return home in UPSTREAM_NAMESPACES


def pod_of(manifest: Manifest, kind: str = "") -> Manifest | None:
    """The pod spec of a Pod, or in a workload's template (in a CronJob, its job's); None for an object that makes no pods."""
    paths = ("spec",) if kind == "Pod" else ("spec.template.spec", "spec.jobTemplate.spec.template.spec")
    found = next(filter(None, (section(manifest, path) for path in paths)), {})
    return found if "containers" in found else None


def containers(pod: Manifest) -> Iterator[tuple[str, Manifest]]:
    """Place and content of each container, those that run first before the others."""
    for field in ("initContainers", "containers"):
        for index, container in enumerate(items(pod, field)):
            if isinstance(container, Mapping):
                yield f"{field}[{text(container, 'name') or index}]", container


def sized(resource: Resource) -> Iterator[tuple[str, Manifest]]:
    """Place and content of everything with an image and resources: containers, or a RabbitmqCluster itself."""
    if resource.kind == "RabbitmqCluster":
        yield "spec", section(resource.properties, "spec")
    else:
        yield from containers(pod_of(resource.properties, resource.kind) or {})
