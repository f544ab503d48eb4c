"""When what runs pods, or leads to them, counts as ready: Deployment, StatefulSet, DaemonSet, Service.

The invariant: a rollout is ready when the pods of the revision that was submitted are, not when enough older ones are.

Source: pulumi-kubernetes v4.32 `provider/pkg/await/deployment.go`, `statefulset.go`, `daemonset.go`, `service.go`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from sandbox.standins.kubernetes.client import ApiError
from sandbox.standins.kubernetes.naming import Kind, annotation, name_of, namespace_of
from sandbox.standins.kubernetes.readiness import (
    READY,
    Reader,
    Readiness,
    at,
    condition_of,
    is_observed,
    number_at,
    owned_by,
    pod_problems,
)
from sandbox.standins.kubernetes.values import Manifest

REVISION_ANNOTATION: Final = "deployment.kubernetes.io/revision"
ENDPOINTS_SETTLE_SECONDS: Final = 10.0
"""How long a Service's endpoints have to stay as they are; pods that start together are not ready together."""

WITHOUT_PODS: Final = (
    "Service does not target any Pods. Selected Pods may not be ready, or "
    "field '.spec.selector' may not match labels on any Pods"
)

CLAIM: Final = Kind("", "v1", "PersistentVolumeClaim")
ENDPOINTS: Final = Kind("", "v1", "Endpoints")
POD: Final = Kind("", "v1", "Pod")
REPLICA_SET: Final = Kind("apps", "v1", "ReplicaSet")


async def deployment_readiness(reader: Reader, deployment: Manifest) -> Readiness:
    """Available, rolled out to the current revision, every replica of it ready, every claim it mounts bound."""
    revision = annotation(deployment, REVISION_ANNOTATION)
    if not is_observed(deployment) or not revision:
        said = "Waiting for the Deployment controller to see the Deployment"
        return Readiness(False, said, ("Minimum number of live Pods was not attained",))
    labels = at(deployment, "spec", "selector", "matchLabels") or {}
    namespace = namespace_of(deployment)
    current = next(
        (
            replica_set
            for replica_set in await reader.list(REPLICA_SET, namespace, labels=labels)
            if owned_by(replica_set, deployment) and annotation(replica_set, REVISION_ANNOTATION) == revision
        ),
        None,
    )
    # The number the ReplicaSet was asked for, not the Deployment's: an autoscaler may have changed it since.
    wanted = number_at(current, "spec", "replicas") if current else 1
    ready = number_at(current, "status", "readyReplicas") if current else 0
    available = condition_of(deployment, "Available").get("status") == "True"
    progressing = condition_of(deployment, "Progressing")
    rolled_out = revision == "1" or (
        progressing.get("status") == "True" and progressing.get("reason") == "NewReplicaSetAvailable"
    )
    unbound = await _unbound_claims(reader, deployment)
    if available and rolled_out and current and ready >= wanted and not unbound:
        return READY
    problems = [
        f"[{condition.get('reason')}] {condition.get('message')}"
        for condition in (progressing, condition_of(deployment, "Available"))
        if condition.get("status") == "False"
    ]
    if unbound:
        problems.append(f"Failed to bind PersistentVolumeClaim(s): {', '.join(unbound)}")
    if not available:
        problems.append("Minimum number of live Pods was not attained")
    elif not rolled_out or revision == "1":
        problems.append("Minimum number of Pods to consider the application live was not attained")
    else:
        problems.append("Attempted to roll forward to new ReplicaSet, but minimum number of Pods did not become live")
    pods = [pod for pod in await reader.list(POD, namespace, labels=labels) if current and owned_by(pod, current)]
    said = f"Waiting for app ReplicaSet to be available ({ready}/{wanted} Pods available)"
    return Readiness(False, said, (*problems, *pod_problems(pods)))


async def _unbound_claims(reader: Reader, deployment: Manifest) -> list[str]:
    volumes = at(deployment, "spec", "template", "spec", "volumes") or []
    names = {at(volume, "persistentVolumeClaim", "claimName") for volume in volumes} - {None}
    claims = await reader.list(CLAIM, namespace_of(deployment)) if names else []
    return [name_of(claim) for claim in claims if name_of(claim) in names and at(claim, "status", "phase") != "Bound"]


