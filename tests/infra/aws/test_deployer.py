"""What the role that deploys may do."""

import fnmatch
import json
import re
from typing import Any

import pytest

from infra.aws.deployer import POLICY_LENGTH_MAX, DeployerScope, deployer_policies, main
from infra.aws.provider_calls import CALLS
from tests.infra.aws.samples import AWS_COMPONENTS
from tests.infra.recording import record

ACCOUNT = "123456789012"
SCOPE = DeployerScope(stack="celery-fleet-prod", fleet="celery-fleet", account=ACCOUNT, region="us-east-1")
BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/boundary"


def _statements(scope: DeployerScope = SCOPE) -> list[dict[str, Any]]:
    documents: list[Any] = list(deployer_policies(scope).values())
    return [statement for document in documents for statement in document["Statement"]]


def _allowed(action: str, arn: str) -> bool:
    return any(
        action in item["Action"] and any(fnmatch.fnmatchcase(arn, pattern) for pattern in item["Resource"])
        for item in _statements()
        if item["Effect"] == "Allow"
    )


@pytest.mark.parametrize("build", [pytest.param(build, id=name) for name, build in AWS_COMPONENTS.items()])
def test_every_type_that_a_component_registers_can_be_deployed(build: Any) -> None:
    """A type without a row would fail in the account, half way through."""
    types = {item.typ for item in record(lambda: build("thing")).resources if item.typ.startswith("aws:")}
    assert types <= set(CALLS)


@pytest.mark.parametrize(
    ("action", "arn", "allowed"),
    [
        pytest.param("eks:DeleteCluster", f"arn:aws:eks:us-east-1:{ACCOUNT}:cluster/celery-fleet-prod", True, id="own cluster"),
        pytest.param("eks:DeleteCluster", f"arn:aws:eks:us-east-1:{ACCOUNT}:cluster/celery-fleet-dev", False, id="another stack's cluster"),
        pytest.param("iam:CreateRole", f"arn:aws:iam::{ACCOUNT}:role/celery-fleet-prod-nodes", True, id="own role"),
        pytest.param("iam:CreateRole", f"arn:aws:iam::{ACCOUNT}:role/admin", False, id="another role"),
        pytest.param("iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/admin", False, id="handing over another role"),
        pytest.param("ec2:CreateVpc", f"arn:aws:ec2:eu-west-1:{ACCOUNT}:vpc/*", False, id="another region"),
        pytest.param("ecr:PutImage", f"arn:aws:ecr:us-east-1:{ACCOUNT}:repository/celery-fleet/worker", True, id="own images"),
        pytest.param("ecr:PutImage", f"arn:aws:ecr:us-east-1:{ACCOUNT}:repository/other/worker", False, id="other images"),
        pytest.param("logs:DeleteLogGroup", f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:/aws/eks/other/cluster", False, id="other logs"),
    ],
)  # fmt: skip
def test_the_stack_is_the_limit(action: str, arn: str, allowed: bool) -> None:
    """What has a name is limited to the stack's own."""
    assert _allowed(action, arn) is allowed


def test_no_action_has_a_wildcard_and_no_change_meets_every_resource() -> None:
    """On `*` the role reads, asks for a registry's token and makes keys, which have no name before they exist; all of it in one region."""
    for item in _statements():
        assert not [action for action in item["Action"] if "*" in action]
        if item["Resource"] == ["*"]:
            changing = [act for act in item["Action"] if not re.match(r"^\w+:(Describe|List|Get)", act)]
            assert changing in ([], ["kms:CreateKey"])
            assert item["Condition"] == {"StringEquals": {"aws:RequestedRegion": "us-east-1"}}


def test_each_policy_fits_the_quota_of_iam() -> None:
    """With the longest names that the settings allow."""
    scope = DeployerScope(
        stack=f"{'f' * 40}-{'s' * 40}", fleet="f" * 40, account=ACCOUNT, region="ap-southeast-2",
        role_path=f"/{'p' * 126}/", permissions_boundary=BOUNDARY,
    )  # fmt: skip
    lengths = {part: len(re.sub(r"\s", "", json.dumps(text))) for part, text in deployer_policies(scope).items()}
    assert max(lengths.values()) <= POLICY_LENGTH_MAX, lengths


def test_with_a_boundary_no_role_is_made_without_it() -> None:
    """Otherwise whoever deploys could make a role that may more than itself."""
    scope = DeployerScope(
        stack="celery-fleet-prod", fleet="celery-fleet", account=ACCOUNT, region="us-east-1", permissions_boundary=BOUNDARY
    )  # fmt: skip
    (denied,) = [item for item in _statements(scope) if item["Effect"] == "Deny"]
    assert "iam:CreateRole" in denied["Action"]
    assert denied["Condition"] == {"StringNotEquals": {"iam:PermissionsBoundary": BOUNDARY}}
    assert not [item for item in _statements() if item["Effect"] == "Deny"]


def test_the_command_prints_what_aws_takes(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """One part is a policy document of its own."""
    asked = ["--stack", "prod", "--account", ACCOUNT, "--region", "us-east-1", "--part", "data"]
    monkeypatch.setattr("sys.argv", ["deployer", *asked])
    main()
    assert json.loads(capsys.readouterr().out) == deployer_policies(SCOPE)["data"]
