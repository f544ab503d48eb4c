"""The controllers of an EKS cluster: pinned charts, on the system nodes, with what they cannot find out by themselves."""

import pytest

from infra.aws.controllers import Controllers, ControllersArgs
from infra.placement import eks_placements
from tests.infra.aws.samples import PLACE, TAGS
from tests.infra.recording import Recorded, record


def controllers(*, system_nodes: int = 3, queue: str | None = "notices") -> Recorded:
    """The controllers of a cluster."""
    args = ControllersArgs(
        place=PLACE,
        cluster_name=PLACE.name,
        vpc_id="vpc-1",
        placement=eks_placements("karpenter").system,
        system_nodes=system_nodes,
        karpenter_queue=queue,
    )
    return record(lambda: Controllers("controllers", args))


def test_charts_are_pinned_and_karpenters_kinds_are_upgraded_with_it() -> None:
    """Helm never upgrades the kinds in a chart's own folder, so they come in a chart of their own, first."""
    recorded = controllers()
    charts = {item.inputs["chart"]: item for item in recorded.of("Release")}
    assert {chart: item.inputs["version"] for chart, item in charts.items()} == {
        "aws-load-balancer-controller": "3.5.0",
        "oci://public.ecr.aws/karpenter/karpenter-crd": "1.14.1",
        "oci://public.ecr.aws/karpenter/karpenter": "1.14.1",
    }
    kinds, karpenter = (charts[f"oci://public.ecr.aws/karpenter/{name}"] for name in ("karpenter-crd", "karpenter"))
    assert kinds.urn in karpenter.depends_on
    assert karpenter.inputs["skipCrds"] is True
    assert all(item.inputs["atomic"] for item in charts.values())


def test_without_a_queue_nodes_are_not_karpenters() -> None:
    """Managed node groups need no controller."""
    assert [item.inputs["chart"] for item in controllers(queue=None).of("Release")] == ["aws-load-balancer-controller"]


def test_the_load_balancer_controller_is_told_what_it_cannot_ask() -> None:
    """Region and VPC, because pods do not reach the instance's metadata; and it is nobody's default."""
    recorded = controllers()
    values = next(item.inputs["values"] for item in recorded.of("Release") if "balancer" in item.inputs["chart"])
    assert (values["clusterName"], values["region"], values["vpcId"]) == (PLACE.name, "us-east-1", "vpc-1")
    assert values["enableServiceMutatorWebhook"] is False
    assert values["defaultTags"] == TAGS
    assert values["nodeSelector"] == {"celery-fleet/nodes": "system"}


@pytest.mark.parametrize(("nodes", "replicas"), [(1, 1), (2, 2), (5, 2)])
def test_replicas_never_outnumber_the_system_nodes(nodes: int, replicas: int) -> None:
    """Karpenter's never share one, and a release that waits for a pod in vain is taken back."""
    releases = controllers(system_nodes=nodes).of("Release")
    values = [item.inputs["values"] for item in releases if item.inputs["values"]]
    assert [value.get("replicas", value.get("replicaCount")) for value in values] == [replicas, replicas]
