"""Roles that pods of the cluster take, by EKS Pod Identity.

Invariant: a role belongs to one ServiceAccount, a controller's or a queue's, and no other cluster of the account can take it; what a pod may do in
AWS stands in its role and never in that of its node.
Source: EKS user guide, "EKS Pod Identity" (the agent is an add-on that has to be there before the nodes); IAM user guide, "IAM and AWS STS quotas"
(ten managed policies a role).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import pulumi
import pulumi_aws as aws

from fleet.plan import QueuePlan
from infra.aws.place import Place
from infra.aws.policies import Statement, document, pod_trust
from infra.aws.roles import create_role, role_name
from infra.manifests.workers import account_name


@dataclass(frozen=True, kw_only=True)
class PodRoleArgs:
    """Whose role it is and what it may."""

    place: Place
    cluster_name: pulumi.Input[str]
    cluster_arn: pulumi.Input[str]
    namespace: str
    service_account: str
    """The only ServiceAccount whose pods take the role; also in the role's name."""
    managed_policies: tuple[pulumi.Input[str], ...] = ()
    """ARNs of policies; plain in number, because each is a resource."""
    statements: tuple[Statement, ...] = ()
    """What it may beside them, as a policy of the role's own (10,240 characters at most)."""


class PodRole(pulumi.ComponentResource):
    """A role and its association with a ServiceAccount; pods get credentials when they start after both."""

    role_arn: pulumi.Output[str]
    association: aws.eks.PodIdentityAssociation

    def __init__(self, name: str, args: PodRoleArgs, *, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("celery-fleet:aws:PodRole", name, None, opts)
        place, child = args.place, pulumi.ResourceOptions(parent=self)
        role = create_role(
            f"{name}-role",
            place,
            args.service_account,
            trust=pod_trust(place, args.cluster_arn),
            parent=self,
            description=f"Pods of {args.namespace}/{args.service_account}",
        )
        granted: list[pulumi.Resource] = [
            aws.iam.RolePolicyAttachment(f"{name}-policy-{index}", role=role.name, policy_arn=arn, opts=child)
            for index, arn in enumerate(args.managed_policies)
        ]
        if args.statements:
            granted.append(
                aws.iam.RolePolicy(f"{name}-own-policy", role=role.name, policy=document(*args.statements), opts=child)
            )
        # A pod that starts with a role that may nothing yet would fail, and some do not ask again.
        self.association = aws.eks.PodIdentityAssociation(
            f"{name}-association",
            cluster_name=args.cluster_name,
            namespace=args.namespace,
            service_account=args.service_account,
            role_arn=role.arn,
            tags=place.tagged(role_name(place, args.service_account)),
            opts=pulumi.ResourceOptions(parent=self, depends_on=granted),
        )
        self.role_arn = role.arn
        self.register_outputs({"role_arn": self.role_arn})


def controller_role(
    name: str,
    args: PodRoleArgs,
    parts: Mapping[str, Sequence[Statement]],
    *,
    called: str,
    parent: pulumi.Resource,
) -> PodRole:
    """The role of a controller whose permissions are too long for one policy (6,144 characters).

    `parts`: name of a policy -> its statements. `called` stands before it in the account.
    """
    place, child = args.place, pulumi.ResourceOptions(parent=parent)
    policies = [
        aws.iam.Policy(
            f"{name}-{part}",
            name=role_name(place, f"{called}-{part}"),
            path=place.role_path,
            policy=document(*statements),
            tags=place.tagged(f"{place.name}-{called}-{part}"),
            opts=child,
        )
        for part, statements in parts.items()
    ]
    granted = replace(args, managed_policies=tuple(policy.arn for policy in policies))
    return PodRole(f"{name}-controller", granted, opts=child)


def queue_role(
    place: Place, queue: QueuePlan, *, cluster_name: pulumi.Input[str], cluster_arn: pulumi.Input[str], fleet: str
) -> PodRoleArgs | None:
    """The role of a queue's workers in the fleet's namespace; None where the catalogue asks for no policy."""
    if not queue.aws_policies:
        return None
    return PodRoleArgs(
        place=place,
        cluster_name=cluster_name,
        cluster_arn=cluster_arn,
        namespace=fleet,
        service_account=account_name(queue),
        managed_policies=tuple(policy_arn(place, policy) for policy in queue.aws_policies),
    )


def policy_arn(place: Place, policy: str) -> pulumi.Input[str]:
    """The ARN of a policy as a catalogue names it: an ARN already, or the name (after its path) of one of this account."""
    return policy if policy.startswith("arn:") else place.arn("iam", f"policy/{policy}", regional=False)
