"""When the fleet counts as ready."""

from typing import Any

import pytest

from ops.readiness import missing
from tests.ops.conftest import Kubernetes


def scaled_object(ready: str) -> dict[str, Any]:
    return {
        "kind": "ScaledObject",
        "metadata": {"name": "worker-high"},
        "status": {"conditions": [{"type": "Ready", "status": ready}]},
    }


def test_a_queue_told_to_be_at_zero_is_ready_at_zero(deployment: Kubernetes) -> None:
    """Scaled to zero is a normal state, not one to wait for."""
    assert missing([deployment("worker-reports", wanted=0, ready=0, available="False"), scaled_object("True")]) == []


@pytest.mark.parametrize(
    ("item", "words"),
    [
        pytest.param(scaled_object("Unknown"), "autoscaler worker-high", id="autoscaler-without-its-metric"),
        pytest.param(
            {"kind": "StatefulSet", "metadata": {"name": "results"}, "spec": {"replicas": 1}, "status": {}},
            "results 0/1",
            id="results-store-starting",
        ),
    ],
)
def test_what_is_not_ready_is_named(item: dict[str, Any], words: str, deployment: Kubernetes) -> None:
    """A person sees what is waited for."""
    assert missing([deployment("web", wanted=1, ready=1), item]) == [words]


def test_a_deployment_that_rolls_is_waited_for(deployment: Kubernetes) -> None:
    """Status of an older generation says nothing about the newer one."""
    rolling = deployment("web", wanted=2, ready=2) | {"metadata": {"name": "web", "generation": 4}}
    assert missing([rolling]) == ["web 2/2"]
    assert missing([deployment("web", wanted=2, ready=1, available="False")]) == ["web 1/2"]


def test_a_deployment_that_grows_is_ready(deployment: Kubernetes) -> None:
    """A burst that scales up while `up` looks does not hold it up."""
    assert missing([deployment("worker-high", wanted=5, ready=4)]) == []


def test_an_empty_namespace_is_not_a_ready_fleet() -> None:
    """Nothing at all is never taken for everything fine."""
    assert missing([]) == ["no Deployment is there"]
