"""IAM roles of a stack, whoever takes them.

Invariant: a role has the place's path, permissions boundary and tags, and a name that begins with the place's and that IAM takes; no component makes
one by itself.
Source: IAM user guide, "IAM and AWS STS quotas" (names of 64 characters).
"""

import hashlib
from collections.abc import Iterable

import pulumi
import pulumi_aws as aws

from infra.aws.place import Place
from infra.aws.policies import managed_policy

ROLE_NAME_LENGTH_MAX = 64
_HASH_LENGTH = 8


def role_name(place: Place, purpose: str) -> str:
    """The name of a role of the stack; a long one ends in a hash of what was cut off."""
    name = f"{place.name}-{purpose}"
    if len(name) <= ROLE_NAME_LENGTH_MAX:
        return name
    end = hashlib.sha256(name.encode()).hexdigest()[:_HASH_LENGTH]
    return f"{name[: ROLE_NAME_LENGTH_MAX - _HASH_LENGTH - 1].rstrip('-')}-{end}"


def create_role(
    name: str,
    place: Place,
    purpose: str,
    *,
    trust: pulumi.Input[str],
    parent: pulumi.Resource,
    description: str | None = None,
) -> aws.iam.Role:
    """A role for a component. `purpose` is the last part of its name in the account, `trust` says who takes it (`infra.aws.policies`)."""
    called = role_name(place, purpose)
    return aws.iam.Role(
        name,
        name=called,
        path=place.role_path,
        permissions_boundary=place.permissions_boundary,
        assume_role_policy=trust,
        description=description,
        tags=place.tagged(called),
        opts=pulumi.ResourceOptions(parent=parent),
    )


def attach_managed(
    name: str, role: aws.iam.Role, place: Place, policies: Iterable[str], *, parent: pulumi.Resource
) -> list[pulumi.Resource]:
    """Gives a role policies that AWS keeps, by their names; each is a resource `<name>-<policy>`."""
    return [
        aws.iam.RolePolicyAttachment(
            f"{name}-{policy}",
            role=role.name,
            policy_arn=managed_policy(place, policy),
            opts=pulumi.ResourceOptions(parent=parent),
        )
        for policy in policies
    ]
