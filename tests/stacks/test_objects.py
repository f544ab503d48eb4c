"""Every Kubernetes object of every stack, against Kubernetes' own schemas, the operators' definitions, and rules that neither of them states.

The rules are those of kube-linter 0.8 that fit (its program is none of the Python packages), and what no published linter knows: the custom
resources of a fleet.
"""

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import pytest

from fleet.units import parse_duration_seconds
from policy.pod_security import restricted_errors
from policy.pods import pod_of
from tests.infra.definitions import DEFINITIONS, schema_errors
from tests.infra.kubernetes_schemas import is_built_in, kubernetes_errors
from tests.infra.recording import Recorded
from tests.stacks.programs import EKS_STACKS, eks_graph, run_stack

pytestmark = pytest.mark.scan

STACKS = ("local", *EKS_STACKS)
VERSIONS = ("1.35", "1.36")

each_stack = pytest.mark.parametrize("stack", STACKS)

Manifest = Mapping[str, Any]


@cache
def _graph(stack: str) -> Recorded:
    return eks_graph(stack) if stack in EKS_STACKS else run_stack(stack=stack)


def _objects(stack: str, *kinds: str) -> list[Any]:
    return [item for item in _graph(stack).manifests() if not kinds or item["kind"] in kinds]


def _shown(item: Manifest) -> str:
    return f"{item['kind']} {item['metadata']['name']}"


def _named(stack: str, kind: str) -> set[str]:
    return {item["metadata"]["name"] for item in _objects(stack, kind)}


def _pods(stack: str) -> Iterator[tuple[str, Manifest]]:
    for item in _objects(stack):
        if (pod := pod_of(item)) is not None:
            yield _shown(item), pod


def _pod_labels(stack: str) -> list[Manifest]:
    """The labels of every kind of pod that is made, by a workload or by the cluster operator."""
    made = [item["spec"]["template"]["metadata"]["labels"] for item in _objects(stack) if pod_of(item) is not None]
    return [*made, *({"app.kubernetes.io/name": name} for name in _named(stack, "RabbitmqCluster"))]


def _selects(selector: Manifest, labels: Manifest) -> bool:
    return selector.items() <= labels.items()


@each_stack
@pytest.mark.parametrize("version", VERSIONS)
def test_kubernetes_takes_every_object(stack: str, version: str) -> None:
    """No field of a built-in kind is unknown to the versions that a cluster may have, missing or of the wrong type."""
    found = {
        _shown(item): errors
        for item in _objects(stack)
        if is_built_in(item) and (errors := kubernetes_errors(item, version))
    }
    assert found == {}


@pytest.mark.skipif(not DEFINITIONS.is_dir(), reason=f"needs upstream's CustomResourceDefinitions in {DEFINITIONS}")
@each_stack
def test_operators_take_every_custom_resource(stack: str) -> None:
    """Nor of a kind that an operator defines."""
    found = {
        _shown(item): errors for item in _objects(stack) if not is_built_in(item) and (errors := schema_errors(item))
    }
    assert found == {}


@each_stack
def test_every_pod_meets_the_restricted_standard(stack: str) -> None:
    """The namespace enforces it: a pod that does not would never start."""
    assert {name: errors for name, pod in _pods(stack) if (errors := restricted_errors(pod))} == {}


@each_stack
def test_operators_are_not_told_to_loosen_the_brokers_pods(stack: str) -> None:
    """They meet the standard as the cluster operator makes them; an override could undo that."""
    for item in _objects(stack, "RabbitmqCluster"):
        assert "securityContext" not in str(item["spec"].get("override", {}))


@each_stack
def test_every_selector_finds_pods(stack: str) -> None:
    """A Service, a budget or a workload whose selector meets nothing is silently idle."""
    labels, idle = _pod_labels(stack), []
    for item in _objects(stack, "Service", "PodDisruptionBudget"):
        selector = item["spec"]["selector"]
        wanted = selector.get("matchLabels", selector)
        if not any(_selects(wanted, found) for found in labels):
            idle.append(_shown(item))
    for item in _objects(stack, "Deployment", "StatefulSet"):
        if not _selects(item["spec"]["selector"]["matchLabels"], item["spec"]["template"]["metadata"]["labels"]):
            idle.append(_shown(item))
    assert idle == []


@each_stack
def test_every_name_that_a_pod_uses_is_there(stack: str) -> None:
    """ServiceAccounts and ConfigMaps are made by the program; a pod that names another stays pending."""
    accounts, maps = _named(stack, "ServiceAccount"), _named(stack, "ConfigMap")
    for name, pod in _pods(stack):
        assert pod.get("serviceAccountName") is None or pod["serviceAccountName"] in accounts, name
        for volume in pod["volumes"]:
            assert "configMap" not in volume or volume["configMap"]["name"] in maps, name


@each_stack
def test_every_image_is_pinned(stack: str) -> None:
    """By digest, or by the tag of a release; `latest` is another program tomorrow."""
    images = {container["image"] for _, pod in _pods(stack) for container in pod["containers"]}
    images |= {item["spec"]["image"] for item in _objects(stack, "RabbitmqCluster")}
    assert images
    assert [image for image in images if not re.search(r"@sha256:[0-9a-f]{64}$|:v?\d+\.\d+[\w.-]*$", image)] == []


