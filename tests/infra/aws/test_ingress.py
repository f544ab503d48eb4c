"""The role of the controller that makes load balancers."""

import json
from functools import cache
from typing import Any

import pytest

from infra.aws.ingress import LoadBalancerController, LoadBalancerControllerArgs
from tests.infra.aws.policy_documents import statements
from tests.infra.aws.samples import CLUSTER_ARN, PLACE
from tests.infra.recording import Recorded, record

TAG = "elbv2.k8s.aws/cluster"
ELB = "arn:aws:elasticloadbalancing:us-east-1:123456789012:"


@cache
def controller() -> Recorded:
    """The controller's side of the account."""
    args = LoadBalancerControllerArgs(place=PLACE, cluster_name=PLACE.name, cluster_arn=CLUSTER_ARN, vpc_id="vpc-1")
    return record(lambda: LoadBalancerController("balancing", args))


def allowed(action: str) -> list[dict[str, Any]]:
    """Every statement that allows an action."""
    found = [statement for item in controller().of("Policy") for statement in statements(item.inputs["policy"])]
    return [statement for statement in found if action in statement["Action"]]


def test_the_pods_of_the_chart_take_the_role() -> None:
    """In the namespace and by the ServiceAccount that the chart makes, with both policies."""
    recorded = controller()
    association = recorded.one("PodIdentityAssociation").inputs
    assert (association["namespace"], association["serviceAccount"]) == ("kube-system", "aws-load-balancer-controller")
    attached = {item.inputs["policyArn"] for item in recorded.of("RolePolicyAttachment")}
    assert len(attached) == len(recorded.of("Policy")) == 2


@pytest.mark.parametrize(
    ("action", "resources"),
    [
        pytest.param("DeleteLoadBalancer", ["loadbalancer/app/*/*", "loadbalancer/net/*/*"], id="load-balancers"),
        pytest.param("DeleteTargetGroup", ["targetgroup/*/*"], id="target-groups"),
        pytest.param("RegisterTargets", ["targetgroup/*/*"], id="targets"),
        pytest.param("SetSecurityGroups", ["loadbalancer/app/*/*"], id="who-comes-in"),
    ],
)
def test_only_what_belongs_to_the_cluster_is_changed(action: str, resources: list[str]) -> None:
    """Another cluster's load balancers carry another name, and those of no cluster none."""
    (statement,) = allowed(f"elasticloadbalancing:{action}")
    assert statement["Condition"] == {"StringEquals": {f"aws:ResourceTag/{TAG}": "celery-fleet-prod"}}
    assert {f"{ELB}{resource}" for resource in resources} <= set(statement["Resource"])


@pytest.mark.parametrize(
    "action",
    [
        pytest.param("elasticloadbalancing:CreateLoadBalancer", id="load-balancers"),
        pytest.param("elasticloadbalancing:CreateTargetGroup", id="target-groups"),
    ],
)
def test_what_is_made_carries_the_clusters_tag(action: str) -> None:
    """Else it could never be changed or deleted again."""
    (statement,) = allowed(action)
    assert statement["Condition"] == {"StringEquals": {f"aws:RequestTag/{TAG}": "celery-fleet-prod"}}


def test_ports_are_opened_in_the_vpc_of_the_cluster_alone() -> None:
    """Groups of the nodes have no tag of the controller's, so the VPC is what they are told by."""
    (statement,) = allowed("ec2:AuthorizeSecurityGroupIngress")
    assert statement["Condition"] == {"ArnEquals": {"ec2:Vpc": "arn:aws:ec2:us-east-1:123456789012:vpc/vpc-1"}}
    made = allowed("ec2:CreateSecurityGroup")
    assert {resource for item in made for resource in item["Resource"]} == {
        "arn:aws:ec2:us-east-1:123456789012:security-group/*", "arn:aws:ec2:us-east-1:123456789012:vpc/vpc-1",
    }  # fmt: skip


def test_the_clusters_tag_itself_cannot_be_moved() -> None:
    """Whoever could write it anywhere could then delete anything."""
    for statement in [*allowed("elasticloadbalancing:RemoveTags"), *allowed("ec2:DeleteTags")]:
        if "listener" not in json.dumps(statement["Resource"]):
            assert statement["Condition"] == {
                "StringEquals": {f"aws:ResourceTag/{TAG}": "celery-fleet-prod"},
                "Null": {f"aws:RequestTag/{TAG}": "true"},
            }


def test_whatever_changes_something_names_a_resource() -> None:
    """Reading is all that may be done anywhere."""
    for item in controller().of("Policy"):
        for statement in statements(item.inputs["policy"]):
            reads = all(action.split(":")[1].startswith(("Describe", "Get", "List")) for action in statement["Action"])
            assert reads or "*" not in statement["Resource"], statement["Sid"]


def test_addons_that_are_off_are_not_allowed() -> None:
    """Shield costs thousands a month once somebody subscribes; the others are of a time gone by."""
    text = " ".join(item.inputs["policy"] for item in controller().of("Policy"))
    assert not [
        word for word in ("shield:", "waf-regional:", "cognito-idp:", "iam:ListServerCertificates") if word in text
    ]
