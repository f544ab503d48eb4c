"""Who of a fleet may talk to the Kubernetes API: nobody, but the controller that says which pods a scale-in stops first.

That one is in a stack only where a scale-in may interrupt tasks (docs/explanation/scale-in.md). What it may do is stated here once more, so that a wider
role is a finding and no oversight. Sources: Kubernetes docs, "Configure Service Accounts for Pods" (a pod that states nothing gets a token; a projected
volume may hold one too) and "Role Based Access Control Good Practices".
"""

from collections.abc import Iterator, Mapping
from typing import Any

from policy.graph import UNKNOWN, Resource, at, items
from policy.pods import WORKLOADS, is_upstream, pod_of
from policy.rule import Finding, ResourceRule

COMPONENT_LABEL = "app.kubernetes.io/component"
CONTROLLER = "scale-in"
"""Component, and name, of the one that may (`infra.manifests.scale_in`)."""

ALLOWED = {"apiGroups": ("",), "resources": ("pods",), "verbs": ("list", "patch")}
"""Field of a rule of its role -> what may stand there; `resourceNames` and whatever else an API server takes may not."""

RBAC = ("kubernetes:rbac.authorization.k8s.io/*:Role", "kubernetes:rbac.authorization.k8s.io/*:RoleBinding")


def _is_controller(resource: Resource) -> bool:
    return (
        resource.kind == "Deployment"
        and resource.object_name == CONTROLLER
        and resource.labels.get(COMPONENT_LABEL) == CONTROLLER
    )


def _tokens(resource: Resource) -> Iterator[Finding]:
    pod = pod_of(resource.properties, resource.kind)
    if pod is None:
        return
    if at(pod, "automountServiceAccountToken") not in (False, UNKNOWN):
        yield Finding(resource=resource, where="pod.automountServiceAccountToken", problem="is not false")
    if _is_controller(resource):
        return
    for index, volume in enumerate(items(pod, "volumes")):
        if any(at(source, "serviceAccountToken") is not None for source in items(volume, "projected.sources")):
            yield Finding(resource=resource, where=f"pod.volumes[{index}]", problem="holds a token")


def _rights(resource: Resource) -> Iterator[Finding]:
    for index, rule in enumerate(items(resource.properties, "rules")):
        for name, value in rule.items() if isinstance(rule, Mapping) else ():
            allowed = (*ALLOWED.get(name, ()), UNKNOWN)
            if value != UNKNOWN and any(item not in allowed for item in items(rule, name)):
                yield Finding(
                    resource=resource, where=f"rules[{index}].{name}", problem="is more than to list and patch pods"
                )


def _bound(resource: Resource) -> Iterator[Finding]:
    """To a role of the cluster, an account would have what is stated elsewhere."""
    kind: Any = at(resource.properties, "roleRef.kind")
    if kind not in ("Role", UNKNOWN, None):
        yield Finding(resource=resource, where="roleRef.kind", problem="is a role that is not the fleet's own")


def _has_access(resource: Resource) -> Iterator[Finding]:
    if is_upstream(resource):
        return
    match resource.kind:
        case "Role":
            yield from _rights(resource)
        case "RoleBinding":
            yield from _bound(resource)
        case _:
            yield from _tokens(resource)


RULES = (
    ResourceRule(
        id="cluster-access",
        says="No pod holds a token of the Kubernetes API but that of the controller scale-in, whose role lists and patches pods and nothing else.",
        reason="Whoever gets into a pod has what its token may do: with the rights of an operator that is every Secret of the namespace.",
        fix="State automountServiceAccountToken: false; what a task needs of a cluster, give it by an account of its own outside the fleet.",
        types=(*WORKLOADS, *RBAC),
        check=_has_access,
    ),
)
