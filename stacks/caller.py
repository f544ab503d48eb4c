"""Who runs `pulumi`, as AWS knows it, and what follows for the stack: its account, its deployer, the way to the cluster.

Invariant: the deployer is an identity that stays (a role or a user, never a session), and is the stated one wherever one is stated.
Source: STS API, `GetCallerIdentity`; pulumi-aws 7.51, `iam.getSessionContext` (the role behind a session; of a user the user itself).
"""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from stacks.aws_settings import AccessSpec


@dataclass(frozen=True, kw_only=True)
class Caller:
    """The answers; they are known in every preview."""

    account: pulumi.Output[str]
    deployer_arn: pulumi.Output[str]
    """Who may do everything in the cluster."""
    token_role_arn: pulumi.Output[str | None]
    """Role to take for a token of the cluster; None where the caller has access of its own."""


def ask_caller(access: AccessSpec, provider: aws.Provider) -> Caller:
    """Asks AWS who is calling."""
    opts = pulumi.InvokeOutputOptions(provider=provider)
    identity = aws.get_caller_identity_output(opts=opts)
    issuer = aws.iam.get_session_context_output(arn=identity.arn, opts=opts).issuer_arn
    stated = access.deployer_role_arn
    # A role does not trust itself by default, so whoever has access already asks as it is.
    own = {stated, *access.admins, *access.edit, *access.view, *access.view_all}

    def token_role(arn: str) -> str | None:
        return None if arn in own else stated

    return Caller(
        account=identity.account_id,
        deployer_arn=issuer if stated is None else pulumi.Output.from_input(stated),
        token_role_arn=issuer.apply(token_role),
    )


def partition_of(region: str) -> str:
    """The first part of a region's ARNs. Source: AWS General Reference, "Amazon Resource Names"."""
    if region.startswith("cn-"):
        return "aws-cn"
    return "aws-us-gov" if region.startswith("us-gov-") else "aws"