@each_stack
def test_autoscalers_follow_what_is_there(stack: str) -> None:
    """KEDA scales a Deployment of the stack by the length of a queue of the stack, with credentials from a Secret alone."""
    deployments, queues = _named(stack, "Deployment"), {item["spec"]["name"] for item in _objects(stack, "Queue")}
    logins = _named(stack, "TriggerAuthentication")
    scaled = _objects(stack, "ScaledObject")
    assert scaled
    for item in scaled:
        assert item["spec"]["scaleTargetRef"]["name"] in deployments
        triggers = [trigger for trigger in item["spec"]["triggers"] if trigger["type"] == "rabbitmq"]
        assert triggers
        for trigger in triggers:
            assert trigger["metadata"]["queueName"] in queues
            assert trigger["authenticationRef"]["name"] in logins
            assert "@" not in trigger["metadata"]["host"]
            assert not trigger["metadata"].keys() & {"username", "password", "hostFromEnv"}


@each_stack
def test_the_web_layers_autoscaler_follows_what_is_there(stack: str) -> None:
    """An autoscaler of a Deployment that is not there says so in its status alone."""
    targets = [item["spec"]["scaleTargetRef"] for item in _objects(stack, "HorizontalPodAutoscaler")]
    assert targets
    assert all(item["name"] in _named(stack, item["kind"]) for item in targets)


@pytest.mark.parametrize("stack", EKS_STACKS)
def test_a_brokers_volume_is_encrypted_and_of_a_class_that_is_there(stack: str) -> None:
    """A claim of a class that nothing makes stays pending, and so does the broker."""
    persistence = _objects(stack, "RabbitmqCluster")[0]["spec"]["persistence"]
    [found] = [
        item for item in _objects(stack, "StorageClass") if item["metadata"]["name"] == persistence["storageClassName"]
    ]
    assert found["provisioner"] in {"ebs.csi.aws.com", "ebs.csi.eks.amazonaws.com"}
    assert (found["parameters"]["type"], found["parameters"]["encrypted"]) == ("gp3", "true")
    assert found["volumeBindingMode"] == "WaitForFirstConsumer"


@each_stack
def test_a_broker_loses_one_node_at_a_time(stack: str) -> None:
    """An odd number of nodes, apart from each other and over the zones, with a budget and memory that is theirs alone."""
    broker = _objects(stack, "RabbitmqCluster")[0]
    spec = broker["spec"]
    assert spec["replicas"] % 2 == 1
    assert spec["resources"]["requests"]["memory"] == spec["resources"]["limits"]["memory"]
    budgets = [item["spec"] for item in _objects(stack, "PodDisruptionBudget")]
    name = {"app.kubernetes.io/name": broker["metadata"]["name"]}
    if spec["replicas"] > 1:
        assert [item["maxUnavailable"] for item in budgets if item["selector"]["matchLabels"] == name] == [1]
        [apart] = spec["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
        assert apart == {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": name}}
        [spread] = spec["override"]["statefulSet"]["spec"]["template"]["spec"]["topologySpreadConstraints"]
        assert (spread["topologyKey"], spread["whenUnsatisfiable"]) == ("topology.kubernetes.io/zone", "DoNotSchedule")


@each_stack
def test_a_queue_holds_what_its_workers_hold(stack: str) -> None:
    """A queue that is full refuses publishers: its limit is above what all workers together have taken and not finished."""
    documents = {
        item["metadata"]["name"]: json.loads(item["data"]["document.json"])
        for item in _objects(stack, "ConfigMap")
        if "document.json" in item["data"]
    }
    most = {
        item["spec"]["scaleTargetRef"]["name"]: item["spec"]["maxReplicaCount"]
        for item in _objects(stack, "ScaledObject")
    }
    for item in _objects(stack, "Deployment"):
        if item["metadata"]["name"] not in most:
            continue
        volumes = item["spec"]["template"]["spec"]["volumes"]
        told = next(documents[volume["configMap"]["name"]] for volume in volumes if volume["name"] == "document")
        [limit] = [
            policy["spec"]["definition"]["max-length"]
            for policy in _objects(stack, "Policy")
            if re.match(policy["spec"]["pattern"], told["shard"])
        ]
        taken = (
            most[item["metadata"]["name"]]
            * told["worker"]["concurrency"]
            * told["worker"].get("prefetch_multiplier", 1)
        )
        assert taken < limit, told["shard"]


@each_stack
def test_a_node_outlives_the_grace_of_its_pods(stack: str) -> None:
    """A pod whose grace is longer than its node's is deleted when the drain begins (Karpenter docs, "Disruption")."""
    graces = [pod.get("terminationGracePeriodSeconds", 30) for _, pod in _pods(stack)]
    for item in _objects(stack, "NodePool"):
        assert parse_duration_seconds(item["spec"]["template"]["spec"]["terminationGracePeriod"]) >= max(graces)