async def statefulset_readiness(reader: Reader, statefulset: Manifest) -> Readiness:
    """As many replicas as asked for, all current and ready, and the update revision reached."""
    wanted = number_at(statefulset, "spec", "replicas")
    ready = number_at(statefulset, "status", "readyReplicas")
    replicas = number_at(statefulset, "status", "replicas")
    status = at(statefulset, "status") or {}
    first = number_at(statefulset, "metadata", "generation") <= 1
    if not first and at(statefulset, "spec", "updateStrategy", "type") == "OnDelete":
        replicas_ready, revision_ready = wanted == replicas == ready, True
    else:
        replicas_ready = wanted == replicas == ready == number_at(statefulset, "status", "currentReplicas")
        revision_ready = bool(status.get("currentRevision")) and status["currentRevision"] == status.get(
            "updateRevision"
        )
    if is_observed(statefulset) and replicas_ready and revision_ready:
        return READY
    problems: list[str] = []
    if not replicas_ready:
        problems.append(f"{ready} out of {wanted} replicas succeeded readiness checks")
    if not revision_ready:
        problems.append(
            f"StatefulSet controller failed to advance from revision {status.get('currentRevision', '')!r} "
            f"to revision {status.get('updateRevision', '')!r}"
        )
    labels = at(statefulset, "spec", "selector", "matchLabels") or {}
    pods = await reader.list(POD, namespace_of(statefulset), labels=labels)
    own = [pod for pod in pods if owned_by(pod, statefulset)]
    said = f"Waiting for StatefulSet to create Pods ({ready}/{wanted} Pods ready)"
    return Readiness(False, said, (*problems, *pod_problems(own)))


async def daemonset_readiness(reader: Reader, daemonset: Manifest) -> Readiness:
    """A current and available pod on every node that should have one."""
    wanted = number_at(daemonset, "status", "desiredNumberScheduled")
    updated = number_at(daemonset, "status", "updatedNumberScheduled")
    available = number_at(daemonset, "status", "numberAvailable")
    on_delete = at(daemonset, "spec", "updateStrategy", "type") == "OnDelete"
    if is_observed(daemonset) and available >= wanted and (on_delete or updated >= wanted):
        return READY
    labels = at(daemonset, "spec", "selector", "matchLabels") or {}
    pods = await reader.list(POD, namespace_of(daemonset), labels=labels)
    said = f"Waiting for DaemonSet to be available ({min(updated, available)}/{wanted} Pods available)"
    return Readiness(False, said, (said, *pod_problems([pod for pod in pods if owned_by(pod, daemonset)])))


@dataclass(slots=True)
class ServiceReadiness:
    """A Service's address, and endpoints that have come to rest with none of them unready.

    A Service without a selector, a headless one and an ExternalName wait for no pods.
    """

    clock: Callable[[], float]
    settle_seconds: float = ENDPOINTS_SETTLE_SECONDS
    _version: str = ""
    _since: float = field(default=float("inf"))

    async def __call__(self, reader: Reader, service: Manifest) -> Readiness:
        """Whether the Service is ready now."""
        kind = at(service, "spec", "type") or "ClusterIP"
        addressed = kind != "LoadBalancer" or bool(at(service, "status", "loadBalancer", "ingress"))
        if kind == "ExternalName" or at(service, "spec", "clusterIP") == "None" or not at(service, "spec", "selector"):
            return READY if addressed else self._without_address()
        found = await self._endpoints(reader, service)
        subsets = found.get("subsets") or []
        version = str(at(found, "metadata", "resourceVersion"))
        if version != self._version:
            self._version, self._since = version, self.clock()
        settled = bool(found) and self.clock() - self._since >= self.settle_seconds
        pending = any(subset.get("notReadyAddresses") for subset in subsets)
        if addressed and settled and not pending:
            return READY
        if not addressed:
            return self._without_address()
        targeted = any(subset.get("addresses") for subset in subsets)
        return Readiness(False, "Finding Pods to direct traffic to", () if targeted else (WITHOUT_PODS,))

    async def _endpoints(self, reader: Reader, service: Manifest) -> Manifest:
        try:
            return await reader.get(ENDPOINTS, namespace_of(service), name_of(service))
        except ApiError as error:
            if error.code == 404:
                return {}
            raise

    def _without_address(self) -> Readiness:
        said = "Service was not allocated an IP address; does your cloud provider support this?"
        return Readiness(False, "Waiting for an IP address for the Service", (said,))
