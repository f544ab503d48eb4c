"""The literal `pulumi` with the language host and the Kubernetes plugin of the sandbox, on a real API server.

Source of the behaviour: pulumi-kubernetes v4.32 `provider/pkg/provider/provider.go`; pulumi v3.259
`sdk/python/cmd/pulumi-language-python-exec`.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

import pytest

from tests.sandbox.standins.conftest import ApiServer

pytestmark = pytest.mark.engine

COMMAND_SECONDS = 150

SETTINGS = """\
name: small
main: program
runtime: {name: python, options: {toolchain: uv}}
"""

FLEET = """
import pulumi, pulumi_kubernetes as k8s

settings = pulumi.Config()
name = settings.require("namespace")
provider = k8s.Provider("cluster", cluster_identifier="test", enable_server_side_apply=True)
opts = pulumi.ResourceOptions(provider=provider)
namespace = k8s.core.v1.Namespace("namespace", metadata={"name": name}, opts=opts)
inside = pulumi.ResourceOptions(provider=provider, depends_on=[namespace])
data = {"value": settings.get("value") or "1"}
plan = k8s.core.v1.ConfigMap("plan", metadata={"namespace": name}, data=data, opts=inside)
k8s.core.v1.ConfigMap("fixed", metadata={"namespace": name, "name": "fixed"}, data=data, opts=inside)
k8s.core.v1.Secret("secret", metadata={"namespace": name}, string_data={"password": pulumi.Output.secret("hush-hush")}, opts=inside)
labels = {"app": "web"}
container = {
    "name": "web", "image": "web:1", "env": [{"name": "EMPTY", "value": ""}, {"name": "PLAN", "value": plan.metadata.name}],
    "resources": {"requests": {"cpu": "1000m", "memory": "1024Mi"}, "limits": {"memory": "1024Mi"}},
}
skip = {"pulumi.com/skipAwait": "true"}
web = k8s.apps.v1.Deployment(
    "web", metadata={"namespace": name, "annotations": skip},
    spec={"selector": {"match_labels": labels}, "template": {"metadata": {"labels": labels}, "spec": {"host_network": False, "containers": [container]}}},
    opts=inside)
k8s.core.v1.Service("web", metadata={"namespace": name, "annotations": skip}, spec={"selector": labels, "ports": [{"port": 80}]}, opts=inside)
k8s.policy.v1.PodDisruptionBudget("web", metadata={"namespace": name}, spec={"selector": {"match_labels": labels}, "max_unavailable": 1}, opts=inside)
k8s.networking.v1.NetworkPolicy("web", metadata={"namespace": name}, spec={"pod_selector": {}, "policy_types": ["Ingress"], "ingress": []}, opts=inside)
pulumi.export("plan", plan.metadata.name)
pulumi.export("deployment", web.metadata.name)
"""

DEFINITION = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "queues.example.com"},
    "spec": {
        "group": "example.com",
        "names": {"kind": "Queue", "plural": "queues"},
        "scope": "Namespaced",
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
            }
        ],
    },
}

QUEUE = """
import pulumi, pulumi_kubernetes as k8s
k8s.apiextensions.CustomResource(
    "high", api_version="example.com/v1", kind="Queue",
    metadata={"name": "high", "namespace": "default", "annotations": {"pulumi.com/waitFor": "condition=Ready"}},
    spec={"type": "quorum"}, opts=pulumi.ResourceOptions(custom_timeouts=pulumi.CustomTimeouts(create="2s", update="20s")))
"""


@dataclass(frozen=True)
class Stack:
    """One program with a stack of its own."""

    folder: Path
    environment: Mapping[str, str]

    def write(self, program: str) -> None:
        (self.folder / "program" / "__main__.py").write_text(dedent(program))

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["pulumi", *arguments, "--non-interactive", "--color", "never", "--stack", "test"],
            cwd=self.folder,
            env=dict(self.environment),
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )

    def succeed(self, *arguments: str) -> str:
        done = self.run(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def up(self) -> str:
        return self.succeed("up", "--yes", "--skip-preview")

    def outputs(self) -> dict[str, str]:
        outputs: dict[str, str] = json.loads(self.succeed("stack", "output", "--json"))
        return outputs

    def planned(self) -> dict[str, str]:
        """What a preview would do, by the resource's name; what stays the same is left out."""
        steps = json.loads(self.succeed("preview", "--json"))["steps"]
        return {step["urn"].rsplit("::", 1)[-1]: step["op"] for step in steps if step["op"] != "same"}


@pytest.fixture
def stack(pulumi_environment: Mapping[str, str], tmp_path: Path) -> Stack:
    (tmp_path / "backend").mkdir()
    (tmp_path / "program").mkdir()
    (tmp_path / "Pulumi.yaml").write_text(SETTINGS)
    made = Stack(tmp_path, {**pulumi_environment, "PULUMI_BACKEND_URL": f"file://{tmp_path / 'backend'}"})
    made.succeed("stack", "init", "--no-select")
    return made


