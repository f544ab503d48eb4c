"""What the roles that run `pulumi` may do, told from what a stack consists of: `python -m infra.aws.deployer` prints the policies.

One role deploys (`pulumi up`), the other looks (`pulumi preview`, and `refresh --preview-only` for drift).
Invariant: what has a name in the account is limited to the stack's names, and what has none to the stack's region.
Source: Service Authorization Reference (actions, resource types and condition keys of each service).
"""

import argparse
import json
import sys
from dataclasses import dataclass, field

from fleet.errors import FleetError
from infra.aws.pipeline_roles import StateStore, github_trust, reading, state_statements
from infra.aws.policies import VERSION, Statement, allow
from infra.aws.provider_calls import CALLS, Part

POLICY_LENGTH_MAX = 6144
"""Characters of a managed policy, white space not counted (IAM quotas)."""

SERVICE_LINKED = {
    "eks": "AWSServiceRoleForAmazonEKS",
    "eks-nodegroup": "AWSServiceRoleForAmazonEKSNodegroup",
    "autoscaling": "AWSServiceRoleForAutoScaling",
    "spot": "AWSServiceRoleForEC2Spot",
    "elasticache": "AWSServiceRoleForElastiCache",
    "elasticloadbalancing": "AWSServiceRoleForElasticLoadBalancing",
}
"""Service -> the role that it makes for itself in an account that has never used it."""

TAKES_ROLES = ("eks.amazonaws.com", "ec2.amazonaws.com", "pods.eks.amazonaws.com", "vpc-flow-logs.amazonaws.com")
"""Services that a role of the stack is handed to."""


@dataclass(frozen=True, kw_only=True)
class DeployerScope:
    """The stack that is deployed."""

    stack: str
    """Name of the stack's resources: `celery-fleet-prod`."""
    fleet: str
    """Name of the fleet, in front of its image repositories."""
    account: str
    region: str
    partition: str = "aws"
    role_path: str = "/"
    permissions_boundary: str | None = None
    """Given, no role is made without it."""
    reads: tuple[str, ...] = field(default=("ec2:DescribeAvailabilityZones",))
    """Lookups of the program itself."""

    def arn(self, service: str, resource: str, *, regional: bool = True) -> str:
        """An ARN of the account."""
        return f"arn:{self.partition}:{service}:{self.region if regional else ''}:{self.account}:{resource}"


def deployer_policies(scope: DeployerScope) -> dict[Part, dict[str, object]]:
    """Part -> policy document of the role that deploys; all of them together are what it needs."""
    return {part: _document(statements) for part, statements in _statements(scope).items()}


def reader_policies(scope: DeployerScope) -> dict[Part, dict[str, object]]:
    """Part -> policy document of the role that looks: as far as what the deployer may do only reads."""
    return {
        part: _document(reading(statements, partition=scope.partition, region=scope.region))
        for part, statements in _statements(scope).items()
    }


def _document(statements: list[Statement]) -> dict[str, object]:
    return {"Version": VERSION, "Statement": statements}


def _statements(scope: DeployerScope) -> dict[Part, list[Statement]]:
    in_region = {"StringEquals": {"aws:RequestedRegion": scope.region}}
    parts: dict[Part, list[Statement]] = {}
    for part, resources in _resources(scope).items():
        calls = [item for item in CALLS.values() if item.part == part]
        reads = sorted({action for item in calls for action in item.reads} | _own_reads(scope, part))
        statements = [allow("Read", reads, ["*"], condition=in_region)] if reads else []
        for service, arns in resources.items():
            acts = sorted({act for item in calls for act in item.acts if act.startswith(f"{service}:")} - set(reads))
            statements.append(allow(f"Act{service.title()}", acts, arns, condition=_limits(scope, service)))
        parts[part] = [statement for statement in statements if statement["Action"]]
    parts["identity"] += _handing_over(scope)
    return parts


def _own_reads(scope: DeployerScope, part: Part) -> set[str]:
    return set(scope.reads) if part == "network" else set()


def _resources(scope: DeployerScope) -> dict[Part, dict[str, list[str]]]:
    """Part -> service -> the ARNs that its actions are limited to."""
    stack, fleet = scope.stack, scope.fleet
    ec2 = [scope.arn("ec2", "*"), f"arn:{scope.partition}:ec2:{scope.region}::image/*"]
    path = scope.role_path
    return {
        "network": {"ec2": ec2},
        "cluster": {
            "ec2": ec2,
            "eks": [
                scope.arn("eks", f"{kind}/{stack}{rest}")
                for kind, rest in (
                    ("cluster", ""), ("nodegroup", "/*"), ("addon", "/*"), ("access-entry", "/*"), ("podidentityassociation", "/*"),
                )
            ],
        },
        "identity": {
            "iam": [
                *(scope.arn("iam", f"{kind}{path}{stack}-*", regional=False) for kind in ("role", "policy", "instance-profile")),
                scope.arn("iam", f"oidc-provider/oidc.eks.{scope.region}.amazonaws.com/*", regional=False),
            ]
        },
        "data": {
            "kms": [scope.arn("kms", "key/*"), scope.arn("kms", f"alias/{stack}*")],
            "logs": [scope.arn("logs", f"log-group:/aws/{kind}/{stack}*") for kind in ("eks", "vpc")],
            "events": [scope.arn("events", f"rule/{stack}*")],
            "sqs": [scope.arn("sqs", f"{stack}*")],
            "ecr": [scope.arn("ecr", f"repository/{fleet}/*"), scope.arn("ecr", f"repository/{stack}/*")],
            "elasticache": [
                scope.arn("elasticache", f"{kind}:{stack}*")
                for kind in ("replicationgroup", "cluster", "subnetgroup", "parametergroup", "snapshot")
            ],
        },
    }  # fmt: skip


