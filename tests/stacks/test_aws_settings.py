"""The settings of an EKS stack: what the committed files say, what an environment decides, what is refused, and in which words."""

from typing import Any, get_args

import pytest

from fleet.errors import CatalogueError, Finding
from infra.aws.kubernetes_versions import STANDARD_SUPPORT_ENDS
from infra.platform import PlatformPart, Provision
from stacks.aws_checks import notes_on
from stacks.aws_settings import AwsSettings, AwsSpec
from stacks.settings import Settings, load_settings
from tests.stacks.programs import EKS_STACKS, PASSWORD, ROOT, stack_config

VARIABLES = {"FLEET_RESULTS_PASSWORD": "a-password-of-a-test"}
ROLE = "arn:aws:iam::123456789012:role/deploy"
VPC = {
    "vpcId": "vpc-0a1b2c3d", "cidr": "10.8.0.0/16", "privateSubnetIds": ["subnet-1", "subnet-2", "subnet-3"],
    "publicSubnetIds": ["subnet-4", "subnet-5", "subnet-6"],
}  # fmt: skip


def settings(stack: str, **changes: Any) -> Settings:
    """The settings of a committed stack with some keys changed."""
    return load_settings(stack_config(stack, **changes), VARIABLES, stack=stack, root=ROOT)


def bare(stack: str) -> Settings:
    """The settings of an EKS stack that states nothing."""
    return load_settings({"celery-fleet:target": "eks"}, VARIABLES, stack=stack, root=ROOT)


def aws(found: Settings) -> AwsSettings:
    """The AWS part, which an EKS stack has."""
    assert found.aws is not None
    return found.aws


def findings(stack: str, **changes: Any) -> list[Finding]:
    """What is wrong with a committed stack after some changes."""
    with pytest.raises(CatalogueError) as raised:
        settings(stack, **changes)
    return raised.value.findings


@pytest.mark.parametrize("stack", EKS_STACKS)
def test_a_committed_stack_lacks_its_password_alone(stack: str) -> None:
    """A fresh checkout previews once one secret is set, and says how."""
    with pytest.raises(CatalogueError) as raised:
        load_settings(stack_config(stack), {}, stack=stack, root=ROOT)
    (finding,) = raised.value.findings
    assert str(finding) == (
        f"Pulumi.{stack}.yaml: celery-fleet:resultsPassword is missing\n"
        '  Set one: pulumi config set --secret celery-fleet:resultsPassword "$(openssl rand -hex 24)"'
    )


@pytest.mark.parametrize("stack", EKS_STACKS)
def test_a_committed_stack_says_what_its_environment_would_decide(stack: str) -> None:
    """The files show the defaults; where one differs from them, a reader would believe the wrong one."""
    committed, default = settings(stack), bare(stack)
    for field in ("kubernetes_version", "compute", "flow_logs", "log_types", "log_retention_days"):
        assert getattr(aws(committed), field) == getattr(aws(default), field), field
    assert (committed.environment, committed.protect) == (default.environment, default.protect)


@pytest.mark.parametrize("stack", EKS_STACKS)
def test_a_committed_file_suits_every_secrets_provider(stack: str) -> None:
    """It has no key of one provider, and no secret and no account that only one has."""
    text = (ROOT / f"Pulumi.{stack}.yaml").read_text(encoding="utf-8")
    settings_only = [line for line in text.splitlines() if not line.startswith("#")]
    for word in ("encryptionsalt", "secretsprovider", "encryptedkey", "secure:", "arn:aws", "0.0.0.0/0"):
        assert not any(word in line for line in settings_only), word


@pytest.mark.parametrize(
    ("stack", "expected"),
    [
        pytest.param("dev", ("mng", False, 3, 30), id="dev"),
        pytest.param("staging", ("karpenter", False, 3, 90), id="staging"),
        pytest.param("prod", ("karpenter", True, 5, 365), id="prod"),
        pytest.param("trial", ("mng", False, 3, 30), id="another-name-starts-from-dev"),
    ],
)
def test_an_environment_decides_what_is_not_stated(stack: str, expected: tuple[str, bool, int, int]) -> None:
    """Compute, flow logs, number of control plane logs, days that they are kept."""
    found = aws(bare(stack))
    assert (found.compute, found.flow_logs, len(found.log_types), found.log_retention_days) == expected


