"""The StatefulSet of a broker, with its volume claims and the user's override.

Invariant: what Kubernetes never lets a StatefulSet change (claims, selector, Service name) follows only from the
RabbitmqCluster's name and storage, and claims are owned by the RabbitmqCluster so that they go with it.
Facts from: cluster-operator v2.21.1 `internal/resource/statefulset.go` (`Build`, `Update`, `applyStsOverride`,
`patchPodSpec`) and `internal/controller/reconcile_scale_down.go`.
"""

from collections.abc import Mapping
from typing import Any, Final

from sandbox.standins.quantities import parse_quantity
from sandbox.standins.rabbitmq_operators.cluster_spec import Manifest, RabbitmqCluster
from sandbox.standins.rabbitmq_operators.pod import pod_template
from sandbox.standins.rabbitmq_operators.strategic_merge import POD_LIST_KEYS, merge_strategically

CLAIM_NAME: Final = "persistence"
_REPLACED_WHOLE: Final = ("livenessProbe", "readinessProbe", "startupProbe")
"""A probe has one handler: merging an exec probe into a TCP one would give it two."""
_SIMPLE_OVERRIDES: Final = (
    "replicas",
    "updateStrategy",
    "podManagementPolicy",
    "minReadySeconds",
    "persistentVolumeClaimRetentionPolicy",
    "selector",
    "serviceName",
)


def broker_statefulset(cluster: RabbitmqCluster, *, template_annotations: Mapping[str, str]) -> Manifest:
    """StatefulSet `<name>-server`; `template_annotations` are those that its pod template already carries."""
    stateful_set = cluster.child(
        "apps/v1",
        "StatefulSet",
        cluster.child_name("server"),
        spec={
            "replicas": cluster.replicas,
            "serviceName": cluster.child_name("nodes"),
            "selector": {"matchLabels": cluster.selector},
            "podManagementPolicy": "Parallel",
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}},
            "template": pod_template(cluster, annotations=dict(template_annotations)),
        },
    )
    if cluster.persistent:
        stateful_set["spec"]["volumeClaimTemplates"] = [_claim(cluster)]
    return _overridden(cluster, stateful_set)


def _claim(cluster: RabbitmqCluster) -> Manifest:
    spec: Manifest = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": cluster.storage}},
    }
    if cluster.persistence.get("storageClassName"):
        spec["storageClassName"] = cluster.persistence["storageClassName"]
    return _claim_template(cluster, CLAIM_NAME, cluster.identity_labels, cluster.child_annotations, spec)


def _claim_template(
    cluster: RabbitmqCluster,
    name: str,
    labels: Mapping[str, str],
    annotations: Mapping[str, str],
    spec: Mapping[str, Any],
) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {
            "name": name,
            "namespace": cluster.namespace,
            "labels": dict(labels),
            "annotations": dict(annotations),
            "ownerReferences": [cluster.owner_reference(block_deletion=False)],
        },
        "spec": dict(spec),
    }


def _overridden(cluster: RabbitmqCluster, stateful_set: Manifest) -> Manifest:
    override = cluster.override.get("statefulSet") or {}
    for field in ("labels", "annotations"):
        stateful_set["metadata"][field] |= (override.get("metadata") or {}).get(field) or {}
    wanted = override.get("spec") or {}
    spec = stateful_set["spec"]
    spec |= {field: wanted[field] for field in _SIMPLE_OVERRIDES if wanted.get(field) is not None}
    if wanted.get("volumeClaimTemplates") and cluster.persistent:
        spec["volumeClaimTemplates"] = [
            _claim_template(
                cluster,
                claim["metadata"]["name"],
                claim["metadata"].get("labels") or {},
                claim["metadata"].get("annotations") or {},
                claim.get("spec") or {},
            )
            for claim in wanted["volumeClaimTemplates"]
        ]
    template = wanted.get("template") or {}
    for field in ("labels", "annotations"):
        spec["template"]["metadata"][field] |= (template.get("metadata") or {}).get(field) or {}
    pod_patch = template.get("spec") or {}
    spec["template"]["spec"] = _patched_pod(spec["template"]["spec"], pod_patch)
    return stateful_set


def _patched_pod(pod: Manifest, patch: Mapping[str, Any]) -> Manifest:
    patched = merge_strategically(pod, patch, list_keys=POD_LIST_KEYS)
    if patch.get("securityContext") == {}:
        del patched["securityContext"]  # an empty one hands the choice to the container runtime
    for group in ("initContainers", "containers"):
        by_name = {container["name"]: container for container in patched.get(group, ())}
        for container in patch.get(group) or ():
            if container.get("securityContext") == {}:
                del by_name[container["name"]]["securityContext"]
            if container["name"] == "rabbitmq":
                by_name["rabbitmq"] |= {probe: container[probe] for probe in _REPLACED_WHOLE if container.get(probe)}
    return patched


def claimed_storage(stateful_set: Mapping[str, Any]) -> str:
    """Size that a StatefulSet claims for each broker node; "0" when it claims none."""
    for claim in stateful_set["spec"].get("volumeClaimTemplates") or ():
        if claim["metadata"]["name"] == CLAIM_NAME:
            return str(claim["spec"]["resources"]["requests"]["storage"])
    return "0"


def refused_storage_change(current: Mapping[str, Any], desired: Mapping[str, Any]) -> str | None:
    """Why the desired volumes cannot be had from the current ones; None when they can."""
    old, new = parse_quantity(claimed_storage(current)), parse_quantity(claimed_storage(desired))
    if old == 0 and new != 0:
        return "changing from ephemeral to persistent storage is not supported"
    if new < old:
        return "shrinking persistent volumes is not supported"
    return None


def refused_scale_down(current: int, desired: int) -> str | None:
    """Why the number of broker nodes cannot go down; None when it does not. Zero is allowed: it stops the broker."""
    if 0 < desired < current:
        return f"Cluster Scale down not supported; tried to scale cluster from {current} nodes to {desired} nodes"
    return None


def refused_scale_up_from_zero(replicas_before_zero: str | None, desired: int) -> str | None:
    """Why a stopped broker cannot come back with `desired` nodes; None when it can."""
    if replicas_before_zero is None or str(desired) == replicas_before_zero:
        return None
    return (
        "Unsupported operation; when scaling from zero, you can only restore the previous number of replicas "
        f"({replicas_before_zero})"
    )
