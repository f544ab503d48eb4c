"""The adapter from the recorded graph to a Terraform plan."""

from typing import Any

import pulumi_aws as aws
import pytest

from tests.infra.recording import record
from tests.scan.terraform_plan import terraform_plan, terraform_type


@pytest.mark.parametrize(
    ("typ", "name"),
    [
        pytest.param("aws:eks/nodeGroup:NodeGroup", "aws_eks_node_group", id="a-service-of-its-own"),
        pytest.param("aws:ec2/launchTemplate:LaunchTemplate", "aws_launch_template", id="compute-has-no-prefix"),
        pytest.param(
            "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
            "aws_vpc_security_group_ingress_rule",
            id="a-rule",
        ),
        pytest.param("aws:cloudwatch/logGroup:LogGroup", "aws_cloudwatch_log_group", id="logs-are-cloudwatch"),
        pytest.param(
            "aws:iam/openIdConnectProvider:OpenIdConnectProvider", "aws_iam_openid_connect_provider", id="an-exception"
        ),
    ],
)
def test_types_have_terraforms_names(typ: str, name: str) -> None:
    """By rule, because the package is made from Terraform's provider."""
    assert terraform_type(typ) == name


def _program() -> None:
    key = aws.kms.Key("key", enable_key_rotation=True, tags={"owner": "platform"})
    aws.ecr.Repository(
        "images",
        name="fleet/web",
        encryption_configurations=[{"encryption_type": "KMS", "kms_key": key.arn}],
        image_scanning_configuration={"scan_on_push": True},
        tags={"a-name": "a-value"},
    )


@pytest.fixture(scope="module")
def plan() -> dict[str, Any]:
    """Two resources, one of which refers to the other."""
    return terraform_plan(record(_program))


def test_blocks_stand_in_lists_and_mappings_as_they_are(plan: dict[str, Any]) -> None:
    """As Terraform writes them; a tag's name is not translated."""
    _, repository = plan["planned_values"]["root_module"]["resources"]
    assert (repository["address"], repository["type"]) == ("aws_ecr_repository.images", "aws_ecr_repository")
    assert repository["values"]["image_scanning_configuration"] == [{"scan_on_push": True}]
    assert repository["values"]["tags"] == {"a-name": "a-value"}


def test_a_plural_of_pulumis_has_terraforms_singular_too(plan: dict[str, Any]) -> None:
    """A scanner reads the one that it knows."""
    values = plan["planned_values"]["root_module"]["resources"][1]["values"]
    assert values["encryption_configuration"] == values["encryption_configurations"]
    assert values["encryption_configuration"][0]["encryption_type"] == "KMS"


def test_references_are_told(plan: dict[str, Any]) -> None:
    """Checks over several resources follow them."""
    key, repository = plan["configuration"]["root_module"]["resources"]
    assert key["expressions"] == {}
    expected = {"references": ["aws_kms_key.key.id", "aws_kms_key.key"]}
    assert repository["expressions"] == {"encryption_configurations": expected, "encryption_configuration": expected}


def test_everything_is_about_to_be_created(plan: dict[str, Any]) -> None:
    """The changes carry the same values as the plan."""
    for change, planned in zip(
        plan["resource_changes"], plan["planned_values"]["root_module"]["resources"], strict=True
    ):
        assert change["change"]["actions"] == ["create"]
        assert change["change"]["after"] == planned["values"]
