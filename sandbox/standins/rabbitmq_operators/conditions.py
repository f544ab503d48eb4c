"""Conditions of a RabbitmqCluster and of topology resources.

Invariant: a condition states what was observed, and its transition time moves only when its status does.
Facts from: cluster-operator v2.21.1 `internal/status/*.go`, `api/v1beta1/rabbitmqcluster_status.go`;
messaging-topology-operator v1.20.1 `api/v1beta1/conditions.go`, `user_types.go`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from sandbox.standins.quantities import parse_quantity

Condition: TypeAlias = dict[str, str]

ALL_REPLICAS_READY: Final = "AllReplicasReady"
CLUSTER_AVAILABLE: Final = "ClusterAvailable"
NO_WARNINGS: Final = "NoWarnings"
RECONCILE_SUCCESS: Final = "ReconcileSuccess"


@dataclass(frozen=True)
class Observed:
    """What one condition says now."""

    type: str
    status: str
    reason: str
    message: str = ""

    def since(self, previous: Iterable[Mapping[str, str]], now: str) -> Condition:
        """The condition as written to a status; `now` counts only when the status is another one than before."""
        changed_at = next(
            (
                old["lastTransitionTime"]
                for old in previous
                if old["type"] == self.type and old["status"] == self.status and "lastTransitionTime" in old
            ),
            now,
        )
        condition = {
            "type": self.type,
            "status": self.status,
            "lastTransitionTime": changed_at,
            "reason": self.reason,
        }
        return condition | {"message": self.message} if self.message else condition


def all_replicas_ready(stateful_set: Mapping[str, Any] | None) -> Observed:
    """Whether every broker node is ready."""
    if stateful_set is None:
        return Observed(ALL_REPLICAS_READY, "Unknown", "MissingStatefulSet", "Could not find StatefulSet")
    desired = stateful_set["spec"].get("replicas", 1)
    ready = (stateful_set.get("status") or {}).get("readyReplicas", 0)
    if desired == 0:
        return Observed(ALL_REPLICAS_READY, "False", "ScaledToZero")
    if ready == desired:
        return Observed(ALL_REPLICAS_READY, "True", "AllPodsAreReady")
    return Observed(ALL_REPLICAS_READY, "False", "NotAllPodsReady", f"{ready}/{desired} Pods ready")


def cluster_available(endpoint_slices: Sequence[Mapping[str, Any]]) -> Observed:
    """Whether the client Service has an endpoint. As upstream, only the first slice counts, ready or not."""
    if not endpoint_slices:
        message = "Could not verify available service endpoints"
        return Observed(CLUSTER_AVAILABLE, "Unknown", "CouldNotRetrieveEndpoints", message)
    if any(endpoint.get("addresses") for endpoint in endpoint_slices[0].get("endpoints") or ()):
        return Observed(CLUSTER_AVAILABLE, "True", "AtLeastOneEndpointAvailable")
    return Observed(CLUSTER_AVAILABLE, "False", "NoEndpointsAvailable", "The service has no endpoints available")


def no_warnings(stateful_set: Mapping[str, Any] | None) -> Observed:
    """Whether the broker's memory request equals its limit; without that it can be evicted below its limit."""
    if stateful_set is None:
        return Observed(NO_WARNINGS, "Unknown", "MissingStatefulSet", "Could not find StatefulSet")
    resources = stateful_set["spec"]["template"]["spec"]["containers"][0].get("resources") or {}
    limit = parse_quantity((resources.get("limits") or {}).get("memory", 0))
    request = parse_quantity((resources.get("requests") or {}).get("memory", 0))
    if limit and request and limit != request:
        message = "RabbitMQ container memory resource request and limit must be equal"
        return Observed(NO_WARNINGS, "False", "MemoryRequestAndLimitDifferent", message)
    return Observed(NO_WARNINGS, "True", "NoWarnings")


def reconcile_succeeded() -> Observed:
    """Everything asked for has been done."""
    return Observed(RECONCILE_SUCCESS, "True", "Success", "Finish reconciling")


def reconcile_failed(reason: str, message: str) -> Observed:
    """Something asked for could not be done."""
    return Observed(RECONCILE_SUCCESS, "False", reason, message)


def observed_conditions(
    previous: Sequence[Condition],
    stateful_set: Mapping[str, Any] | None,
    endpoint_slices: Sequence[Mapping[str, Any]],
    now: str,
) -> list[Condition]:
    """The four conditions of a RabbitmqCluster; the outcome of the last reconciliation is carried over."""
    outcome = next((dict(old) for old in previous if old["type"] == RECONCILE_SUCCESS), None)
    return [
        all_replicas_ready(stateful_set).since(previous, now),
        cluster_available(endpoint_slices).since(previous, now),
        no_warnings(stateful_set).since(previous, now),
        outcome or Observed(RECONCILE_SUCCESS, "Unknown", "Initialising").since((), now),
    ]


def with_condition(conditions: Sequence[Condition], observed: Observed, now: str) -> list[Condition]:
    """`conditions` with one of them replaced in its place, or appended when it is new."""
    written = observed.since(conditions, now)
    if all(condition["type"] != observed.type for condition in conditions):
        return [*conditions, written]
    return [written if condition["type"] == observed.type else condition for condition in conditions]


def ready() -> Observed:
    """The broker holds what a topology resource asks for."""
    return Observed("Ready", "True", "SuccessfulCreateOrUpdate")


def not_ready(message: str) -> Observed:
    """The broker does not hold what a topology resource asks for."""
    return Observed("Ready", "False", "FailedCreateOrUpdate", message)


def password_synced() -> Observed:
    """The broker knows the password in a User's Secret."""
    return Observed("PasswordSynced", "True", "SuccessfulPasswordSync")