def test_what_is_stated_counts() -> None:
    """Each key reaches its own field."""
    stated = {
        "kubernetesVersion": "1.35", "compute": "auto", "network": {"flowLogs": False}, "logTypes": ["audit"],
        "logRetentionDays": 400,
    }  # fmt: skip
    found = aws(settings("prod", aws=stated))
    assert (found.kubernetes_version, found.compute, found.flow_logs) == ("1.35", "auto", False)
    assert (found.log_types, found.log_retention_days) == (("audit",), 400)


def test_a_version_that_can_be_stated_is_one_that_is_supported() -> None:
    """The settings and the table of support ends name the same; the default is the one that everything is tested on."""
    annotation = AwsSpec.model_fields["kubernetes_version"].annotation
    stated = {version for part in get_args(annotation) for version in get_args(part)}
    assert stated == set(STANDARD_SUPPORT_ENDS)
    assert aws(bare("dev")).kubernetes_version == "1.36"


def test_the_platform_of_an_eks_stack_is_its_own() -> None:
    """All of it is installed but metrics-server, which is an add-on."""
    assert settings("prod").platform == {
        **dict.fromkeys(PlatformPart, Provision.INSTALL),
        PlatformPart.METRICS_SERVER: Provision.EXISTING,
    }


@pytest.mark.parametrize(
    ("changes", "path", "hint"),
    [
        pytest.param({"aws": {"acess": {}}}, "aws.acess", "`access`", id="misspelt-key"),
        pytest.param({"aws": {"kubernetesVersion": 1.36}}, "aws.kubernetesVersion", "in quotes", id="version-as-number"),
        pytest.param({"aws": {"kubernetesVersion": "1.34"}}, "aws.kubernetesVersion", "'1.35'", id="old-version"),
        pytest.param({"aws": {"compute": "fargate"}}, "aws.compute", "'karpenter'", id="unknown-compute"),
        pytest.param({"aws": {"logRetentionDays": 100}}, "aws.logRetentionDays", "90", id="retention-of-nobody"),
        pytest.param(
            {"aws": {"network": {"cidr": "10.0.0.1/16"}}}, "aws.network.cidr", "such as 10.0.0.0/16", id="network-with-host-bits"
        ),
        pytest.param(
            {"aws": {"endpoint": {"publicCidrs": ["0.0.0.0/0"]}}}, "aws.endpoint.publicCidrs[0]", "203.0.113.7/32",
            id="api-open-to-the-world",
        ),
        pytest.param(
            {"aws": {"access": {"admins": ["arn:aws:sts::123456789012:assumed-role/deploy/me"]}}},
            "aws.access.admins[0]", "no ARN of an IAM role or user", id="session-in-place-of-a-role",
        ),
        pytest.param(
            {"aws": {"access": {"deployerRoleArn": ROLE, "view": [ROLE]}}}, "aws.access", "one access entry",
            id="one-identity-twice",
        ),
        pytest.param({"aws": {"iam": {"path": "teams"}}}, "aws.iam.path", "match", id="path-without-slashes"),
        pytest.param(
            {"aws": {"iam": {"permissionsBoundary": ROLE}}}, "aws.iam.permissionsBoundary", "no ARN of an IAM policy",
            id="role-as-boundary",
        ),
        pytest.param(
            {"aws": {"tags": {"more": {"aws:x": "y"}}}}, "aws.tags.more.aws:x", "AWS's own", id="tag-of-awss-own"
        ),
        pytest.param(
            {"aws": {"web": {"certificateArn": ROLE}}}, "aws.web.certificateArn", "certificate", id="no-certificate"
        ),
        pytest.param({"aws": {"web": {"inboundCidrs": []}}}, "aws.web.inboundCidrs", "reach", id="a-web-for-nobody"),
        pytest.param(
            {"environment": {"cloud": {"provider": "none"}}}, "environment.cloud.provider", "provider: aws",
            id="no-cloud",
        ),
        pytest.param(
            {"environment": {"cloud": {"zones": 2}}}, "environment.cloud.zones", "write 3", id="three-brokers-two-zones"
        ),
        pytest.param({"kubeconfig": "~/.kube/config"}, "kubeconfig", "take it away", id="kubeconfig-of-another"),
        pytest.param({"platform": {"keda": "install"}}, "platform", "take it away", id="platform-of-another"),
        pytest.param({"name": "a-fleet-with-a-very-long-name"}, "name", "shorter", id="name-too-long-for-roles"),
    ],
)  # fmt: skip
def test_every_finding_names_its_key_and_what_is_right(changes: dict[str, Any], path: str, hint: str) -> None:
    """One thing is wrong, and one thing is told."""
    found = findings("prod", **changes)
    assert [finding.path for finding in found] == [f"celery-fleet:{path}"]
    assert hint in str(found[0])


