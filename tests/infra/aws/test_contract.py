"""What holds for every component of `infra.aws` beyond the contract of all components (`tests/infra/test_components.py`)."""

from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest

from sandbox.standins.aws.checking import check_inputs
from sandbox.standins.aws.package_types import MapOf, resource_type
from tests.infra.aws.policy_documents import MAX_CHARACTERS, documents, wildcard_grants
from tests.infra.aws.samples import AWS_COMPONENTS, PLACE, TAGS
from tests.infra.recording import Recorded, Registration, record

CASES = [pytest.param(name, id=name) for name in AWS_COMPONENTS]

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


@cache
def _recorded(name: str) -> Recorded:
    return record(lambda: AWS_COMPONENTS[name]("thing"), stack_name="prod")


def _aws(name: str) -> list[Registration]:
    return [item for item in _recorded(name).resources if item.typ.startswith("aws:")]


def _is_taggable(typ: str) -> bool:
    """Whether AWS takes tags for the type, as a mapping."""
    tags = resource_type(typ).inputs.get("tags")
    return tags is not None and isinstance(tags.type, MapOf)


@pytest.mark.parametrize("name", CASES)
def test_inputs_are_those_of_the_package(name: str) -> None:
    """Nothing is misspelt, missing, of another shape or a value that AWS does not know, in nested blocks either."""
    wrong = {
        item.name: problems for item in _aws(name) if (problems := check_inputs(resource_type(item.typ), item.inputs))
    }
    assert wrong == {}


@pytest.mark.parametrize("name", CASES)
def test_whatever_can_be_tagged_is(name: str) -> None:
    """A bill and an audit can tell whose it is."""
    untagged = [
        item.name
        for item in _aws(name)
        if _is_taggable(item.typ) and not TAGS.items() <= item.inputs.get("tags", {}).items()
    ]
    assert untagged == []


@pytest.mark.parametrize("name", CASES)
def test_every_role_stays_within_the_place(name: str) -> None:
    """Path and boundary are the account owner's; a name above 64 characters is refused by IAM."""
    for role in _recorded(name).of("Role"):
        assert role.inputs["path"] == PLACE.role_path, role.name
        assert role.inputs["permissionsBoundary"] == PLACE.permissions_boundary, role.name
        assert len(role.inputs.get("name", "")) <= 64, role.name


@pytest.mark.parametrize("name", CASES)
def test_what_holds_state_has_to_be_told_twice_to_go(name: str) -> None:
    """Where the place protects, a careless destroy or a lost line of the program deletes nothing that cannot be made again."""
    loose = [item.name for item in _aws(name) if item.typ in STATEFUL and not (item.protect or item.retain_on_delete)]
    assert loose == []


@pytest.mark.parametrize("name", CASES)
def test_no_policy_allows_a_wildcard_on_everything(name: str) -> None:
    """And each fits what IAM holds."""
    for item in _aws(name):
        for path, text in documents(item):
            assert wildcard_grants(text) == [], path
            assert len(text) <= MAX_CHARACTERS, path


@pytest.mark.parametrize("name", CASES)
def test_nobody_comes_in_from_anywhere(name: str) -> None:
    """The load balancer in front of the web layer alone takes the whole internet, and its controller makes it."""
    open_to_all = [item.name for item in _aws(name) if ANYWHERE & set(_sources(item))]
    assert open_to_all == []


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
