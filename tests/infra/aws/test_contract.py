"""What holds for every component of `infra.aws` beyond the contract of all components (`tests/infra/test_components.py`).

What is no question of one component's arguments is asked of the graphs of whole stacks too.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pulumi_aws as aws
import pytest

from sandbox.standins.aws.checking import check_inputs
from sandbox.standins.aws.package_types import MapOf, resource_type
from tests.infra.aws.policy_documents import MAX_CHARACTERS, documents, wildcard_grants
from tests.infra.aws.samples import AWS_COMPONENTS, PLACE, TAGS, component_graph
from tests.infra.recording import Recorded, Registration, record
from tests.stacks.programs import EKS_STACKS, eks_graph

pytestmark = pytest.mark.scan

each_component = pytest.mark.parametrize("name", list(AWS_COMPONENTS))
each_graph = pytest.mark.parametrize("name", [*AWS_COMPONENTS, *EKS_STACKS])

STATEFUL = {
    "aws:cloudwatch/logGroup:LogGroup",
    "aws:ec2/vpc:Vpc",
    "aws:ecr/repository:Repository",
    "aws:eks/cluster:Cluster",
    "aws:elasticache/replicationGroup:ReplicationGroup",
    "aws:elasticache/serverlessCache:ServerlessCache",
    "aws:kms/key:Key",
    "aws:s3/bucket:Bucket",
}
"""What holds something that a new one of its kind would not hold."""

ANYWHERE = {"0.0.0.0/0", "::/0"}

INGRESS = {
    "aws:ec2/securityGroup:SecurityGroup": "ingress",
    "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup": "ingress",
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": "",
    "aws:ec2/securityGroupRule:SecurityGroupRule": "",
    "aws:eks/cluster:Cluster": "vpcConfig.publicAccessCidrs",
    "aws:lb/loadBalancer:LoadBalancer": "",
}
"""Type -> where it says who comes in."""


def _recorded(name: str) -> Recorded:
    return eks_graph(name) if name in EKS_STACKS else component_graph(name)


def _aws(name: str) -> list[Registration]:
    return [item for item in _recorded(name).resources if item.typ.startswith("aws:")]


def _is_taggable(typ: str) -> bool:
    """Whether AWS takes tags for the type, as a mapping."""
    tags = resource_type(typ).inputs.get("tags")
    return tags is not None and isinstance(tags.type, MapOf)


@each_graph
def test_inputs_are_those_of_the_package(name: str) -> None:
    """Nothing is misspelt, missing, of another shape or a value that AWS does not know, in nested blocks either."""
    wrong = {
        item.name: problems for item in _aws(name) if (problems := check_inputs(resource_type(item.typ), item.inputs))
    }
    assert wrong == {}


@each_component
def test_whatever_can_be_tagged_is(name: str) -> None:
    """A bill and an audit can tell whose it is."""
    untagged = [
        item.name
        for item in _aws(name)
        if _is_taggable(item.typ) and not TAGS.items() <= item.inputs.get("tags", {}).items()
    ]
    assert untagged == []


@each_component
def test_every_role_stays_within_the_place(name: str) -> None:
    """Path and boundary are the account owner's; a name above 64 characters is refused by IAM."""
    for role in _recorded(name).of("Role"):
        assert role.inputs["path"] == PLACE.role_path, role.name
        assert role.inputs["permissionsBoundary"] == PLACE.permissions_boundary, role.name
        assert len(role.inputs.get("name", "")) <= 64, role.name


@each_component
def test_what_holds_state_has_to_be_told_twice_to_go(name: str) -> None:
    """Where the place protects, a careless destroy or a lost line of the program deletes nothing that cannot be made again."""
    loose = [item.name for item in _aws(name) if item.typ in STATEFUL and not (item.protect or item.retain_on_delete)]
    assert loose == []


@each_graph
def test_no_policy_allows_a_wildcard_on_everything(name: str) -> None:
    """And each fits what IAM holds."""
    for item in _aws(name):
        for path, text in documents(item):
            assert wildcard_grants(text) == [], path
            assert len(text) <= MAX_CHARACTERS, path


@each_graph
def test_nobody_comes_in_from_anywhere(name: str) -> None:
    """The load balancer in front of the web layer alone takes the whole internet, and its controller makes it."""
    open_to_all = [item.name for item in _aws(name) if ANYWHERE & set(_sources(item))]
    assert open_to_all == []


def _allowed(*actions: str, resource: str = "*", **more: Any) -> str:
    statement = {"Sid": "One", "Effect": "Allow", "Action": list(actions), "Resource": resource, **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@pytest.mark.parametrize(
    ("policy", "grants"),
    [
        pytest.param(_allowed("s3:Get*"), 1, id="a-wildcard-on-everything"),
        pytest.param(_allowed("s3:GetObject", "*"), 1, id="one-of-two-actions"),
        pytest.param(_allowed("s3:Get*", resource="arn:aws:s3:::reports/*"), 0, id="a-wildcard-on-something"),
        pytest.param(_allowed("ec2:DescribeSubnets"), 0, id="a-name-on-everything"),
        pytest.param(_allowed("s3:*", Effect="Deny"), 0, id="a-refusal"),
        pytest.param(_allowed("s3:GetObject", NotResource="arn:aws:s3:::secret/*"), 1, id="everything-but"),
    ],
)
def test_wildcards_are_seen(policy: str, grants: int) -> None:
    """The walk over all policies above sees what it is for."""
    assert len(wildcard_grants(policy)) == grants


def _group() -> None:
    aws.ec2.SecurityGroup(
        "one", vpc_id="vpc-1", ingress=[{"protocol": "-1", "from_port": 0, "to_port": 0, "cidr_blocks": ["0.0.0.0/0"]}]
    )


def _rule() -> None:
    aws.vpc.SecurityGroupIngressRule("one", security_group_id="sg-1", ip_protocol="-1", cidr_ipv6="::/0")


def _endpoint() -> None:
    aws.eks.Cluster(
        "one", role_arn="role", vpc_config={"subnet_ids": ["subnet-1"], "public_access_cidrs": ["0.0.0.0/0"]}
    )


def _way_out() -> None:
    aws.vpc.SecurityGroupEgressRule("one", security_group_id="sg-1", ip_protocol="-1", cidr_ipv4="0.0.0.0/0")


@pytest.mark.parametrize(
    ("program", "is_open"),
    [
        pytest.param(_group, True, id="in-a-group"),
        pytest.param(_rule, True, id="in-a-rule"),
        pytest.param(_endpoint, True, id="of-the-control-plane"),
        pytest.param(_way_out, False, id="a-way-out"),
    ],
)
def test_an_open_door_is_seen(program: Callable[[], None], is_open: bool) -> None:
    """Wherever AWS lets one say who comes in."""
    [item] = record(program).resources
    assert bool(ANYWHERE & set(_sources(item))) is is_open


def _sources(item: Registration) -> Iterator[str]:
    """Every text in that part of the resource that says who comes in."""
    if item.typ not in INGRESS or item.inputs.get("type") == "egress":
        return
    value: Any = item.inputs
    for key in filter(None, INGRESS[item.typ].split(".")):
        value = value.get(key, {})
    waiting = [value]
    while waiting:
        found = waiting.pop()
        if isinstance(found, dict):
            waiting += found.values()
        elif isinstance(found, list):
            waiting += found
        else:
            yield str(found)