@pytest.mark.parametrize(
    ("change", "path"),
    [
        pytest.param({"privateSubnetIds": ["subnet-1", "subnet-2"]}, "privateSubnetIds", id="two-subnets-three-zones"),
        pytest.param({"intraSubnetIds": ["subnet-1"]}, "intraSubnetIds", id="control-plane-in-one-zone"),
        pytest.param({"publicSubnetIds": []}, "publicSubnetIds", id="balancer-without-public-subnets"),
    ],
)
def test_a_vpc_of_ones_own_fits_the_zones(change: dict[str, Any], path: str) -> None:
    """A subnet for each zone, of every kind that is used."""
    web = {"hostname": "fleet.example.com"}
    own = {"network": {"existing": {**VPC, **change}}, "web": web}
    (found,) = findings("prod", aws=own)
    assert found.path == f"celery-fleet:aws.network.existing.{path}"


def test_a_vpc_of_ones_own_will_do() -> None:
    """It is taken as it is; that the cost cannot know its way out is told."""
    found = aws(settings("prod", aws={"network": {"existing": VPC}}))
    assert found.spec.network.existing is not None
    assert found.spec.network.existing.vpc_id == "vpc-0a1b2c3d"
    assert "aws.network.existing" in [note.key for note in notes_on(found.spec)]


def test_aws_keys_of_a_cluster_of_ones_own_are_refused() -> None:
    """Whoever wrote them expects something of them."""
    config = {"celery-fleet:aws": '{"compute": "auto"}'}
    variables = {"FLEET_IMAGES": "local", "FLEET_RESULTS_PASSWORD": PASSWORD}
    with pytest.raises(CatalogueError) as raised:
        load_settings(config, variables, stack="local", root=ROOT)
    assert [finding.path for finding in raised.value.findings] == ["celery-fleet:aws"]


def test_what_may_surprise_is_told_and_refuses_nothing() -> None:
    """A private endpoint, no load balancer, a deployer that changes with the person."""
    found = aws(settings("prod"))
    assert [note.key for note in notes_on(found.spec)] == [
        "aws.endpoint.publicCidrs", "aws.web", "aws.access.deployerRoleArn",
    ]  # fmt: skip
    stated = {
        "endpoint": {"publicCidrs": ["203.0.113.7/32"]}, "access": {"deployerRoleArn": ROLE},
        "web": {"hostname": "fleet.example.com", "inboundCidrs": ["203.0.113.0/24"]},
    }  # fmt: skip
    found = aws(settings("prod", aws=stated))
    assert list(notes_on(found.spec)) == []


@pytest.mark.parametrize(
    ("web", "tokens", "told"),
    [
        pytest.param({}, False, True, id="the-whole-internet"),
        pytest.param({}, True, False, id="callers-with-tokens"),
        pytest.param({"inboundCidrs": ["203.0.113.0/24"]}, False, False, id="networks-of-callers"),
        pytest.param({"internal": True}, False, False, id="inside-the-vpc"),
    ],
)
def test_a_web_layer_that_anyone_can_ask_is_told(web: dict[str, Any], tokens: bool, told: bool) -> None:
    """Without tokens it asks nobody who they are, so who reaches it can enqueue tasks."""
    found = aws(settings("prod", aws={"web": {"hostname": "fleet.example.com", **web}}))
    notes = notes_on(found.spec, web_asks_for_tokens=tokens)
    assert ("aws.web.inboundCidrs" in [note.key for note in notes]) is told
