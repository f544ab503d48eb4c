"""The check of the restricted Pod Security Standard sees what it is for."""

from typing import Any

import pytest

from policy.pod_security import restricted_errors
from policy.pods import pod_of

GOOD: dict[str, Any] = {
    "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
    "volumes": [{"name": "tmp", "emptyDir": {}}],
    "containers": [
        {"name": "one", "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}},
    ],
}


def _container(**changes: Any) -> dict[str, Any]:
    one = GOOD["containers"][0]
    context = {**one["securityContext"], **changes.pop("context", {})}
    return {**GOOD, "containers": [{**one, **changes, "securityContext": context}]}


def test_a_restricted_pod_passes() -> None:
    """The least that the profile asks for."""
    assert restricted_errors(GOOD) == []


@pytest.mark.parametrize(
    ("pod", "error"),
    [
        pytest.param({**GOOD, "hostNetwork": True}, "hostNetwork", id="the-nodes-network"),
        pytest.param({**GOOD, "securityContext": {"runAsNonRoot": True}}, "one: seccompProfile", id="no-seccomp-profile"),
        pytest.param(
            {**GOOD, "volumes": [{"name": "disk", "hostPath": {"path": "/"}}]}, "volume disk: hostPath", id="a-path-of-the-node"
        ),
        pytest.param(
            {**GOOD, "securityContext": {**GOOD["securityContext"], "runAsUser": 0}}, "pod: runAsUser 0", id="root-by-number"
        ),
        pytest.param(
            {**GOOD, "securityContext": {**GOOD["securityContext"], "sysctls": [{"name": "kernel.msgmax", "value": "1"}]}},
            "sysctl kernel.msgmax", id="an-unsafe-sysctl",
        ),
        pytest.param(_container(context={"privileged": True}), "one: privileged", id="privileged"),
        pytest.param(_container(context={"allowPrivilegeEscalation": True}), "one: allowPrivilegeEscalation", id="escalation"),
        pytest.param(_container(context={"capabilities": {}}), "one: keeps capabilities", id="default-capabilities"),
        pytest.param(
            _container(context={"capabilities": {"drop": ["ALL"], "add": ["NET_ADMIN"]}}), "one: adds capabilities", id="a-capability-more"
        ),
        pytest.param(_container(context={"runAsNonRoot": False}), "one: runAsNonRoot", id="a-container-that-may-be-root"),
        pytest.param(_container(context={"procMount": "Unmasked"}), "one: procMount", id="the-whole-of-proc"),
        pytest.param(
            _container(context={"seccompProfile": {"type": "Unconfined"}}), "one: seccompProfile", id="an-unconfined-container"
        ),
        pytest.param(
            _container(context={"seLinuxOptions": {"type": "spc_t"}}), "one: seLinuxOptions", id="a-super-privileged-label"
        ),
        pytest.param(
            _container(context={"appArmorProfile": {"type": "Unconfined"}}), "one: appArmorProfile", id="no-apparmor"
        ),
        pytest.param(_container(ports=[{"containerPort": 80, "hostPort": 80}]), "one: hostPort", id="a-port-of-the-node"),
        pytest.param(
            _container(livenessProbe={"httpGet": {"host": "10.0.0.1", "port": 80}}), "one: probe or hook of another host", id="a-probe-elsewhere"
        ),
    ],
)  # fmt: skip
def test_each_control_is_checked(pod: dict[str, Any], error: str) -> None:
    """A pod that breaks one rule has that error."""
    assert error in restricted_errors(pod)


@pytest.mark.parametrize(
    "manifest",
    [
        pytest.param({"kind": "Deployment", "spec": {"template": {"spec": GOOD}}}, id="Deployment"),
        pytest.param(
            {"kind": "CronJob", "spec": {"jobTemplate": {"spec": {"template": {"spec": GOOD}}}}}, id="CronJob"
        ),
    ],
)
def test_pods_are_found_where_workloads_have_them(manifest: dict[str, Any]) -> None:
    """A Service, a ServiceAccount or a RabbitmqCluster has none of its own."""
    assert pod_of(manifest) == GOOD
    assert pod_of({"kind": "Service", "spec": {"selector": {"app": "web"}}}) is None
    assert pod_of({"kind": "ConfigMap"}) is None
