"""Whose each resource is.

Sources: AWS tagging best practices ("mandatory tags"); Karpenter 1.14 docs, "NodeClasses", and EKS user guide, "Create a node class for Amazon EKS"
(tags of the nodes that they start).
"""

from collections.abc import Iterator

from policy.graph import UNKNOWN, Resource, at, section
from policy.rule import Finding, ResourceRule

REQUIRED = ("project", "environment", "managed-by")

UNTAGGED = frozenset(
    {
        "aws:cloudwatch/eventTarget:EventTarget",
        "aws:ec2/route:Route",
        "aws:ec2/routeTableAssociation:RouteTableAssociation",
        "aws:ec2/securityGroupRule:SecurityGroupRule",
        "aws:ecr/lifecyclePolicy:LifecyclePolicy",
        "aws:eks/accessPolicyAssociation:AccessPolicyAssociation",
        "aws:iam/rolePolicy:RolePolicy",
        "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
        "aws:kms/alias:Alias",
        "aws:sqs/queuePolicy:QueuePolicy",
    }
)
"""Types for which AWS takes no tags: each belongs to something that has them."""

NODE_CLASSES = ("kubernetes:karpenter.k8s.aws/*:EC2NodeClass", "kubernetes:eks.amazonaws.com/*:NodeClass")


def _untagged(resource: Resource) -> Iterator[Finding]:
    if resource.typ in UNTAGGED:
        return
    field = "tags" if resource.typ.startswith("aws:") else "spec.tags"
    missing = [key for key in REQUIRED if not section(resource.properties, field).get(key)]
    if missing and at(resource.properties, field) != UNKNOWN:
        yield Finding(resource=resource, where=field, problem=f"lacks {', '.join(missing)}")


RULES = (
    ResourceRule(
        id="tags",
        says=f"Whatever AWS can tag says whose it is: {', '.join(REQUIRED)}.",
        reason="A bill, an audit and the deployer's own permissions tell by tags what belongs to which fleet.",
        fix="Take the tags from Place.tagged(); a type for which AWS takes none belongs into UNTAGGED in policy/rules/tags.py.",
        types=("aws:*", *NODE_CLASSES),
        check=_untagged,
    ),
)
