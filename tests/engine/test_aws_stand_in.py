"""The literal `pulumi` on a small AWS program, with AWS and the cluster that it makes stood in for.

Source of what is expected: the behaviour of pulumi-aws 7 and pulumi-kubernetes 4 for the same commands.
"""

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from sandbox.standins import variables

pytestmark = pytest.mark.engine

COMMAND_SECONDS = 120.0
SETTINGS = "{name: small, main: program, runtime: {name: python, options: {toolchain: uv}}}"
PROGRAM = """
import json, pulumi, pulumi_aws as aws, pulumi_kubernetes as k8s

settings = pulumi.Config()
provider = aws.Provider("aws", region="eu-west-1", default_tags={"tags": {"project": "small"}})
inside = pulumi.ResourceOptions(provider=provider)
zones = aws.get_availability_zones_output(state="available", opts=pulumi.InvokeOutputOptions(provider=provider))
vpc = aws.ec2.Vpc("vpc", cidr_block="10.0.0.0/16", opts=inside)
subnets = [
    aws.ec2.Subnet(f"subnet-{number}", vpc_id=vpc.id, cidr_block=f"10.0.{number}.0/24", availability_zone=zones.names[number], opts=inside)
    for number in range(int(settings.get("subnets") or 2))
]
trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "eks.amazonaws.com"}}
role = aws.iam.Role("role", assume_role_policy=json.dumps({"Version": "2012-10-17", "Statement": [trust]}), opts=inside)
cluster = aws.eks.Cluster(
    "cluster", name="small", version=settings.get("version") or "1.35", role_arn=role.arn, vpc_config={"subnet_ids": [subnet.id for subnet in subnets]},
    upgrade_policy={"support_type": settings.get("support") or "STANDARD"}, opts=inside)
kubeconfig = pulumi.Output.json_dumps({
    "apiVersion": "v1", "kind": "Config", "current-context": "c", "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
    "clusters": [{"name": "c", "cluster": {"server": cluster.endpoint, "certificate-authority-data": cluster.certificate_authority.data}}],
    "users": [{"name": "u", "user": {"exec": {"apiVersion": "client.authentication.k8s.io/v1beta1", "command": "aws", "args": ["eks", "get-token"]}}}]})
inner = pulumi.ResourceOptions(provider=k8s.Provider("k8s", kubeconfig=kubeconfig, cluster_identifier=cluster.arn))
repository = k8s.helm.v3.RepositoryOptsArgs(repo="https://kedacore.github.io/charts")
keda = k8s.helm.v3.Release("keda", chart="keda", name="keda", version="2.21.0", namespace="keda", repository_opts=repository, opts=inner)
release = "https://github.com/rabbitmq/cluster-operator/releases/download/v2.21.1/cluster-operator.yml"
operator = k8s.yaml.v2.ConfigFile("operator", file=release, opts=inner)
after = pulumi.ResourceOptions(provider=inner.provider, depends_on=[operator, keda])
namespace = k8s.core.v1.Namespace("namespace", metadata={"name": "fleet"}, opts=after)
k8s.core.v1.ConfigMap("plan", metadata={"namespace": namespace.metadata.name}, data={"a": "1"}, opts=inner)
k8s.apiextensions.CustomResource(
    "queue", api_version="rabbitmq.com/v1beta1", kind="Queue", spec={"name": "high"},
    metadata={"name": "high", "namespace": namespace.metadata.name, "annotations": {"pulumi.com/waitFor": "condition=Ready"}}, opts=after)
pulumi.export("endpoint", cluster.endpoint)
"""
RESOURCES = {
    "aws:ec2/subnet:Subnet": 2, "aws:ec2/vpc:Vpc": 1, "aws:eks/cluster:Cluster": 1, "aws:iam/role:Role": 1,
    "kubernetes:core/v1:ConfigMap": 1, "kubernetes:core/v1:Namespace": 1, "kubernetes:helm.sh/v3:Release": 1,
    "kubernetes:rabbitmq.com/v1beta1:Queue": 1, "kubernetes:yaml/v2:ConfigFile": 1,
    "pulumi:providers:aws": 1, "pulumi:providers:kubernetes": 1, "pulumi:pulumi:Stack": 1,
}  # fmt: skip


@dataclass(frozen=True)
class Small:
    """The program's stack."""

    folder: Path
    environment: Mapping[str, str]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["pulumi", "--non-interactive", "--color", "never", *arguments, "--stack", "small"], cwd=self.folder,
            env=dict(self.environment), capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False,
        )  # fmt: skip

    def succeed(self, *arguments: str) -> str:
        done = self.run(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def resources(self) -> dict[str, int]:
        """How many of each type the state has."""
        state = json.loads(self.succeed("stack", "export"))["deployment"].get("resources") or []
        kinds = [resource["type"] for resource in state]
        return {kind: kinds.count(kind) for kind in sorted(set(kinds))}

    def operations(self) -> dict[str, str]:
        """What a preview would do: the last part of each URN with its operation, unchanged ones left out."""
        steps = json.loads(self.succeed("preview", "--json"))["steps"]
        return {step["urn"].rpartition("::")[2]: step["op"] for step in steps if step["op"] != "same"}


@pytest.fixture(scope="module")
def small(engine_environment: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory) -> Small:
    """The program, deployed."""
    folder = tmp_path_factory.mktemp("small")
    (folder / "program").mkdir()
    (folder / "backend").mkdir()
    (folder / "program" / "__main__.py").write_text(PROGRAM)
    (folder / "Pulumi.yaml").write_text(SETTINGS)
    environment = {
        **engine_environment, "PULUMI_BACKEND_URL": f"file://{folder / 'backend'}", variables.IMAGINED: "true",
    }  # fmt: skip
    made = Small(folder, environment)
    made.succeed("stack", "init")
    made.succeed("up", "--yes", "--skip-preview")
    return made


def test_everything_exists_and_nothing_changes_by_itself(small: Small) -> None:
    """A second run and a refresh find what the first one left."""
    assert small.resources() == RESOURCES
    assert small.succeed("stack", "output", "endpoint").strip().endswith(".eks.amazonaws.com")
    small.succeed("preview", "--expect-no-changes")
    small.succeed("refresh", "--yes", "--skip-preview", "--expect-no-changes")


@pytest.mark.parametrize(
    ("setting", "value", "operations"),
    [
        pytest.param("version", "1.36", {"cluster": "update"}, id="a-cluster-is-upgraded-in-place"),
        pytest.param("subnets", "3", {"subnet-2": "create", "cluster": "update"}, id="a-subnet-is-added"),
    ],
)
def test_a_change_is_planned_as_aws_needs_it(
    small: Small, setting: str, value: str, operations: dict[str, str]
) -> None:
    """The objects in the cluster stay: its identity is the same."""
    small.succeed("config", "set", setting, value)
    try:
        assert small.operations() == operations
    finally:
        small.succeed("config", "rm", setting)


def test_a_wrong_value_is_refused_at_its_property(small: Small) -> None:
    """Before anything is changed."""
    small.succeed("config", "set", "support", "standard")
    try:
        done = small.run("preview")
    finally:
        small.succeed("config", "rm", "support")
    assert done.returncode != 0
    assert "upgradePolicy.supportType" in done.stdout + done.stderr


def test_destroy_leaves_nothing(small: Small) -> None:
    """The cluster goes after its objects, the network after the cluster."""
    small.succeed("destroy", "--yes", "--skip-preview")
    assert small.resources() == {}
