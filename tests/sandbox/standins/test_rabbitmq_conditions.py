"""Conditions say what was observed, in the words of the real operators.

Upstream: rabbitmq/cluster-operator v2.21.1 `internal/status/*.go`; rabbitmq/messaging-topology-operator v1.20.1
`api/v1beta1/conditions.go`.
"""

from typing import Any

import pytest

from sandbox.standins.rabbitmq_operators.conditions import (
    all_replicas_ready,
    cluster_available,
    no_warnings,
    not_ready,
    observed_conditions,
    password_synced,
    ready,
    with_condition,
)
from sandbox.standins.rabbitmq_operators.post_deploy import being_updated, quorum_status, settled


def stateful_set(replicas: int, ready_replicas: int, **resources: Any) -> dict[str, Any]:
    template = {"spec": {"containers": [{"resources": resources}]}}
    return {"spec": {"replicas": replicas, "template": template}, "status": {"readyReplicas": ready_replicas}}


@pytest.mark.parametrize(
    ("observed", "status", "reason", "message"),
    [
        pytest.param(None, "Unknown", "MissingStatefulSet", "Could not find StatefulSet", id="nothing-made-yet"),
        pytest.param(stateful_set(3, 2), "False", "NotAllPodsReady", "2/3 Pods ready", id="one-missing"),
        pytest.param(stateful_set(3, 3), "True", "AllPodsAreReady", "", id="all-there"),
        pytest.param(stateful_set(0, 0), "False", "ScaledToZero", "", id="stopped"),
    ],
)
def test_all_replicas_ready(observed: dict[str, Any] | None, status: str, reason: str, message: str) -> None:
    """What `pulumi up` waits for."""
    condition = all_replicas_ready(observed)
    assert (condition.status, condition.reason, condition.message) == (status, reason, message)


@pytest.mark.parametrize(
    ("slices", "status", "reason"),
    [
        pytest.param([], "Unknown", "CouldNotRetrieveEndpoints", id="no-slice"),
        pytest.param([{"endpoints": None}], "False", "NoEndpointsAvailable", id="no-endpoint"),
        pytest.param([{"endpoints": [{"addresses": ["10.0.0.1"]}]}], "True", "AtLeastOneEndpointAvailable", id="one"),
    ],
)
def test_cluster_available(slices: list[dict[str, Any]], status: str, reason: str) -> None:
    """Whether a client can reach anything."""
    condition = cluster_available(slices)
    assert (condition.status, condition.reason) == (status, reason)


@pytest.mark.parametrize(
    ("resources", "status"),
    [
        pytest.param(
            {"requests": {"memory": "1Gi"}, "limits": {"memory": "1024Mi"}}, "True", id="equal-in-other-words"
        ),
        pytest.param({"requests": {"memory": "1Gi"}, "limits": {"memory": "2Gi"}}, "False", id="different"),
        pytest.param({"requests": {"memory": "1Gi"}}, "True", id="no-limit"),
    ],
)
def test_a_memory_request_below_the_limit_is_a_warning(resources: dict[str, Any], status: str) -> None:
    """Such a broker can be evicted before it reaches its limit."""
    assert no_warnings(stateful_set(1, 1, **resources)).status == status


def test_a_fresh_cluster_is_initialising() -> None:
    """Four conditions from the first moment on, in upstream's order."""
    conditions = observed_conditions([], None, [], "t1")
    assert [(entry["type"], entry["status"], entry["reason"]) for entry in conditions] == [
        ("AllReplicasReady", "Unknown", "MissingStatefulSet"),
        ("ClusterAvailable", "Unknown", "CouldNotRetrieveEndpoints"),
        ("NoWarnings", "Unknown", "MissingStatefulSet"),
        ("ReconcileSuccess", "Unknown", "Initialising"),
    ]


def test_times_move_only_with_the_status() -> None:
    """Another message is no transition."""
    before = observed_conditions([], stateful_set(3, 1), [], "t1")
    between = observed_conditions(before, stateful_set(3, 2), [], "t2")
    after = observed_conditions(between, stateful_set(3, 3), [], "t3")
    assert [entry[0]["lastTransitionTime"] for entry in (before, between, after)] == ["t1", "t1", "t3"]
    assert between[0]["message"] == "2/3 Pods ready"


def test_a_user_keeps_two_conditions_and_their_order() -> None:
    """The first that was written stays first."""
    first = with_condition([], not_ready("no broker"), "t1")
    second = with_condition(first, password_synced(), "t2")
    third = with_condition(second, ready(), "t3")
    assert [(entry["type"], entry["status"], entry["lastTransitionTime"]) for entry in third] == [
        ("Ready", "True", "t3"),
        ("PasswordSynced", "True", "t2"),
    ]
    assert "message" not in third[0]


@pytest.mark.parametrize(
    ("answers", "sentence"),
    [
        pytest.param({}, "unavailable", id="no-node"),
        pytest.param({"a": "ok"}, "ok", id="all-well"),
        pytest.param({"a": "ok", "b": "unavailable"}, "ok (1 unavailable)", id="one-silent"),
        pytest.param({"b": "quorum-critical", "a": "quorum-critical"}, "quorum-critical: a, b", id="critical"),
        pytest.param(
            {"a": "quorum-critical", "b": "unavailable"}, "quorum-critical: a (1 unavailable)", id="critical-and-silent"
        ),
    ],
)
def test_quorum_status(answers: dict[str, str], sentence: str) -> None:
    """Upstream: `internal/controller/reconcile_status.go` (`checkQuorumStatus`)."""
    assert quorum_status(answers) == sentence


def test_commands_wait_for_a_settled_cluster() -> None:
    """Upstream: `reconcile_cli.go` (`allReplicasReadyAndUpdated`)."""
    rolling = stateful_set(1, 1)
    rolling["status"] |= {"currentRevision": "a", "updateRevision": "b"}
    assert being_updated(rolling)
    assert not settled(rolling)
    assert not settled(stateful_set(2, 1))
    assert settled(stateful_set(2, 2))
