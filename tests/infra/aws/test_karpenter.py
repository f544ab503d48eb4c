"""Karpenter's side of the account: what its controller hears, what it may do, and what its nodes are."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from fleet.cloud import CLOUDS
from infra.aws.karpenter import Karpenter, KarpenterArgs
from infra.aws.worker_pools import NodeMaker, WorkerPools, WorkerPoolsArgs
from tests.infra.aws.samples import CLUSTER_ARN, KEY_ARN, PLACE
from tests.infra.recording import Recorded, record
from tests.infra.samples import sample_plan

MANAGED_POLICY_CHARACTERS_MAX = 6144
"""White space does not count (IAM user guide, "IAM and AWS STS quotas")."""

SUBNETS = ("subnet-a", "subnet-b", "subnet-c")


def karpenter(**changes: Any) -> Recorded:
    args = KarpenterArgs(place=PLACE, cluster_name=PLACE.name, cluster_arn=CLUSTER_ARN, key_arn=KEY_ARN)
    return record(lambda: Karpenter("karpenter", replace(args, **changes)))


def statements(recorded: Recorded) -> Iterator[dict[str, Any]]:
    """Everything that the controller may do."""
    for item in recorded.of("Policy"):
        yield from json.loads(item.inputs["policy"])["Statement"]


def test_whatever_aws_announces_of_a_node_reaches_the_queue() -> None:
    """Five rules, each with the queue as its target, and permitted before it delivers."""
    recorded = karpenter()
    patterns = [json.loads(item.inputs["eventPattern"]) for item in recorded.of("EventRule")]
    assert {(pattern["source"][0], pattern["detail-type"][0]) for pattern in patterns} == {
        ("aws.health", "AWS Health Event"),
        ("aws.ec2", "EC2 Spot Instance Interruption Warning"),
        ("aws.ec2", "EC2 Instance Rebalance Recommendation"),
        ("aws.ec2", "EC2 Instance State-change Notification"),
        ("aws.ec2", "EC2 Capacity Reservation Instance Interruption Warning"),
    }
    names = {item.inputs["name"] for item in recorded.of("EventRule")}
    assert "celery-fleet-prod-karpenter-spot" in names
    targets = recorded.of("EventTarget")
    assert {target.inputs["arn"] for target in targets} == {"arn:aws:sqs:us-east-1:123456789012:karpenter-queue"}
    assert {target.inputs["rule"] for target in targets} == names
    (allowed,) = recorded.of("QueuePolicy")
    assert all(allowed.urn in target.depends_on for target in targets)


def test_only_those_rules_write_to_the_queue_and_nothing_in_plain_text() -> None:
    """Another account's rule could otherwise make the controller empty nodes."""
    recorded = karpenter()
    (policy,) = (json.loads(item.inputs["policy"]) for item in recorded.of("QueuePolicy"))
    takes, refuses = policy["Statement"]
    assert takes["Principal"] == {"Service": "events.amazonaws.com"}
    assert len(takes["Condition"]["ArnEquals"]["aws:SourceArn"]) == 5
    assert (refuses["Effect"], refuses["Principal"], refuses["Action"]) == ("Deny", "*", "sqs:*")
    assert refuses["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_the_queue_forgets_what_is_past_and_is_encrypted() -> None:
    """A notice lives five minutes; the node of an older one is gone."""
    queue = karpenter().one("Queue").inputs
    assert queue["name"] == "celery-fleet-prod-karpenter"
    assert queue["messageRetentionSeconds"] == 300
    assert queue["sqsManagedSseEnabled"] is True


@pytest.mark.parametrize("name", ["celery-fleet-prod", "a" * 40], ids=["usual-name", "longest-name"])
def test_every_policy_fits_iam(name: str) -> None:
    """One for all would not."""
    recorded = karpenter(place=replace(PLACE, name=name))
    sizes = {item.name: len("".join(item.inputs["policy"].split())) for item in recorded.of("Policy")}
    assert len(sizes) > 1
    assert {key: size for key, size in sizes.items() if size > MANAGED_POLICY_CHARACTERS_MAX} == {}
    assert all(len(item.inputs["name"]) <= 64 for item in [*recorded.of("Policy"), *recorded.of("Role")])


def test_the_controller_has_all_of_its_policies() -> None:
    """A role takes ten at most."""
    recorded = karpenter()
    made = {f"arn:aws:iam:us-east-1:123456789012:{item.name}" for item in recorded.of("Policy")}
    role = next(item for item in recorded.of("Role") if item.inputs["name"] == "celery-fleet-prod-karpenter")
    attached = {
        item.inputs["policyArn"]
        for item in recorded.of("RolePolicyAttachment")
        if item.inputs["role"] == role.inputs["name"]
    }
    assert attached == made
    assert len(attached) <= 10


def test_the_controller_ends_only_what_it_made_for_this_cluster() -> None:
    """A statement that changes something names what it changes, or holds for the cluster's tags alone."""
    reading = ("Describe", "Get", "List", "Receive")
    for statement in statements(karpenter()):
        for action in statement["Action"]:
            verb = action.split(":")[1]
            assert "*" not in action
            if verb.startswith(("Terminate", "Delete")) and action.startswith("ec2:"):
                tags = statement["Condition"]["StringEquals"]
                assert tags == {"aws:ResourceTag/kubernetes.io/cluster/celery-fleet-prod": "owned"}
            if statement["Resource"] == ["*"]:
                assert verb.startswith(reading), statement["Sid"]


def test_the_controller_passes_one_role_and_makes_no_profile() -> None:
    """Who can make instance profiles and pass any role can become anybody."""
    found = {action: statement for statement in statements(karpenter()) for action in statement["Action"]}
    passing = found["iam:PassRole"]
    assert passing["Resource"] == ["arn:aws:iam:us-east-1:123456789012:karpenter-node-role"]
    assert passing["Condition"]["StringEquals"]["iam:PassedToService"][0] == "ec2.amazonaws.com"
    assert {action for action in found if action.startswith("iam:")} == {
        "iam:PassRole",
        "iam:ListInstanceProfiles",
        "iam:GetInstanceProfile",
        "iam:CreateServiceLinkedRole",
    }


def test_the_first_spot_node_of_an_account_can_start() -> None:
    """EC2 needs a role of its own for spot, which an empty account has not; the controller may have that one made and no other."""
    found = {statement["Sid"]: statement for statement in statements(karpenter())}["MakeSpotRole"]
    assert found["Resource"] == [
        "arn:aws:iam::123456789012:role/aws-service-role/spot.amazonaws.com/AWSServiceRoleForEC2Spot"
    ]
    assert found["Condition"] == {"StringEquals": {"iam:AWSServiceName": "spot.amazonaws.com"}}


def test_a_key_of_ones_own_is_lent_to_disks_alone() -> None:
    """By way of EC2; without such a key nothing of KMS is allowed."""
    found = {statement["Sid"]: statement for statement in statements(karpenter())}
    assert found["LendDiskKey"]["Resource"] == [KEY_ARN]
    assert found["LendDiskKey"]["Condition"] == {
        "StringEquals": {"kms:ViaService": "ec2.us-east-1.amazonaws.com"},
        "Bool": {"kms:GrantIsForAWSResource": "true"},
    }
    plain = {statement["Sid"] for statement in statements(karpenter(key_arn=None))}
    assert not {"UseDiskKey", "LendDiskKey"} & plain


def test_its_nodes_are_let_into_the_cluster() -> None:
    """EKS does that by itself for managed groups alone."""
    recorded = karpenter()
    entry = recorded.one("AccessEntry").inputs
    assert entry["type"] == "EC2_LINUX"
    assert entry["principalArn"] == "arn:aws:iam:us-east-1:123456789012:karpenter-node-role"
    assert recorded.one("InstanceProfile").inputs["role"] == "celery-fleet-prod-karpenter-node"
    assert recorded.of("AccessPolicyAssociation") == []


def worker_pools(environment: str, maker: NodeMaker) -> Recorded:
    args = WorkerPoolsArgs(
        place=PLACE,
        plan=sample_plan(environment),
        cloud=CLOUDS[environment],
        maker=maker,
        node_identity="celery-fleet-prod-karpenter-node",
        subnet_ids=SUBNETS,
        security_group_id="sg-cluster",
    )
    return record(lambda: WorkerPools("pools", args))


@pytest.mark.parametrize(
    ("maker", "kind", "pools"),
    [
        pytest.param(NodeMaker.KARPENTER, "EC2NodeClass", 2, id="karpenter-for-the-workers"),
        pytest.param(NodeMaker.AUTO_MODE, "NodeClass", 4, id="auto-mode-for-all"),
    ],
)
def test_pools_come_after_their_class_and_go_before_it(maker: NodeMaker, kind: str, pools: int) -> None:
    """A pool without its class ends no node, and its finalizer would wait for ever."""
    recorded = worker_pools("prod", maker)
    node_class = recorded.one(kind)
    made = recorded.of("NodePool")
    assert len(made) == pools
    for pool in made:
        assert node_class.urn in pool.depends_on
        assert pool.inputs["metadata"]["annotations"] == {"pulumi.com/waitFor": "condition=Ready"}
        assert pool.inputs["spec"]["template"]["spec"]["nodeClassRef"]["kind"] == kind


@pytest.mark.parametrize(
    ("environment", "subnets"),
    [
        pytest.param("dev", ["subnet-a"], id="one-zone-of-a-network-of-several"),
        pytest.param("prod", list(SUBNETS), id="three"),
    ],
)
def test_nodes_stand_in_the_zones_that_the_plan_counts(environment: str, subnets: list[str]) -> None:
    """A network has two zones at least, also where nodes stand in one."""
    spec = worker_pools(environment, NodeMaker.KARPENTER).one("EC2NodeClass").inputs["spec"]
    assert spec["subnetSelectorTerms"] == [{"id": subnet} for subnet in subnets]
    assert spec["tags"]["environment"] == "prod"
