"""How upstream's manifests are changed for one node without a registry."""

from typing import Any

from sandbox.platform import adapt


def deployment(image: str, *arguments: str) -> dict[str, Any]:
    container = {
        "name": "main",
        "image": image,
        "imagePullPolicy": "Always",
        "args": list(arguments),
        "readinessProbe": {"httpGet": {"path": "/readyz", "port": 1}, "initialDelaySeconds": 20},
    }
    return {"kind": "Deployment", "spec": {"template": {"spec": {"containers": [container]}}}}


def adapted(image: str, *arguments: str) -> dict[str, Any]:
    (manifest,) = adapt([deployment(image, *arguments)])
    container: dict[str, Any] = manifest["spec"]["template"]["spec"]["containers"][0]
    return container


def test_both_programs_of_keda_run_from_the_one_loaded_image() -> None:
    """The image that is loaded is the image that is asked for, at KEDA's pinned version."""
    for upstream in ("ghcr.io/kedacore/keda:main", "ghcr.io/kedacore/keda-metrics-apiserver:main"):
        container = adapted(upstream)
        assert container["image"] == "ghcr.io/kedacore/keda:2.21.0"
        assert container["imagePullPolicy"] == "IfNotPresent"


def test_one_replica_takes_no_lease() -> None:
    """A restarted operator works at once instead of waiting for its own lease to run out."""
    assert adapted("ghcr.io/kedacore/keda:main", "--leader-elect", "--zap-log-level=info")["args"] == [
        "--zap-log-level=info"
    ]


def test_metrics_server_verifies_the_kubelet() -> None:
    """No certificate check is switched off."""
    arguments = adapted("gcr.io/k8s-staging-metrics-server/metrics-server:master", "--secure-port=10250")["args"]
    assert any(one.startswith("--kubelet-certificate-authority=") for one in arguments)
    assert not any("insecure" in one for one in arguments)


def test_upstream_is_left_as_it_was() -> None:
    """Adapting gives new manifests; other kinds pass unchanged and empty documents disappear."""
    role = {"kind": "ClusterRole", "rules": []}
    original = deployment("ghcr.io/kedacore/keda:main")
    result = adapt([original, role, {}])
    assert result[1:] == [role]
    assert original == deployment("ghcr.io/kedacore/keda:main")
