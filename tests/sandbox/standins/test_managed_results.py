"""A results store in the place of ElastiCache: how it is configured, and how pods come to trust it.

Source of the behaviour: Valkey docs, "TLS Support"; Kubernetes 1.36, `MutatingAdmissionPolicy`.
"""

import asyncio
import json
import time
from typing import Any

import pytest

from sandbox.standins.aws.account import Account
from sandbox.standins.aws.sandbox_services import REPLICATION_GROUP, started, stopped
from sandbox.standins.managed_results import host, prepared, store
from tests.sandbox.standins.conftest import ApiServer

POLICY_WITHIN_SECONDS = 30.0
"""The API server compiles a new policy in its own time."""

STATE = {"replicationGroupId": "results", "authToken": "of-a-test-run-0123"}


def test_a_store_speaks_tls_alone_and_asks_for_its_password() -> None:
    """As the real one is declared."""
    secret = store("results", "hush-hush")[0]
    lines = secret["stringData"]["valkey.conf"].splitlines()
    assert "port 0" in lines
    assert "tls-port 6379" in lines
    assert 'requirepass "hush-hush"' in lines


def test_another_password_starts_another_pod() -> None:
    """A running Valkey does not read its configuration again."""
    notes = {
        store("results", password)[1]["spec"]["template"]["metadata"]["annotations"]["configuration"]
        for password in ("one", "two")
    }
    assert len(notes) == 2
    assert not notes & {"one", "two"}


@pytest.mark.parametrize(
    ("token", "kubeconfig"),
    [
        pytest.param(REPLICATION_GROUP, "", id="the-sandbox-is-not-the-cluster"),
        pytest.param("aws:ec2/vpc:Vpc", "/kubeconfig", id="nothing-runs-of-a-network"),
    ],
)
def test_nothing_is_started_for_anything_else(token: str, kubeconfig: str) -> None:
    """Not even a connection to the cluster."""
    account = Account("eu-west-1", kubeconfig=kubeconfig)
    assert asyncio.run(started(account, token, STATE)) == STATE
    asyncio.run(stopped(account, token, STATE))


@pytest.mark.engine
def test_a_store_comes_and_goes_with_its_resource(api_server: ApiServer) -> None:
    """At the name that its outputs tell."""
    namespace = prepared(b"", b"")[:1]
    api_server.kubectl("apply", "--server-side", "-f", "-", text=_list(namespace))
    account = Account("eu-west-1", kubeconfig=str(api_server.kubeconfig))
    state = asyncio.run(started(account, REPLICATION_GROUP, STATE))
    assert state["primaryEndpointAddress"] == host("results") == "results.elasticache.svc.cluster.local"
    assert api_server.objects("deployments", "elasticache") == ["results"]
    assert api_server.objects("services", "elasticache") == ["results"]
    asyncio.run(started(account, REPLICATION_GROUP, STATE))
    asyncio.run(stopped(account, REPLICATION_GROUP, STATE))
    asyncio.run(stopped(account, REPLICATION_GROUP, STATE))
    assert api_server.objects("services", "elasticache") == []


@pytest.mark.engine
def test_pods_that_speak_tls_trust_the_cluster_s_authority(api_server: ApiServer) -> None:
    """Every container of theirs; other pods stay as they are."""
    policies = [one for one in prepared(b"", b"") if one["kind"].startswith("MutatingAdmissionPolicy")]
    api_server.kubectl("apply", "--server-side", "-f", "-", text=_list(policies))
    deadline = time.monotonic() + POLICY_WITHIN_SECONDS
    spec = _admitted(api_server, "true")
    while not spec.get("volumes") and time.monotonic() < deadline:
        time.sleep(0.5)
        spec = _admitted(api_server, "true")
    assert [volume["configMap"]["name"] for volume in spec["volumes"]] == ["kube-root-ca.crt"]
    for container in spec["containers"]:
        variables = {entry["name"]: entry["value"] for entry in container.get("env", [])}
        (mount,) = container["volumeMounts"]
        assert variables["SSL_CERT_FILE"] == f"{mount['mountPath']}/ca.crt"
    assert [container["name"] for container in spec["containers"]] == ["main", "beside"]
    assert not _admitted(api_server, "false").get("volumes")


def _list(manifests: list[dict[str, Any]]) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": manifests})


def _admitted(api_server: ApiServer, tls: str) -> dict[str, Any]:
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": f"tls-{tls}", "namespace": "default"},
        "spec": {
            "automountServiceAccountToken": False,
            "containers": [
                {"name": "main", "image": "worker:1", "env": [{"name": "FLEET_RESULTS_TLS", "value": tls}]},
                {"name": "beside", "image": "worker:1"},
            ],
        },
    }
    output = api_server.kubectl("create", "--dry-run=server", "-o", "json", "-f", "-", text=json.dumps(pod))
    spec: dict[str, Any] = json.loads(output)["spec"]
    return spec
