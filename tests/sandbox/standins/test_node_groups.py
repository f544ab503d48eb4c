"""A pod that chooses a node group of a stack on EKS, or wants a node of its own, runs on the sandbox's one node.

Source of the behaviour: Kubernetes 1.36, `MutatingAdmissionPolicy`.
"""

import json
import time
from typing import Any

import pytest

from sandbox.standins.node_groups import one_node_for_every_group, one_node_for_several_pods
from tests.sandbox.standins.conftest import ApiServer

pytestmark = pytest.mark.engine

POLICY_WITHIN_SECONDS = 30.0
"""The API server compiles a new policy in its own time."""


def _affinity(key: str) -> dict[str, Any]:
    terms = [{"matchExpressions": [{"key": key, "operator": "In", "values": ["broker"]}]}]
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}


def _admitted(api_server: ApiServer, name: str, selector: dict[str, str], **place: Any) -> dict[str, Any]:
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            **({"nodeSelector": selector} if selector else {}),
            **place,
            "tolerations": [{"key": "dedicated", "operator": "Exists"}],
            "automountServiceAccountToken": False,
            "containers": [{"name": "main", "image": "worker:1"}],
        },
    }
    output = api_server.kubectl("create", "--dry-run=server", "-o", "json", "-f", "-", text=json.dumps(pod))
    spec: dict[str, Any] = json.loads(output)["spec"]
    return spec


def test_the_selector_of_a_node_group_is_dropped_and_no_other(api_server: ApiServer) -> None:
    """What else a pod says about its place stays."""
    listing = {"apiVersion": "v1", "kind": "List", "items": one_node_for_every_group()}
    api_server.kubectl("apply", "--server-side", "-f", "-", text=json.dumps(listing))
    deadline = time.monotonic() + POLICY_WITHIN_SECONDS
    spec = _admitted(api_server, "worker", {"celery-fleet/nodes": "workers"})
    while "nodeSelector" in spec and time.monotonic() < deadline:
        time.sleep(0.5)
        spec = _admitted(api_server, "worker", {"celery-fleet/nodes": "workers"})
    assert "nodeSelector" not in spec
    assert {"key": "dedicated", "operator": "Exists"} in spec["tolerations"]
    assert _admitted(api_server, "other", {"kubernetes.io/os": "linux"})["nodeSelector"] == {
        "kubernetes.io/os": "linux"
    }
    # RabbitMQ's operator knows no node selector.
    broker = _admitted(api_server, "broker", {}, affinity=_affinity("celery-fleet/nodes"))
    assert "nodeAffinity" not in broker.get("affinity", {})
    other = _affinity("kubernetes.io/arch")
    assert _admitted(api_server, "another", {}, affinity=other)["affinity"] == other


def _apart_by(key: str) -> dict[str, Any]:
    term = {"topologyKey": key, "labelSelector": {"matchLabels": {"app.kubernetes.io/name": "broker"}}}
    return {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}


def test_pods_that_want_a_node_each_share_the_one(api_server: ApiServer) -> None:
    """The nodes of a broker do; what else keeps pods apart stays."""
    listing = {"apiVersion": "v1", "kind": "List", "items": one_node_for_several_pods()}
    api_server.kubectl("apply", "--server-side", "-f", "-", text=json.dumps(listing))
    deadline = time.monotonic() + POLICY_WITHIN_SECONDS
    hosts, zones = _apart_by("kubernetes.io/hostname"), _apart_by("topology.kubernetes.io/zone")
    spec = _admitted(api_server, "node", {}, affinity=hosts)
    while "podAntiAffinity" in spec.get("affinity", {}) and time.monotonic() < deadline:
        time.sleep(0.5)
        spec = _admitted(api_server, "node", {}, affinity=hosts)
    assert "podAntiAffinity" not in spec.get("affinity", {})
    assert _admitted(api_server, "zone", {}, affinity=zones)["affinity"] == zones
