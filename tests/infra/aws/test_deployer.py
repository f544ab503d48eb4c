"""What the role that deploys may do."""

import fnmatch
import json
import re
from typing import Any

import pytest

from infra.aws.deployer import POLICY_LENGTH_MAX, DeployerScope, deployer_policies, main, reader_policies
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


CHANGING = re.compile(
    r"\w+:(Create|Put|Delete|Update|Modify|Run|Attach|Tag|Untag|Pass|Add|Remove|Set|Associate|Encrypt|Decrypt|Generate)\w*"
)


def test_the_role_that_looks_changes_nothing() -> None:
    """It has what the deployer reads, and nothing that the deployer changes by."""
    reading = {act for document in _readers().values() for item in document["Statement"] for act in item["Action"]}
    whole = {act for item in _statements() if item["Effect"] == "Allow" for act in item["Action"]}
    assert [act for act in reading if CHANGING.fullmatch(act)] == []
    assert {"eks:DescribeCluster", "iam:GetRole", "ec2:DescribeVpcs", "ecr:GetAuthorizationToken"} <= reading
    assert {act for act in whole if re.fullmatch(r"\w+:(Describe|List|Get)\w+", act)} == reading


def test_the_role_that_looks_reads_no_parameter_of_the_account() -> None:
    """The images that AWS publishes alone; an account's own parameters may be secrets."""
    found = [
        item
        for document in _readers().values()
        for item in document["Statement"]
        if "ssm:GetParameter" in item["Action"]
    ]
    assert [item["Resource"] for item in found] == [["arn:aws:ssm:us-east-1::parameter/aws/service/*"]]


def _readers() -> Any:
    return reader_policies(SCOPE)


def _printed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    monkeypatch.setattr(
        "sys.argv", ["deployer", "--stack", "prod", "--account", ACCOUNT, "--region", "us-east-1", *words]
    )
    main()
    return json.loads(capsys.readouterr().out)


STORE = ("--state-bucket", "state", "--state-key-arn", f"arn:aws:kms:us-east-1:{ACCOUNT}:key/1")


@pytest.mark.parametrize(
    ("words", "subject"),
    [
        pytest.param(["--repository", "shop/fleet"], "repo:shop/fleet:environment:prod", id="the-deployers-environment-is-the-stack"),
        pytest.param(["--repository", "shop/fleet", "--role", "preview"], "repo:shop/fleet:environment:prod-preview", id="previews-have-their-own"),
        pytest.param(
            ["--repository", "shop@12/fleet@345", "--environment", "live"], "repo:shop@12/fleet@345:environment:live", id="with-immutable-subjects"
        ),
    ],
)  # fmt: skip
def test_a_role_is_taken_by_one_environment_of_one_repository(
    words: list[str], subject: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Compared as a whole: no pattern, no branch, no pull request of just anybody."""
    (statement,) = _printed(monkeypatch, capsys, "--part", "trust", *words)["Statement"]
    assert statement["Principal"] == {
        "Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/token.actions.githubusercontent.com"
    }
    assert statement["Condition"] == {
        "StringEquals": {
            "token.actions.githubusercontent.com:aud": "sts.amazonaws.com",
            "token.actions.githubusercontent.com:sub": subject,
        }
    }


@pytest.mark.parametrize(
    ("role", "actions"),
    [
        pytest.param(
            "deploy",
            ["s3:ListBucket", "s3:GetObject", "s3:PutObject", "s3:DeleteObject", "kms:Decrypt", "kms:Encrypt"],
            id="the-deployer-writes-the-state",
        ),
        pytest.param("preview", ["s3:ListBucket", "s3:GetObject", "kms:Decrypt"], id="a-preview-reads-it"),
    ],
)
def test_the_state_is_part_of_a_role(
    role: str, actions: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In one bucket, with one key."""
    statements = _printed(monkeypatch, capsys, "--role", role, "--part", "state", *STORE)["Statement"]
    assert [action for item in statements for action in item["Action"]] == actions
    assert [item["Resource"] for item in statements] == [
        ["arn:aws:s3:::state"], ["arn:aws:s3:::state/.pulumi/*"], [f"arn:aws:kms:us-east-1:{ACCOUNT}:key/1"],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param(["--repository", "shop/*"], "--repository: is 'shop/*'", id="every-repository-of-an-owner"),
        pytest.param(["--repository", "shop/fleet", "--environment", "*"], "--environment: is '*'", id="every-environment"),
        pytest.param(["--part", "trust"], "Add --repository.", id="a-trust-in-nobody"),
        pytest.param(["--part", "state"], "Add --state-bucket and --state-key-arn.", id="a-state-that-is-nowhere"),
    ],
)  # fmt: skip
def test_what_would_trust_too_much_or_says_too_little_is_refused(
    words: list[str], said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In words, with exit code 2."""
    with pytest.raises(SystemExit) as ended:
        _printed(monkeypatch, capsys, *words)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_the_command_prints_what_aws_takes(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """One part is a policy document of its own."""
    assert _printed(monkeypatch, capsys, "--part", "data") == deployer_policies(SCOPE)["data"]
    assert _printed(monkeypatch, capsys, "--part", "data", "--role", "preview") == reader_policies(SCOPE)["data"]
