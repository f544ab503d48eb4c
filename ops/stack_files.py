"""The stacks of the project, found from their files: what a pipeline goes through, so that a new environment needs no other list.

Source: Pulumi docs, "Stack settings file reference" (`Pulumi.<stack>.yaml` beside `Pulumi.yaml`).
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from fleet.errors import FleetError
from ops import previewing

TARGET_KEY = "celery-fleet:target"
EKS = "eks"
CLOUD_VARIABLE = "CLOUD"
"""How a workflow names the stacks whose AWS account a job may look into; a JSON list."""


@dataclass(frozen=True, kw_only=True)
class StackFile:
    """One environment."""

    name: str
    target: str
    """What the fleet runs on: `existing` or `eks`."""

    @property
    def file(self) -> str:
        """Its settings."""
        return f"Pulumi.{self.name}.yaml"


def find_stacks(root: Path) -> list[StackFile]:
    """Every stack, by name.

    Raises: FleetError for a file that is no YAML mapping.
    """
    return [StackFile(name=name, target=_target(root / f"Pulumi.{name}.yaml")) for name in previewing.find_stacks(root)]


def _target(path: Path) -> str:
    try:
        document: Any = yaml.safe_load(path.read_text())
    except yaml.YAMLError as error:
        raise FleetError(path.name, f"is no YAML: {error}", "`pulumi` would refuse it too.") from None
    config = document.get("config") if isinstance(document, dict) else None
    return str((config or {}).get(TARGET_KEY, "existing"))


def eks_stack(root: Path, name: str) -> StackFile:
    """The stack of that name, which has to be one on EKS.

    Raises: FleetError where it is not.
    """
    stacks = find_stacks(root)
    found = next((item for item in stacks if item.name == name), None)
    if found is None or found.target != EKS:
        problem = "has no file" if found is None else f"runs on a cluster that is there already ({found.file})"
        known = ", ".join(item.name for item in stacks if item.target == EKS) or "none"
        raise FleetError(f"STACK={name}", problem, f"Stacks on EKS: {known}.")
    return found


def split_stacks(root: Path, cloud: str) -> dict[str, list[str]]:
    """`cloud` (a JSON list of names, or nothing) -> the stacks that are looked at in their account, and those that are looked at offline.

    Raises: FleetError for a name that is no stack on EKS.
    """
    chosen = [eks_stack(root, name).name for name in _listed(cloud)]
    return {
        "cloud": chosen,
        "offline": [stack.name for stack in find_stacks(root) if stack.name not in chosen],
    }


def _listed(text: str) -> Sequence[str]:
    if not text.strip():
        return []
    try:
        found = json.loads(text)
    except json.JSONDecodeError:
        found = None
    if not isinstance(found, list) or not all(isinstance(name, str) for name in found):
        raise FleetError(
            CLOUD_VARIABLE, f"is {text!r}", 'Write a JSON list of stacks, such as ["dev", "staging", "prod"].'
        )
    return found
