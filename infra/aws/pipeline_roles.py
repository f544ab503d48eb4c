"""What the roles of a pipeline have beside a stack's own policies: who takes them, the state, and how one that only looks is kept from changing.

Invariant: a role is taken by the jobs of one environment of one repository alone, and the role that looks has no action that changes anything.
Sources: GitHub docs, "Configuring OpenID Connect in Amazon Web Services" and "Immutable subject claims" (repositories made since July 2026 carry the
ids of owner and repository in the subject); pulumi v3.259 `pkg/backend/diy/backend.go` (a preview takes no lock and writes nothing).
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from fleet.errors import FleetError
from infra.aws.policies import Statement, allow

ISSUER = "token.actions.githubusercontent.com"
AUDIENCE = "sts.amazonaws.com"

_REPOSITORY = re.compile(r"[\w-]+(@\d+)?/[\w.-]+(@\d+)?")
_ENVIRONMENT = re.compile(r"[\w.-]+")

_READING = re.compile(r"\w+:(Describe|List|Get)\w+")
_PARAMETER = "ssm:GetParameter"
"""On `*` it would read whatever an account keeps in Parameter Store."""


@dataclass(frozen=True, kw_only=True)
class StateStore:
    """Where Pulumi keeps the state of an account's stacks."""

    bucket: str
    key_arn: str
    """Of the KMS key that the stacks' secrets are sealed with."""


def github_trust(repository: str, environment: str, *, partition: str, account: str) -> list[Statement]:
    """Lets the jobs of one GitHub environment take a role; of a trust policy.

    `repository` is `owner/name`, or `owner@id/name@id` where the repository's tokens have immutable subjects.

    Raises: FleetError for a name that would trust more than one repository or environment.
    """
    if _REPOSITORY.fullmatch(repository) is None:
        raise FleetError(
            "--repository",
            f"is {repository!r}",
            "Write owner/name, or owner@id/name@id for a repository made since July 2026; a pattern would trust others too.",
        )
    if _ENVIRONMENT.fullmatch(environment) is None:
        raise FleetError(
            "--environment", f"is {environment!r}", "Write the name of one GitHub environment, such as prod or prod-preview."
        )  # fmt: skip
    subject = f"repo:{repository}:environment:{environment}"
    return [
        {
            "Effect": "Allow",
            "Principal": {"Federated": f"arn:{partition}:iam::{account}:oidc-provider/{ISSUER}"},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {"StringEquals": {f"{ISSUER}:aud": AUDIENCE, f"{ISSUER}:sub": subject}},
        }
    ]


def reading(statements: Iterable[Statement], *, partition: str, region: str) -> list[Statement]:
    """What of a deployer's statements only reads, for the role that looks."""
    given = [item for item in statements if item["Effect"] == "Allow"]
    kept = [{**item, "Action": [action for action in item["Action"] if _reads(action)]} for item in given]
    found = [item for item in kept if item["Action"]]
    if any(_PARAMETER in item["Action"] for item in given):
        public = f"arn:{partition}:ssm:{region}::parameter/aws/service/*"
        found.append(allow("PublicParameters", [_PARAMETER], [public]))
    return found


def _reads(action: str) -> bool:
    return _READING.fullmatch(action) is not None and action != _PARAMETER


def state_statements(store: StateStore, *, partition: str, writes: bool) -> list[Statement]:
    """What a role may do with the state; without `writes`, read it and open the stack's secrets, which a preview needs."""
    bucket = f"arn:{partition}:s3:::{store.bucket}"
    objects = ["s3:GetObject", *(["s3:PutObject", "s3:DeleteObject"] if writes else [])]
    key = ["kms:Decrypt", *(["kms:Encrypt"] if writes else [])]
    return [
        allow("FindState", ["s3:ListBucket"], [bucket]),
        allow("State", objects, [f"{bucket}/.pulumi/*"]),
        allow("Secrets", key, [store.key_arn]),
    ]