def test_a_fleet_of_objects_lives_its_whole_life(stack: Stack, api_server: ApiServer) -> None:
    """Made, unchanged, scaled by somebody else, changed, destroyed."""
    stack.write(FLEET)
    stack.succeed("config", "set", "namespace", "whole-life")
    assert set(stack.planned().values()) == {"create"}
    stack.up()
    before = stack.outputs()

    stack.succeed("preview", "--expect-no-changes")
    api_server.kubectl("scale", "deployment", before["deployment"], "-n", "whole-life", "--replicas", "7")
    stack.succeed("refresh", "--preview-only", "--expect-no-changes")
    assert "hush-hush" not in stack.succeed("stack", "export")

    stack.succeed("config", "set", "value", "2")
    assert stack.planned() == {"plan": "replace", "fixed": "replace", "web": "update"}
    stack.up()
    after = stack.outputs()
    assert after["plan"] != before["plan"]
    assert after["deployment"] == before["deployment"]
    assert set(api_server.objects("configmaps", "whole-life")) - {"kube-root-ca.crt"} == {after["plan"], "fixed"}
    replicas = api_server.kubectl(
        "get", "deployment", after["deployment"], "-n", "whole-life", "-o", "jsonpath={.spec.replicas}"
    )
    assert replicas == "7"
    stack.succeed("preview", "--expect-no-changes")

    stack.succeed("destroy", "--yes", "--skip-preview")
    assert "whole-life" not in api_server.kubectl("get", "namespaces", "-o", "name")


def test_an_object_that_is_not_ready_in_time_is_continued_by_the_next_run(stack: Stack, api_server: ApiServer) -> None:
    """It is neither lost nor created twice."""
    api_server.kubectl("apply", "-f", "-", text=json.dumps(DEFINITION))
    api_server.kubectl("wait", "--for", "condition=Established", "crd/queues.example.com")
    stack.write(QUEUE)
    failed = stack.run("up", "--yes", "--skip-preview")
    assert failed.returncode != 0
    assert "'high' timed out waiting to be Ready" in failed.stdout
    status = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
    api_server.kubectl("patch", "queue", "high", "--subresource", "status", "--type", "merge", "-p", json.dumps(status))
    assert "1 updated" in stack.up()
    stack.succeed("preview", "--expect-no-changes")
    stack.succeed("destroy", "--yes", "--skip-preview")


def test_an_existing_object_is_not_taken_over_but_can_be_imported(stack: Stack, api_server: ApiServer) -> None:
    """A create on it fails; an import makes it the program's own."""
    api_server.kubectl("create", "configmap", "theirs", "--from-literal", "a=1")
    stack.write("""
        import pulumi_kubernetes as k8s
        k8s.core.v1.ConfigMap("mine", metadata={"name": "theirs", "namespace": "default"}, data={"a": "1"})
    """)
    failed = stack.run("up", "--yes", "--skip-preview")
    assert failed.returncode != 0
    assert 'configmaps "theirs" already exists' in failed.stdout
    stack.succeed(
        "import",
        "kubernetes:core/v1:ConfigMap",
        "mine",
        "default/theirs",
        "--yes",
        "--protect=false",
        "--generate-code=false",
    )
    stack.succeed("preview", "--expect-no-changes")
    stack.succeed("destroy", "--yes", "--skip-preview")
    assert "theirs" not in api_server.objects("configmaps", "default")


def test_a_refusal_of_the_api_server_stops_the_preview_in_its_own_words(stack: Stack) -> None:
    """Mistakes that only the server knows are found before anything is changed."""
    stack.write("""
        import pulumi_kubernetes as k8s
        k8s.core.v1.Service("web", metadata={"name": "web", "namespace": "default"}, spec={"ports": [{"port": 123456}]})
    """)
    failed = stack.run("preview")
    assert failed.returncode != 0
    assert 'Service "web" is invalid: ' in failed.stdout
    assert "spec.ports[0].port: Invalid value: 123456: must be between 1 and 65535" in failed.stdout


@pytest.mark.parametrize(
    ("statement", "shown", "hidden"),
    [
        pytest.param(
            'raise ValueError("boom")',
            "line 2, in <module>",
            "program_runner.py",
            id="an-exception-with-the-programs-traceback",
        ),
        pytest.param(
            'raise pulumi.RunError("queues.yaml:3 is wrong")',
            "error: queues.yaml:3 is wrong",
            "Traceback",
            id="a-run-error-with-its-message-alone",
        ),
    ],
)
def test_a_failing_program_explains_itself(stack: Stack, statement: str, shown: str, hidden: str) -> None:
    """The user sees their program's error and none of the machinery."""
    stack.write(f"import pulumi\n{statement}\n")
    failed = stack.run("preview")
    assert failed.returncode != 0
    assert shown in failed.stdout
    assert hidden not in failed.stdout


def test_a_program_runs_in_its_folder_and_finds_the_projects_root(stack: Stack) -> None:
    """`main: program` is the working folder; configuration, secrets and output arrive."""
    stack.succeed("config", "set", "--secret", "token", "hush")
    stack.write("""
        import os, pulumi
        print("printed by the program")
        pulumi.export("folder", os.getcwd())
        pulumi.export("root", pulumi.runtime.get_root_directory())
        pulumi.export("token", pulumi.Config().require_secret("token").apply(len))
    """)
    assert "printed by the program" in stack.up()
    outputs = stack.outputs()
    assert (outputs["folder"], outputs["root"]) == (str(stack.folder / "program"), str(stack.folder))
    assert json.loads(stack.succeed("stack", "output", "--json", "--show-secrets"))["token"] == 4
