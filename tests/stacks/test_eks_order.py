"""In which order a stack in AWS is made, and so in which order a destroy takes it away: the whole graph, and the pairs that matter."""

from difflib import unified_diff

import pytest

from tests.stacks.golden import golden_file, render
from tests.stacks.programs import EKS_STACKS, before, eks_graph, named

pytestmark = pytest.mark.scan

each_stack = pytest.mark.parametrize("stack", EKS_STACKS)


@each_stack
def test_a_change_of_the_graph_is_seen(stack: str) -> None:
    """`python -m tests.stacks.golden` writes the file anew; what it changes is part of a review."""
    expected = golden_file(stack).read_text(encoding="utf-8").splitlines()
    found = render(eks_graph(stack)).splitlines()
    assert found == expected, "\n".join(
        unified_diff(expected, found, str(golden_file(stack)), "registered", lineterm="")
    )


ORDER: list[tuple[str, str, str]] = [
    ("cluster-cluster", "cluster-logs", "EKS would make a log group that is kept for ever"),
    ("cluster-cluster", "network-intra-0", "a VPC with a cluster in it cannot be deleted"),
    ("addons-vpc-cni", "addons-eks-pod-identity-agent", "the network's pods have their role from the agent"),
    ("nodes-system", "addons-vpc-cni", "no node is ready without a network"),
    ("nodes-system", "network-private-0-default", "a node joins, and leaves, through NAT"),
    ("late-addons-coredns", "nodes-system", "it would wait for a node in vain"),
    ("late-addons-aws-ebs-csi-driver", "nodes-broker-0", "it would wait for a node in vain"),
    ("kubernetes", "cluster-deployer-policy", "objects are taken away with the access that they were made with"),
    ("kubernetes", "nodes-system", "finalizers are taken off by controllers, which need nodes"),
    ("kubernetes", "late-addons-coredns", "controllers look names up"),
    ("controllers-load-balancers", "load-balancing-controller-association", "a pod asks for its role once, when it starts"),
    ("platform-keda", "nodes-system", "it runs there"),
    ("platform-rabbitmqTopologyOperator", "platform-certManager", "its webhooks have their certificate from there"),
    ("broker-cluster", "platform-rabbitmqClusterOperator", "the operator takes its finalizer off"),
    ("broker-cluster", "volumes-class", "its volumes are made with it"),
    ("topology-vhost", "broker-cluster", "there is nothing to declare in"),
    ("topology-vhost", "platform-rabbitmqTopologyOperator", "the operator takes its finalizer off"),
    ("workers-high-scaled-object", "platform-keda", "KEDA takes its finalizer off"),
    ("workers-high-scaled-object", "workers-high-deployment", "KEDA scales what is there"),
    ("workers-high-deployment", "queue-high-high-queue", "workers declare nothing"),
    ("workers-high-deployment", "results-store-group", "workers write results"),
    ("workers-high-deployment", "images-worker", "it is what they run"),
    ("images-web", "registry-web-repository", "it is pushed there"),
]  # fmt: skip
"""Later -> earlier, and what goes wrong the other way round, on the way up or down."""

WITH_KARPENTER: list[tuple[str, str, str]] = [
    ("controllers-karpenter", "controllers-karpenter-kinds", "it reads them"),
    ("controllers-karpenter", "karpenter-controller-association", "a pod asks for its role once, when it starts"),
    ("controllers-karpenter", "karpenter-queue-policy", "a spot notice would be lost"),
    ("controllers-karpenter", "nodes-system", "it never runs on a node that it started"),
    ("pools-workers-spot", "controllers-karpenter", "it ends the nodes, then takes their finalizer off"),
    ("pools-workers-spot", "karpenter-node-entry", "nodes join with it"),
    ("workers-high-deployment", "pools-workers-on-demand", "its pods run there"),
    ("workers-thumbnails-deployment", "pools-workers-spot", "its pods run there"),
]


@each_stack
def test_everything_comes_after_what_it_needs_and_goes_before_it(stack: str) -> None:
    """A destroy takes away autoscalers, workers, queues, broker, operators, node pools, controllers, nodes, cluster, network."""
    recorded = eks_graph(stack)
    pairs = ORDER + (WITH_KARPENTER if stack != "dev" else [])
    wrong = [pair for pair in pairs if pair[1] not in before(recorded, named(recorded, pair[0]))]
    assert wrong == []


@each_stack
def test_nothing_waits_in_a_circle(stack: str) -> None:
    """No resource is there before itself."""
    recorded = eks_graph(stack)
    assert [item.name for item in recorded.resources if item.urn in recorded.waits_for(item)] == []


def test_the_access_of_the_deployer_outlives_every_object() -> None:
    """Without it nothing in the cluster could be deleted any more."""
    recorded = eks_graph("prod")
    objects = [item for item in recorded.resources if item.typ.startswith("kubernetes:") and item.custom]
    assert len(objects) > 90
    assert [item.name for item in objects if "cluster-deployer-policy" not in before(recorded, item)] == []