def _limits(scope: DeployerScope, service: str) -> dict[str, dict[str, str]] | None:
    """Keys have no name in their ARN: only those with the stack's tag are touched."""
    if service == "kms":
        return {"StringEqualsIfExists": {"aws:ResourceTag/project": scope.fleet}}
    return None


def _handing_over(scope: DeployerScope) -> list[Statement]:
    """Roles are handed to the services that take them, made with the boundary alone where there is one; services make their own once."""
    roles = [scope.arn("iam", f"role{scope.role_path}{scope.stack}-*", regional=False)]
    found = [
        allow("PassRole", ["iam:PassRole"], roles, condition={"StringEquals": {"iam:PassedToService": list(TAKES_ROLES)}}),
        # The deployer's own role, by which the cluster knows it, is looked up by its session.
        allow("OwnRole", ["iam:GetRole"], [scope.arn("iam", "role/*", regional=False)]),
        allow(
            "ServiceLinkedRoles",
            ["iam:CreateServiceLinkedRole"],
            [
                scope.arn("iam", f"role/aws-service-role/*/{name}", regional=False) for name in SERVICE_LINKED.values()
            ],
        ),
    ]  # fmt: skip
    if scope.permissions_boundary is not None:
        without = {"StringNotEquals": {"iam:PermissionsBoundary": scope.permissions_boundary}}
        actions = ["iam:CreateRole", "iam:PutRolePermissionsBoundary", "iam:DeleteRolePermissionsBoundary"]
        found.append(
            {"Sid": "OnlyWithBoundary", "Effect": "Deny", "Action": actions, "Resource": roles, "Condition": without}
        )
    return found


def main() -> None:
    """Prints one policy, or all of them by part."""
    asked = _parser().parse_args()
    scope = DeployerScope(
        stack=f"{asked.fleet}-{asked.stack}", fleet=asked.fleet, account=asked.account, region=asked.region,
        partition=asked.partition, role_path=asked.role_path, permissions_boundary=asked.permissions_boundary,
    )  # fmt: skip
    looks = asked.role == "preview"
    parts = reader_policies(scope) if looks else deployer_policies(scope)
    policies: dict[str, object] = {str(part): policy for part, policy in parts.items()}
    try:
        if asked.state_bucket and asked.state_key_arn:
            store = StateStore(bucket=asked.state_bucket, key_arn=asked.state_key_arn)
            policies["state"] = _document(state_statements(store, partition=scope.partition, writes=not looks))
        if asked.repository:
            environment = asked.environment or (f"{asked.stack}-preview" if looks else asked.stack)
            trust = github_trust(asked.repository, environment, partition=scope.partition, account=scope.account)
            policies["trust"] = _document(trust)
        if asked.part is not None and asked.part not in policies:
            raise FleetError(f"--part {asked.part}", "is not known yet", f"Add {NEEDED[asked.part]}.")
    except FleetError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(2) from None
    shown: object = policies if asked.part is None else policies[asked.part]
    sys.stdout.write(json.dumps(shown, indent=2) + "\n")


NEEDED = {"state": "--state-bucket and --state-key-arn", "trust": "--repository"}
"""Part that is of no stack -> the words that it is printed for."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m infra.aws.deployer", description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--role",
        choices=["deploy", "preview"],
        default="deploy",
        help="the role that deploys, or the one that looks (deploy)",
    )
    parser.add_argument("--stack", required=True, help="name of the Pulumi stack: prod")
    parser.add_argument("--account", required=True, help="number of the account")
    parser.add_argument("--region", required=True, help="AWS region")
    parser.add_argument("--fleet", default="celery-fleet", help="celery-fleet:name of the stack (celery-fleet)")
    parser.add_argument("--partition", default="aws", help="aws, aws-cn or aws-us-gov (aws)")
    parser.add_argument("--role-path", default="/", help="celery-fleet:aws.iam.path (/)")
    parser.add_argument("--permissions-boundary", help="celery-fleet:aws.iam.permissionsBoundary")
    parser.add_argument("--state-bucket", help="S3 bucket of Pulumi's state, for the part state")
    parser.add_argument("--state-key-arn", help="KMS key of the stack's secrets, for the part state")
    parser.add_argument(
        "--repository", help="owner/name on GitHub (owner@id/name@id since July 2026), for the part trust"
    )
    parser.add_argument(
        "--environment", help="GitHub environment whose jobs take the role (the stack's name; <stack>-preview)"
    )
    parser.add_argument(
        "--part", choices=["network", "cluster", "identity", "data", *NEEDED], help="print this one alone"
    )
    return parser


if __name__ == "__main__":
    main()
