"""The real `pulumi` with a state folder of its own; no cluster is there, and none is needed.

Invariant: a test leaves nothing outside its temporary folder; the project is a copy, so a stack's settings never reach the work tree.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from sandbox import programs
from sandbox.building import provide_programs
from sandbox.folders import find_folders
from sandbox.progress import Progress
from sandbox.standins import variables
from sandbox.standins.install import install_plugins

ROOT = Path(__file__).resolve().parents[2]
PROGRAM_FOLDERS = ("app", "fleet", "infra", "stacks")
PROGRAM_FILES = ("Pulumi.yaml", "pyproject.toml", "queues.yaml")
COMMAND_SECONDS = 300.0
LOCAL_VARIABLES = ("FLEET_IMAGES", "FLEET_RESULTS_PASSWORD")
"""What the sandbox says to the stack `local` alone."""


@pytest.fixture(scope="session")
def engine_environment(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """Variables in which `pulumi` is found and keeps its state in a temporary folder; built first where it is missing."""
    return engine_variables(tmp_path_factory.mktemp("engine"))


def engine_variables(folder: Path) -> Mapping[str, str]:
    """The same for a folder that is there already and empty."""
    path = os.environ["PATH"]
    if missing := [name for name in ("pulumi", "kubectl") if shutil.which(name) is None]:
        cache = find_folders("celery-fleet", state=None, cache=None).cache
        provide_programs((programs.PULUMI, programs.KUBERNETES), cache, Progress())
        (folder / "bin").mkdir()
        for name in missing:
            # The CLI looks for language hosts beside its real file, so it has to be one here.
            shutil.copy2(programs.program(cache, name), folder / "bin" / name)
        path = f"{folder / 'bin'}{os.pathsep}{path}"
    home = os.environ.get("PULUMI_HOME", str(Path.home() / ".pulumi"))
    if "pulumi" in missing:
        home = str(folder / "home")
        install_plugins(Path(home), folder / "bin")
    (folder / "backend").mkdir()
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("FLEET_", "PULUMI_"))}
    return {
        **inherited,
        "PATH": path,
        "PULUMI_HOME": home,
        "PULUMI_BACKEND_URL": f"file://{folder / 'backend'}",
        "PULUMI_CONFIG_PASSPHRASE": "of a test",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "PULUMI_IGNORE_AMBIENT_PLUGINS": "true",
        "FLEET_RESULTS_PASSWORD": "of-an-engine-test",
        "FLEET_IMAGES": "local",
        # Nobody listens there: a program that asks the cluster too early says so instead of finding one by chance.
        "KUBECONFIG": str(_kubeconfig_of_nobody(folder)),
    }


def _kubeconfig_of_nobody(folder: Path) -> Path:
    path = folder / "kubeconfig"
    cluster = {"name": "nobody", "cluster": {"server": "https://127.0.0.1:9"}}
    context = {"name": "nobody", "context": {"cluster": "nobody", "user": "nobody"}}
    document = {
        "apiVersion": "v1", "kind": "Config", "current-context": "nobody",
        "clusters": [cluster], "contexts": [context], "users": [{"name": "nobody", "user": {}}],
    }  # fmt: skip
    path.write_text(yaml.safe_dump(document))
    return path


@dataclass(frozen=True)
class Project:
    """A copy of the Pulumi project with a fresh stack of one environment."""

    folder: Path
    environment: Mapping[str, str]
    stack: str = "local"

    def pulumi(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """`pulumi` on the stack; the caller judges the exit code."""
        return subprocess.run(
            ["pulumi", "--non-interactive", *arguments, "--stack", self.stack], cwd=self.folder, text=True,
            env=dict(self.environment), capture_output=True, timeout=COMMAND_SECONDS, check=False,
        )  # fmt: skip

    def succeed(self, *arguments: str) -> str:
        """The output of a command that has to succeed."""
        done = self.pulumi(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def resources(self) -> list[str]:
        """The URNs of everything in the state, in one order."""
        state = json.loads(self.succeed("stack", "export"))["deployment"] or {}
        return sorted(resource["urn"] for resource in state.get("resources", []))

    def configure(self, settings: Mapping[str, Any]) -> None:
        """Write settings (without the project's prefix) into the stack's file, as a person with an editor would."""
        path = self.folder / f"Pulumi.{self.stack}.yaml"
        document = yaml.safe_load(path.read_text()) or {}
        stated = {f"celery-fleet:{name}": value for name, value in settings.items()}
        document["config"] = {**(document.get("config") or {}), **stated}
        path.write_text(yaml.safe_dump(document, sort_keys=False))


def new_project(folder: Path, environment: Mapping[str, str], stack: str) -> Project:
    """A copy of the project below `folder`, with a stack that nobody has deployed and a backend of its own."""
    copy = folder / "project"
    copy.mkdir(parents=True)
    for name in PROGRAM_FOLDERS:
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in (*PROGRAM_FILES, f"Pulumi.{stack}.yaml"):
        shutil.copy(ROOT / name, copy / name)
    (folder / "backend").mkdir()
    made = Project(copy, {**environment, "PULUMI_BACKEND_URL": f"file://{folder / 'backend'}"}, stack)
    # The committed file's salt belongs to the sandbox's passphrase; this stack has another.
    settings = copy / f"Pulumi.{stack}.yaml"
    document = yaml.safe_load(settings.read_text()) or {}
    document.pop("encryptionsalt", None)
    settings.write_text(yaml.safe_dump(document))
    made.succeed("stack", "init", "--no-select")
    return made


@pytest.fixture
def project(engine_environment: Mapping[str, str], tmp_path: Path) -> Project:
    """The project with the stack `local`."""
    return new_project(tmp_path, engine_environment, "local")


def new_aws_project(folder: Path, environment: Mapping[str, str], stack: str) -> Project:
    """The project with a stack on EKS: AWS, its registry and its cluster are stood in for, and the secret is set."""
    own = {name: value for name, value in environment.items() if name not in LOCAL_VARIABLES}
    # Two hundred resources: writing the whole state after each of them takes longer than all the rest.
    saved_once = {"PULUMI_SKIP_CHECKPOINTS": "true"}
    made = new_project(folder, {**own, **saved_once, variables.IMAGINED: "true"}, stack)
    made.succeed("config", "set", "--secret", "celery-fleet:resultsPassword", "of-an-engine-test-of-this-stack")
    return made
