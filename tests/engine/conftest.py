"""The real `pulumi` with a state folder of its own; no cluster is there, and none is needed.

Invariant: a test leaves nothing outside its temporary folder; the project is a copy, so a stack's settings never reach the work tree.
"""

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
from sandbox.building import build_programs
from sandbox.folders import find_folders
from sandbox.progress import Progress
from sandbox.standins.install import install_plugins

ROOT = Path(__file__).resolve().parents[2]
PROGRAM_FOLDERS = ("app", "fleet", "infra", "stacks")
PROGRAM_FILES = ("Pulumi.yaml", "Pulumi.local.yaml", "pyproject.toml", "queues.yaml")
COMMAND_SECONDS = 120.0


@pytest.fixture(scope="session")
def engine_environment(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """Variables in which `pulumi` is found and keeps its state in a temporary folder; built first where it is missing."""
    folder = tmp_path_factory.mktemp("engine")
    path = os.environ["PATH"]
    if missing := [name for name in ("pulumi", "kubectl") if shutil.which(name) is None]:
        cache = find_folders("celery-fleet", state=None, cache=None).cache
        build_programs((programs.PULUMI, programs.KUBERNETES), cache, Progress())
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
    """A copy of the Pulumi project with a fresh stack `local`."""

    folder: Path
    environment: Mapping[str, str]

    def pulumi(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """`pulumi` on the stack; the caller judges the exit code."""
        return subprocess.run(
            ["pulumi", "--non-interactive", *arguments, "--stack", "local"], cwd=self.folder, text=True,
            env=dict(self.environment), capture_output=True, timeout=COMMAND_SECONDS, check=False,
        )  # fmt: skip

    def configure(self, settings: Mapping[str, Any]) -> None:
        """Write settings (without the project's prefix) into the stack's file, as a person with an editor would."""
        path = self.folder / "Pulumi.local.yaml"
        document = yaml.safe_load(path.read_text()) or {}
        stated = {f"celery-fleet:{name}": value for name, value in settings.items()}
        document["config"] = {**(document.get("config") or {}), **stated}
        path.write_text(yaml.safe_dump(document, sort_keys=False))


@pytest.fixture
def project(engine_environment: Mapping[str, str], tmp_path: Path) -> Project:
    """A project that nobody has deployed."""
    folder = tmp_path / "project"
    folder.mkdir()
    for name in PROGRAM_FOLDERS:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in PROGRAM_FILES:
        shutil.copy(ROOT / name, folder / name)
    backend = tmp_path / "backend"
    backend.mkdir()
    made = Project(folder, {**engine_environment, "PULUMI_BACKEND_URL": f"file://{backend}"})
    # The committed file's salt belongs to the sandbox's passphrase; this stack has another.
    settings = folder / "Pulumi.local.yaml"
    document = yaml.safe_load(settings.read_text()) or {}
    document.pop("encryptionsalt", None)
    settings.write_text(yaml.safe_dump(document))
    done = made.pulumi("stack", "init", "--no-select")
    assert done.returncode == 0, done.stderr
    return made
