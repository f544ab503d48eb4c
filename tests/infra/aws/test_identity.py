"""Roles of pods: who can take them, what they are called, and when a pod may count on them."""

import json
from dataclasses import replace
from typing import Any

import pytest

from fleet.plan import QueuePlan
from infra.aws.identity import PodRole, PodRoleArgs, queue_role
from infra.aws.policies import allow
from infra.aws.roles import role_name
from infra.workers import QueueWorkers, QueueWorkersArgs
from tests.infra.aws.samples import ACCOUNT, CLUSTER_ARN, PLACE
from tests.infra.recording import Recorded, record
from tests.infra.samples import IMAGE, queue_of, sample_plan


def pod_role(**changes: Any) -> Recorded:
    """The role of a controller."""
    args = PodRoleArgs(
        place=PLACE,
        cluster_name=PLACE.name,
        cluster_arn=CLUSTER_ARN,
        namespace="kube-system",
        service_account="ebs-csi-controller-sa",
        managed_policies=("arn:aws:iam::aws:policy/AmazonEBSCSIDriverPolicyV2",),
        statements=(allow("UseKey", ["kms:Decrypt"], ["arn:aws:kms:us-east-1:123456789012:key/1"]),),
    )
    return record(lambda: PodRole("role", replace(args, **changes)))


def with_policies(queue: str, *policies: str) -> QueuePlan:
    found = queue_of(sample_plan("prod"), queue)
    fields = {field: getattr(found, field) for field in found.__struct_fields__}
    return QueuePlan(**{**fields, "aws_policies": policies})


def test_only_pods_of_this_cluster_take_the_role() -> None:
    """Without the conditions every cluster of the account could, and a service of another account."""
    role = pod_role().one("Role").inputs
    (statement,) = json.loads(role["assumeRolePolicy"])["Statement"]
    assert statement == {
        "Effect": "Allow",
        "Principal": {"Service": "pods.eks.amazonaws.com"},
        "Action": ["sts:AssumeRole", "sts:TagSession"],
        "Condition": {
            "StringEquals": {"aws:SourceAccount": ACCOUNT},
            "ArnEquals": {"aws:SourceArn": CLUSTER_ARN},
        },
    }


def test_a_role_stays_within_what_the_account_allows() -> None:
    """Many organisations refuse a role without their boundary, or outside their path."""
    role = pod_role().one("Role").inputs
    assert role["path"] == "/celery-fleet/"
    assert role["permissionsBoundary"] == f"arn:aws:iam::{ACCOUNT}:policy/boundary"
    assert role["name"] == "celery-fleet-prod-ebs-csi-controller-sa"
    assert role["tags"]["Name"] == "celery-fleet-prod-ebs-csi-controller-sa"
    plain = pod_role(place=replace(PLACE, role_path="/", permissions_boundary=None)).one("Role").inputs
    assert plain["path"] == "/"
    assert "permissionsBoundary" not in plain


def test_the_association_waits_for_all_that_is_granted() -> None:
    """A controller that starts with an empty role gives up."""
    recorded = pod_role()
    association = recorded.one("PodIdentityAssociation")
    granted = {item.urn for item in [*recorded.of("RolePolicyAttachment"), *recorded.of("RolePolicy")]}
    assert len(granted) == 2
    assert granted <= association.depends_on
    assert association.inputs["namespace"] == "kube-system"
    assert association.inputs["serviceAccount"] == "ebs-csi-controller-sa"


def test_a_role_without_grants_is_a_role_all_the_same() -> None:
    """A policy without statements would be refused."""
    recorded = pod_role(managed_policies=(), statements=())
    assert recorded.of("RolePolicy") == recorded.of("RolePolicyAttachment") == []
    assert len(recorded.of("PodIdentityAssociation")) == 1


@pytest.mark.parametrize(
    ("purpose", "name"),
    [
        pytest.param("karpenter", "celery-fleet-prod-karpenter", id="short"),
        pytest.param("w" * 46, f"celery-fleet-prod-{'w' * 46}", id="as-long-as-iam-takes"),
    ],
)
def test_a_role_is_named_for_its_purpose(purpose: str, name: str) -> None:
    """The console and CloudTrail show it."""
    assert role_name(PLACE, purpose) == name


def test_long_names_stay_within_iam_and_apart() -> None:
    """What is cut off still counts: two queues with the same beginning have two roles."""
    first, second = role_name(PLACE, f"{'w' * 60}-a"), role_name(PLACE, f"{'w' * 60}-b")
    assert first != second
    assert len(first) == len(second) == 64


def test_a_queue_that_asks_for_no_policy_has_no_role() -> None:
    """Its pods then get no credentials at all."""
    queue = queue_of(sample_plan("prod"), "reports")
    assert queue_role(PLACE, queue, cluster_name=PLACE.name, cluster_arn=CLUSTER_ARN, fleet="celery-fleet") is None


def test_a_queues_role_is_the_one_of_its_pods() -> None:
    """Its ServiceAccount is that of every shard's Deployment, and its policies are found in the environment's own account."""
    queue = with_policies("default", "mail/templates", "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess")
    plan = sample_plan("prod")

    def program() -> None:
        args = queue_role(PLACE, queue, cluster_name=PLACE.name, cluster_arn=CLUSTER_ARN, fleet=plan.fleet)
        assert args is not None
        PodRole("role-default", args)
        QueueWorkers("workers", QueueWorkersArgs(plan=plan, queue=queue, image=IMAGE, results_secret="results-1"))

    recorded = record(program)
    association = recorded.one("PodIdentityAssociation").inputs
    pods = [item.inputs["spec"]["template"]["spec"] for item in recorded.of("Deployment")]
    assert [pod["serviceAccountName"] for pod in pods] == [association["serviceAccount"]] * 2
    assert association["namespace"] == recorded.one("ServiceAccount").inputs["metadata"]["namespace"]
    assert {item.inputs["policyArn"] for item in recorded.of("RolePolicyAttachment")} == {
        f"arn:aws:iam::{ACCOUNT}:policy/mail/templates",
        "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess",
    }
