"""The stacks of the project, found from their files: what a pipeline goes through, so that a new environment needs no other list.

Source: Pulumi docs, "Stack settings file reference" (`Pulumi.<stack>.yaml` beside `Pulumi.yaml`).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from fleet.errors import FleetError

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


def stack_names(root: Path) -> tuple[str, ...]:
    """Every stack that has a file, by name."""
    return tuple(sorted(file.name.removeprefix("Pulumi.").removesuffix(".yaml") for file in root.glob("Pulumi.*.yaml")))


def find_stacks(root: Path) -> list[StackFile]:
    """Every stack, by name.

    Raises: FleetError for a file that is no YAML.
    """
    return [StackFile(name=name, target=target_of(read_config(root, name))) for name in stack_names(root)]


def read_config(root: Path, stack: str) -> dict[str, Any]:
    """What a stack's file configures.

    Raises: FleetError for a file that cannot be read or is no YAML.
    """
    path = root / f"Pulumi.{stack}.yaml"
    try:
        document: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FleetError(path.name, f"cannot be read: {error.strerror}", "`pulumi` would refuse it too.") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise FleetError(path.name, f"is no YAML: {error}", "`pulumi` would refuse it too.") from None
    config = document.get("config") if isinstance(document, dict) else None
    return config if isinstance(config, dict) else {}


def target_of(config: Mapping[str, Any]) -> str:
    """What a fleet with this configuration runs on: `existing` or `eks`."""
    return str(config.get(TARGET_KEY, "existing"))


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
