"""The network, roles, registries, keys, queues and rules of the components, made in an AWS account in memory."""

import json
from collections.abc import Callable
from typing import Any

import pulumi_aws as aws
import pytest
from botocore.exceptions import ClientError

from tests.infra.aws.moto_replay import client, replayed
from tests.infra.aws.samples import AWS_COMPONENTS, component_graph
from tests.infra.recording import record
from tests.stacks.programs import EKS_STACKS, eks_graph

pytestmark = pytest.mark.scan

TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
    }
)


@pytest.mark.parametrize("name", [pytest.param(name, id=name) for name in AWS_COMPONENTS])
def test_aws_takes_what_a_component_makes(name: str) -> None:
    """Every resource in its turn, each naming only what is there by then."""
    with replayed(component_graph(name)):
        pass


@pytest.mark.parametrize("stack", EKS_STACKS)
def test_aws_takes_what_a_whole_stack_makes(stack: str) -> None:
    """With everything that the components hand to each other."""
    with replayed(eks_graph(stack)) as account:
        found = client("ec2").describe_subnets()["Subnets"]
        made = eks_graph(stack).of("Subnet")
        assert {item.inputs["cidrBlock"] for item in made} <= {subnet["CidrBlock"] for subnet in found}
        assert all(item.identity in account.real for item in made)


def _network() -> aws.ec2.Vpc:
    return aws.ec2.Vpc("vpc", cidr_block="10.0.0.0/16")


def _overlapping_subnets() -> None:
    vpc = _network()
    aws.ec2.Subnet("one", vpc_id=vpc.id, cidr_block="10.0.0.0/20")
    aws.ec2.Subnet("two", vpc_id=vpc.id, cidr_block="10.0.8.0/24")


def _subnet_outside() -> None:
    aws.ec2.Subnet("one", vpc_id=_network().id, cidr_block="10.1.0.0/24")


def _rule_twice() -> None:
    group = aws.ec2.SecurityGroup("group", vpc_id=_network().id, description="of a test")
    for name in ("one", "two"):
        aws.vpc.SecurityGroupIngressRule(
            name, security_group_id=group.id, ip_protocol="tcp", from_port=443, to_port=443, cidr_ipv4="10.0.0.0/16"
        )


def _route_to_nowhere() -> None:
    table = aws.ec2.RouteTable("table", vpc_id=_network().id)
    aws.ec2.Route(
        "route", route_table_id=table.id, destination_cidr_block="0.0.0.0/0", gateway_id="igw-0123456789abcdef0"
    )


def _policy_that_is_none() -> None:
    role = aws.iam.Role("role", assume_role_policy=TRUST)
    statement = {"Effect": "Allow", "Action": "everything", "Resource": "*"}
    aws.iam.RolePolicy("policy", role=role.id, policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))


def _unknown_managed_policy() -> None:
    role = aws.iam.Role("role", assume_role_policy=TRUST)
    aws.iam.RolePolicyAttachment("attachment", role=role.id, policy_arn="arn:aws:iam::aws:policy/AmazonEKSClusterPolcy")


def _lifecycle(rule: dict[str, Any]) -> None:
    repository = aws.ecr.Repository("repository", name="fleet/web")
    aws.ecr.LifecyclePolicy("lifecycle", repository=repository.name, policy=json.dumps({"rules": [rule]}))


def _lifecycle_without_status() -> None:
    _lifecycle(
        {
            "rulePriority": 1,
            "selection": {"countType": "imageCountMoreThan", "countNumber": 3},
            "action": {"type": "expire"},
        }
    )


def _lifecycle_of_an_unknown_status() -> None:
    selection = {"tagStatus": "old", "countType": "imageCountMoreThan", "countNumber": 3}
    _lifecycle({"rulePriority": 1, "selection": selection, "action": {"type": "expire"}})


@pytest.mark.parametrize(
    ("program", "code"),
    [
        pytest.param(_overlapping_subnets, "InvalidSubnet.Conflict", id="subnets-that-overlap"),
        pytest.param(_subnet_outside, "InvalidSubnet.Range", id="a-subnet-outside-its-network"),
        pytest.param(_rule_twice, "InvalidPermission.Duplicate", id="the-same-rule-twice"),
        pytest.param(_route_to_nowhere, "InvalidInternetGatewayID.NotFound", id="a-route-to-a-gateway-that-is-not-there"),
        pytest.param(_policy_that_is_none, "MalformedPolicyDocument", id="an-action-of-no-service"),
        pytest.param(_lifecycle_without_status, "InvalidParameterException", id="a-lifecycle-rule-without-status"),
        pytest.param(_lifecycle_of_an_unknown_status, "InvalidParameterException", id="a-lifecycle-rule-of-an-unknown-status"),
    ],
)  # fmt: skip
def test_aws_refuses_what_is_wrong(program: Callable[[], None], code: str) -> None:
    """What passes the replay has been looked at."""
    with pytest.raises(ClientError) as refused, replayed(record(program)):
        pass
    assert refused.value.response["Error"]["Code"] == code


def test_a_policy_that_aws_does_not_keep_is_refused() -> None:
    """A misspelt name would be found when the role is made, in the middle of an `up`."""
    with pytest.raises(LookupError, match="AmazonEKSClusterPolcy"), replayed(record(_unknown_managed_policy)):
        pass


@pytest.mark.parametrize(
    ("source", "kind", "messages"),
    [
        pytest.param("aws.ec2", "EC2 Spot Instance Interruption Warning", 1, id="a-spot-node-that-is-taken-back"),
        pytest.param("aws.ec2", "EC2 Instance Rebalance Recommendation", 1, id="a-spot-node-at-risk"),
        pytest.param("aws.ec2", "EC2 Instance State-change Notification", 1, id="a-node-that-stops"),
        pytest.param("aws.ec2", "EC2 Capacity Reservation Instance Interruption Warning", 1, id="a-reservation-that-ends"),
        pytest.param("aws.health", "AWS Health Event", 1, id="a-node-on-failing-hardware"),
        pytest.param("aws.ec2", "EBS Volume Notification", 0, id="what-is-no-nodes-business"),
    ],
)  # fmt: skip
def test_karpenter_hears_once_of_a_node_that_is_about_to_go(source: str, kind: str, messages: int) -> None:
    """From the event to the queue that the controller reads: two minutes are short enough without a rule that does not match."""
    recorded = component_graph("Karpenter")
    event = {"Source": source, "DetailType": kind, "Detail": json.dumps({"instance-id": "i-0123456789abcdef0"})}
    with replayed(recorded) as account:
        client("events").put_events(Entries=[event])
        url = account.real[recorded.one("Queue").identity]
        found = client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
    assert [json.loads(message["Body"])["detail-type"] for message in found] == [kind] * messages
