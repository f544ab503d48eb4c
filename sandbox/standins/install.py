"""Put the stand-ins where the Pulumi CLI looks for plugins, and say so.

The invariant: a plugin that is already there is never replaced, and each stand-in that is put there is announced in one
line. An executable is a three-line script that names this environment's Python and this checkout.

Source: pulumi v3.259 `sdk/go/common/workspace/plugins.go` (the folders `$PULUMI_HOME/plugins/resource-NAME-vVERSION`,
language hosts beside the CLI).
"""

from __future__ import annotations

import importlib.metadata
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

MARKER: Final = "# A stand-in of the sandbox; the real plugin goes here instead."
REPOSITORY: Final = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class StandIn:
    """An executable that no package registry serves, and the module that stands in for it."""

    executable: str
    module: str
    what: str


LANGUAGE_HOST: Final = StandIn("pulumi-language-python", "sandbox.standins.language_python", "the Python language host")

AWS_CLI: Final = StandIn("aws", "sandbox.standins.aws_cli", "the AWS CLI")

IMAGINED_KUBECTL: Final = StandIn("kubectl", "sandbox.standins.imagined_kubectl", "kubectl, of an imagined cluster")

PROGRAMS: Final = (LANGUAGE_HOST, AWS_CLI, IMAGINED_KUBECTL)
"""Stand-ins that are modules, not packages."""

RESOURCE_PLUGINS: Final = {
    "aws": StandIn("pulumi-resource-aws", "sandbox.standins.aws", "the AWS plugin"),
    "kubernetes": StandIn("pulumi-resource-kubernetes", "sandbox.standins.kubernetes", "the Kubernetes plugin"),
    "docker-build": StandIn("pulumi-resource-docker-build", "sandbox.standins.docker_build", "the docker-build plugin"),
}


def install_plugins(pulumi_home: Path, bin_dir: Path) -> list[str]:
    """Install every stand-in whose real plugin is missing.

    Returns: one line for each stand-in that is in use, to be shown to the user.
    """
    lines = [_installed(bin_dir, LANGUAGE_HOST), *install_resource_plugins(pulumi_home, bin_dir)]
    return [line for line in lines if line]


def install_resource_plugins(pulumi_home: Path, bin_dir: Path) -> list[str]:
    """The same without the language host, for a CLI that has its own beside it."""
    lines: list[str] = []
    for name, stand_in in RESOURCE_PLUGINS.items():
        try:
            version = importlib.metadata.version(f"pulumi-{name}")
        except importlib.metadata.PackageNotFoundError:
            continue  # A program cannot use a plugin whose package is not installed.
        folder = pulumi_home / "plugins" / f"resource-{name}-v{version}"
        lines.append(_installed(folder, stand_in, version))
        if name == "aws" and lines[-1]:
            # Tokens come from where the clusters come from.
            lines.append(_installed(bin_dir, AWS_CLI))
    return [line for line in lines if line]


def install_program(bin_dir: Path, stand_in: StandIn) -> str:
    """Install one stand-in for a program; the line to show, empty where the real one is there."""
    return _installed(bin_dir, stand_in)


def _installed(folder: Path, stand_in: StandIn, version: str = "") -> str:
    """Write the executable unless the real one is there; the line to show, empty for a real one."""
    target = folder / stand_in.executable
    if target.exists() and MARKER not in target.read_bytes()[:4096].decode(errors="replace"):
        return ""
    folder.mkdir(parents=True, exist_ok=True)
    script = wrapper_script(stand_in.module)
    if not target.exists() or target.read_text() != script:
        temporary = target.with_name(f".{target.name}.new")
        temporary.write_text(script)
        temporary.chmod(0o755)
        temporary.replace(target)
    shown = f" {version}" if version else ""
    return f"stand-in for {stand_in.what}{shown}: {stand_in.module}"


def wrapper_script(module: str) -> str:
    """A shell script that runs a stand-in with this Python and this checkout, whatever the caller's folder is."""
    code = f"import sys; sys.path.insert(0, {str(REPOSITORY)!r}); from {module}.__main__ import main; main()"
    if module in [program.module for program in PROGRAMS]:
        code = code.replace(".__main__ import", " import")
    return f'#!/bin/sh\n{MARKER}\nexec {shlex.quote(sys.executable)} -P -c {shlex.quote(code)} "$@"\n'
