"""Who may do what in the cluster, by IAM identity.

Invariant: access is stated entry by entry; whoever happened to make the cluster has none for that. Sources: EKS user guide, "Grant IAM users access
to Kubernetes with EKS access entries" (one entry for an identity, of an IAM role or user, never of a session) and "Review access policy permissions".
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import pulumi
import pulumi_aws as aws

from fleet.errors import FleetError
from infra.aws.place import Place

AccessPolicy = Literal["admin", "edit", "view", "view-all"]

ACCESS_KEY = "celery-fleet:aws.access"

_CLUSTER_POLICIES = {
    "admin": "AmazonEKSClusterAdminPolicy",
    "edit": "AmazonEKSEditPolicy",
    "view": "AmazonEKSViewPolicy",
    # Secrets and custom resources too, as a drift check has to.
    "view-all": "AmazonEKSAdminViewPolicy",
}
_NAMESPACE_POLICIES = {**_CLUSTER_POLICIES, "admin": "AmazonEKSAdminPolicy"}
"""AWS's cluster admin is meant for whole clusters; its admin is what a namespace's owner is."""

_PRINCIPAL = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:(role|user)/[\w+=,.@/-]+")


@dataclass(frozen=True, kw_only=True)
class AccessEntry:
    """What one role or user may do."""

    principal_arn: str
    policy: AccessPolicy
    namespaces: tuple[str, ...] = ()
    """Where; everywhere without any."""


def check_access(entries: Sequence[AccessEntry], *, deployer_arn: pulumi.Input[str]) -> None:
    """Raises: FleetError for an identity that EKS takes no entry for, or that has two; the deployer's counts where it is known yet."""
    seen: set[object] = {deployer_arn} if isinstance(deployer_arn, str) else set()
    for entry in entries:
        if _PRINCIPAL.fullmatch(entry.principal_arn) is None:
            raise FleetError(
                ACCESS_KEY,
                f"names {entry.principal_arn}, which is neither an IAM role nor an IAM user",
                "Write one such as arn:aws:iam::111122223333:role/developers; of a session (sts, assumed-role), the role behind it.",
            )
        if entry.principal_arn in seen:
            raise FleetError(
                ACCESS_KEY,
                f"names {entry.principal_arn} twice",
                "EKS takes one access entry for an identity: leave the one that allows more.",
            )
        seen.add(entry.principal_arn)


def grant(
    name: str,
    place: Place,
    cluster_name: pulumi.Input[str],
    principal_arn: pulumi.Input[str],
    *,
    policy: AccessPolicy,
    namespaces: Sequence[str] = (),
    parent: pulumi.Resource,
) -> aws.eks.AccessPolicyAssociation:
    """An access entry and its policy; whatever needs the access waits for the result."""
    entry = aws.eks.AccessEntry(
        name,
        cluster_name=cluster_name,
        principal_arn=principal_arn,
        type="STANDARD",
        tags=place.tagged(f"{place.name}-{policy}"),
        opts=pulumi.ResourceOptions(parent=parent),
    )
    policies = _NAMESPACE_POLICIES if namespaces else _CLUSTER_POLICIES
    scope = (
        aws.eks.AccessPolicyAssociationAccessScopeArgs(type="namespace", namespaces=list(namespaces))
        if namespaces
        else aws.eks.AccessPolicyAssociationAccessScopeArgs(type="cluster")
    )
    return aws.eks.AccessPolicyAssociation(
        f"{name}-policy",
        cluster_name=cluster_name,
        principal_arn=principal_arn,
        policy_arn=f"arn:{place.partition}:eks::aws:cluster-access-policy/{policies[policy]}",
        access_scope=scope,
        opts=pulumi.ResourceOptions(parent=parent, depends_on=[entry]),
    )


def entry_suffix(principal_arn: str) -> str:
    """The part of a resource's name that tells an identity from others, whatever their order: `developers-1f2e3d`."""
    digest = hashlib.sha256(principal_arn.encode()).hexdigest()[:6]
    return f"{principal_arn.rsplit('/', 1)[-1]}-{digest}"
