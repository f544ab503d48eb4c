"""Other ways to have a stack in AWS than the committed ones: Auto Mode, a network and images of one's own, ways in, a first preview."""

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

from tests.infra.recording import Recorded
from tests.stacks.programs import before, named, only, run_eks

pytestmark = pytest.mark.scan


@cache
def auto_mode() -> Recorded:
    """Prod with EKS Auto Mode and a load balancer in front of the web layer."""
    return run_eks("prod", aws={"compute": "auto", "web": {"hostname": "fleet.example.com"}})


def test_auto_mode_brings_nodes_and_controllers_itself() -> None:
    """No node group, no chart of a controller; the platform waits for the pools, which are the first nodes there are."""
    recorded = auto_mode()
    assert recorded.of("NodeGroup") == []
    assert {item.inputs["chart"] for item in recorded.of("Release")} == {"cert-manager", "keda"}
    assert "pools-fleet-system" in before(recorded, named(recorded, "platform-keda"))
    assert recorded.one("StorageClass").inputs["provisioner"] == "ebs.csi.eks.amazonaws.com"
    assert [item.name for item in recorded.resources if item.urn in recorded.waits_for(item)] == []


def test_auto_modes_own_pools_start_nodes_where_images_can_be_pulled() -> None:
    """They take the subnets of the control plane, and intra subnets lead nowhere."""
    recorded = auto_mode()
    subnets = only(recorded, "aws:eks/cluster:Cluster").inputs["vpcConfig"]["subnetIds"]
    assert subnets == [term["id"] for term in recorded.one("NodeClass").inputs["spec"]["subnetSelectorTerms"]]


def test_the_class_of_an_ingress_is_there_before_it() -> None:
    """Auto Mode has none of its own."""
    recorded = auto_mode()
    assert {"ways-in-class", "ways-in-class-parameters"} <= before(recorded, named(recorded, "ways-in-web"))


OWN_VPC = {
    "vpcId": "vpc-0a", "cidr": "10.8.0.0/16", "privateSubnetIds": ["subnet-1", "subnet-2"],
    "intraSubnetIds": ["subnet-3", "subnet-4"],
}  # fmt: skip
DIGEST = f"sha256:{'0' * 64}"
OWN_IMAGES = {"web": f"registry.example/web@{DIGEST}", "worker": f"registry.example/worker@{DIGEST}"}


@cache
def with_ones_own() -> Recorded:
    """Dev in a VPC and with images of one's own, reached from inside the VPC by two load balancers."""
    aws = {
        "network": {"existing": OWN_VPC}, "brokerLoadBalancer": True,
        "web": {"hostname": "fleet.example.com", "internal": True, "inboundCidrs": ["10.0.0.0/8"]},
    }  # fmt: skip
    return run_eks("dev", aws=aws, images={"prebuilt": OWN_IMAGES})


def test_what_exists_is_used_and_left_alone() -> None:
    """Nothing of a network is made, and nothing is built."""
    recorded = with_ones_own()
    made = {item.kind for item in recorded.resources}
    assert made.isdisjoint({"Vpc", "Subnet", "Route", "NatGateway", "Image"})
    assert only(recorded, "aws:eks/cluster:Cluster").inputs["vpcConfig"]["subnetIds"] == ["subnet-3", "subnet-4"]
    assert named(recorded, "nodes-broker-0").inputs["subnetIds"] == ["subnet-1"]


def test_repositories_stay_where_images_are_promoted() -> None:
    """A kept environment refuses to lose them, and a rollback finds what it ran before."""
    assert {item.inputs["name"] for item in with_ones_own().of("Repository")} == {
        "celery-fleet-dev/web", "celery-fleet-dev/worker",
    }  # fmt: skip


def test_a_build_cache_has_a_repository_when_asked_for() -> None:
    """Machines that begin each build with nothing find their layers there."""
    recorded = run_eks("dev", images={"cache": True})
    assert "celery-fleet-dev/cache" in {item.inputs["name"] for item in recorded.of("Repository")}
    refs = {item.inputs["cacheTo"][0]["registry"]["ref"].rsplit("/", 1)[-1] for item in recorded.of("Image")}
    assert refs == {"cache:web", "cache:worker"}


def test_another_registry_takes_the_place_of_the_stacks_own() -> None:
    """With a path for the fleet, and the cache beside the images."""
    recorded = run_eks("dev", images={"registry": "registry.example/team", "cache": True})
    assert recorded.of("Repository") == []
    (web,) = [item.inputs for item in recorded.of("Image") if item.inputs["target"] == "web"]
    assert web["tags"][0].startswith("registry.example/team/celery-fleet/web:")
    assert web["cacheFrom"] == [{"registry": {"ref": "registry.example/team/celery-fleet/cache:web"}}]
    assert "registries" not in web


def test_ways_in_are_gone_before_their_controller() -> None:
    """It makes their load balancers and takes them away again; one that is left keeps the VPC from going."""
    recorded = with_ones_own()
    for name in ("ways-in-web", "ways-in-broker"):
        needed = before(recorded, named(recorded, name))
        assert {"controllers-load-balancers", "load-balancing-controller-association"} <= needed
    assert "broker-cluster" in before(recorded, named(recorded, "ways-in-broker"))


def test_pods_behind_a_load_balancer_know_of_it() -> None:
    """They are ready when it says so, go on until it has heard that they stop, and the broker lets it in."""
    recorded = with_ones_own()
    labels = recorded.one("Namespace").inputs["metadata"]["labels"]
    assert labels["elbv2.k8s.aws/pod-readiness-gate-inject"] == "enabled"
    (container,) = recorded.one("Deployment", "web").inputs["spec"]["template"]["spec"]["containers"]
    assert container["lifecycle"] == {"preStop": {"sleep": {"seconds": 15}}}
    rules = recorded.one("NetworkPolicy", "broker").inputs["spec"]["ingress"]
    assert {"ipBlock": {"cidr": "10.8.0.0/16"}} in [peer for rule in rules for peer in rule.get("from", [])]


def test_a_preview_of_a_cluster_that_is_not_there_leaves_out_what_it_cannot_ask_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two release manifests; everything else is shown. The engine would refuse the whole preview for them."""
    unknown = _unknown_endpoint(monkeypatch)
    recorded = run_eks("dev", preview=True)
    assert unknown()
    assert recorded.of("ConfigFile") == []
    assert {item.inputs["chart"] for item in recorded.of("Release")} >= {"cert-manager", "keda"}


def _unknown_endpoint(monkeypatch: pytest.MonkeyPatch) -> Callable[[], bool]:
    """Lets AWS answer as it does in a preview of a new cluster: without an endpoint."""
    from tests.infra import aws_answers

    asked: list[str] = []
    answer = aws_answers.new_resource

    def new_resource(typ: str, name: str, outputs: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        identity, found = answer(typ, name, outputs)
        if typ == "aws:eks/cluster:Cluster":
            asked.append(name)
            found = {key: value for key, value in found.items() if key not in ("endpoint", "certificateAuthority")}
        return identity, found

    monkeypatch.setattr(aws_answers, "new_resource", new_resource)
    return lambda: bool(asked)
