"""What stands in the cluster beside the pods: who may talk to whom, and what every pod is denied."""

import pytest

from tests.cluster.running_fleet import RunningFleet

pytestmark = pytest.mark.cluster


def test_every_pod_of_the_fleet_is_selected_by_a_network_policy(fleet: RunningFleet) -> None:
    """The bridge of the sandbox enforces none, so they are tested as objects: each pod has one that limits who may reach it."""
    policies = fleet.objects("networkpolicies.networking.k8s.io")
    selectors = [item["spec"]["podSelector"].get("matchLabels", {}) for item in policies]
    pods = fleet.objects("pods")
    assert pods
    for pod in pods:
        labels = pod["metadata"]["labels"]
        assert any(selector.items() <= labels.items() for selector in selectors), pod["metadata"]["name"]


def test_no_container_of_the_fleet_may_write_its_root_or_gain_rights(fleet: RunningFleet) -> None:
    """The restricted standard, a read-only root and no token of the API server, for every pod that runs our image."""
    for component in ("web", "worker", "beat"):
        for pod in fleet.objects("pods", "-l", f"app.kubernetes.io/component={component}"):
            specification = pod["spec"]
            assert specification["automountServiceAccountToken"] is False
            for container in specification["containers"]:
                context = container["securityContext"]
                assert context["readOnlyRootFilesystem"] is True
                assert context["allowPrivilegeEscalation"] is False
                assert context["capabilities"]["drop"] == ["ALL"]


def test_every_worker_asks_for_exactly_the_memory_it_may_use(fleet: RunningFleet) -> None:
    """Request and limit are equal, so no worker is killed for what its neighbour took."""
    for item in fleet.objects("deployments.apps", "-l", "app.kubernetes.io/component=worker"):
        for container in item["spec"]["template"]["spec"]["containers"]:
            resources = container["resources"]
            assert resources["requests"]["memory"] == resources["limits"]["memory"]
