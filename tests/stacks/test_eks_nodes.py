"""Which nodes a stack in AWS has, and which pods run on them."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.infra.recording import Recorded
from tests.stacks.programs import EKS_STACKS, eks_graph, named, only

pytestmark = pytest.mark.scan

each_stack = pytest.mark.parametrize("stack", EKS_STACKS)
with_karpenter = pytest.mark.parametrize("stack", ["staging", "prod"])


@with_karpenter
def test_what_happens_to_a_node_reaches_its_controller(stack: str) -> None:
    """Five kinds of news, by a queue that takes nothing in plain text."""
    recorded = eks_graph(stack)
    queue = named(recorded, "karpenter-queue").inputs["name"]
    assert len(recorded.of("EventRule")) == len(recorded.of("EventTarget")) == 5
    denied = [
        statement for statement in json.loads(only(recorded, "aws:sqs/queuePolicy:QueuePolicy").inputs["policy"])["Statement"]
        if statement["Effect"] == "Deny"
    ]  # fmt: skip
    assert [statement["Condition"] for statement in denied] == [{"Bool": {"aws:SecureTransport": "false"}}]
    assert named(recorded, "controllers-karpenter").inputs["values"]["settings"] == {
        "clusterName": f"celery-fleet-{stack}", "interruptionQueue": queue,
    }  # fmt: skip
    assert named(recorded, "karpenter-node-entry").inputs["type"] == "EC2_LINUX"


@with_karpenter
def test_workers_nodes_are_pinned_and_bounded(stack: str) -> None:
    """One image, never the latest; a ceiling on cores, which is one on cost."""
    recorded = eks_graph(stack)
    (term,) = recorded.one("EC2NodeClass").inputs["spec"]["amiSelectorTerms"]
    assert term["alias"].startswith("al2023@v2026")
    assert {item.inputs["spec"]["limits"].keys() <= {"cpu"} for item in recorded.of("NodePool")} == {True}


@with_karpenter
def test_a_node_waits_longer_than_any_pod_that_it_may_run(stack: str) -> None:
    """A pod whose grace is longer than its node's loses it when the drain begins."""
    recorded = eks_graph(stack)
    graces = {
        item.inputs["metadata"]["name"]: int(item.inputs["spec"]["template"]["spec"]["terminationGracePeriod"].removesuffix("s"))
        for item in recorded.of("NodePool")
    }  # fmt: skip
    checked = 0
    for name, pod in _worker_pods(recorded):
        pool = f"workers-{pod['nodeSelector']['celery-fleet/capacity']}"
        assert pod["terminationGracePeriodSeconds"] < graces[pool], name
        checked += 1
    assert checked == 5


def _worker_pods(recorded: Recorded) -> Iterator[tuple[str, dict[str, Any]]]:
    for item in recorded.of("Deployment"):
        if item.name.startswith("workers-"):
            yield item.name, item.inputs["spec"]["template"]["spec"]


@each_stack
def test_every_pod_is_told_its_nodes(stack: str) -> None:
    """All nodes are tainted: a pod that tolerates nothing would wait for ever."""
    recorded = eks_graph(stack)
    chosen = {
        item.name: item.inputs["spec"]["template"]["spec"].get("nodeSelector", {}).get("celery-fleet/nodes")
        for kind in ("Deployment", "Job")
        for item in recorded.of(kind)
    }
    assert {
        name: nodes
        for name, nodes in chosen.items()
        if nodes != ("workers" if name.startswith("workers-") else "system")
    } == {}
    toleration = {"key": "dedicated", "operator": "Equal", "value": "rabbitmq", "effect": "NoSchedule"}
    assert recorded.one("RabbitmqCluster").inputs["spec"]["tolerations"] == [toleration]


@each_stack
def test_charts_run_on_the_system_nodes(stack: str) -> None:
    """Karpenter above all: it would end the node that it runs on."""
    charts = {item.inputs["chart"]: item.inputs["values"] for item in eks_graph(stack).of("Release")}
    for chart, values in charts.items():
        if chart.endswith("karpenter-crd"):
            continue
        assert values["nodeSelector"] == {"celery-fleet/nodes": "system"}, chart
        assert values["tolerations"][0]["key"] == "CriticalAddonsOnly", chart
    assert {name.rsplit("/", 1)[-1] for name in charts} >= {"cert-manager", "keda", "aws-load-balancer-controller"}


@each_stack
def test_replicas_of_a_controller_fit_the_system_nodes(stack: str) -> None:
    """Karpenter's never share a node: a second one that finds none would fail the release."""
    recorded, nodes = eks_graph(stack), {"dev": 1, "staging": 2, "prod": 3}[stack]
    for item in recorded.of("Release"):
        replicas = item.inputs["values"].get("replicas", item.inputs["values"].get("replicaCount", 1))
        assert replicas <= nodes, item.name
