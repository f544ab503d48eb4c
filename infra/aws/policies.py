"""IAM policy documents as plain data.

Invariant: a statement names its actions; an action with a wildcard never meets the resource `*` (a test walks every policy of the project).
Source: IAM user guide, "Grammar of the IAM JSON policy language" (version 2012-10-17).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi

from infra.aws.place import Place

VERSION = "2012-10-17"

Statement = dict[str, Any]
Condition = Mapping[str, Mapping[str, Any]]


def allow(
    sid: str,
    actions: Sequence[str],
    resources: Sequence[pulumi.Input[str]],
    *,
    condition: Condition | None = None,
) -> Statement:
    """Allows actions on resources. `sid` takes letters and digits only."""
    statement: Statement = {"Sid": sid, "Effect": "Allow", "Action": list(actions), "Resource": list(resources)}
    return statement if condition is None else {**statement, "Condition": condition}


def document(*statements: Statement) -> pulumi.Output[str]:
    """The policy as the JSON that IAM, KMS, SQS and ECR take; values may be outputs."""
    return pulumi.Output.json_dumps({"Version": VERSION, "Statement": list(statements)})


def service_trust(service: str, *actions: str, condition: Condition | None = None) -> pulumi.Output[str]:
    """The trust policy of a role that an AWS service takes: `service_trust("ec2.amazonaws.com")`."""
    statement: Statement = {
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": list(actions or ("sts:AssumeRole",)),
    }
    return document(statement if condition is None else {**statement, "Condition": condition})


def pod_trust(place: Place, cluster_arn: pulumi.Input[str]) -> pulumi.Output[str]:
    """The trust policy of a role that pods of one cluster take by EKS Pod Identity.

    Source: EKS user guide, "Create IAM role with trust policy required by EKS Pod Identity" (both actions are needed; the conditions keep other
    clusters of the account out).
    """
    return service_trust(
        "pods.eks.amazonaws.com",
        "sts:AssumeRole",
        "sts:TagSession",
        condition={
            "StringEquals": {"aws:SourceAccount": place.account},
            "ArnEquals": {"aws:SourceArn": cluster_arn},
        },
    )


def managed_policy(place: Place, name: str) -> str:
    """The ARN of a policy that AWS keeps: `managed_policy(place, "AmazonEKSClusterPolicy")`."""
    return f"arn:{place.partition}:iam::aws:policy/{name}"
