"""The program of a stack, run on a recording engine with the cluster and the application stood in."""

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from fleet.inspection import Inspection
from infra.platform import PlatformPart
from infra.preflight import SERVED_KINDS, ClusterAccess, ClusterFacts
from stacks.build import build_stack
from stacks.loading import Edges, Loaded, load
from tests.infra.recording import Recorded, Registration, record

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "a-password-of-a-test"
VARIABLES = {"FLEET_IMAGES": "local", "FLEET_RESULTS_PASSWORD": PASSWORD}
"""What a shell of the sandbox has."""

EKS_STACKS = ("dev", "staging", "prod")


def stack_config(stack: str, **changes: Any) -> dict[str, str]:
    """The configuration of a committed stack as Pulumi hands it over, with some keys changed: `aws={"compute": "auto"}` is merged into `aws`."""
    document = yaml.safe_load((ROOT / f"Pulumi.{stack}.yaml").read_text(encoding="utf-8"))
    config: dict[str, Any] = document["config"]
    for name, value in changes.items():
        key = f"celery-fleet:{name}"
        config[key] = {**config.get(key, {}), **value} if isinstance(value, dict) else value
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in config.items()}


SERVED = {
    SERVED_KINDS[part][0]: frozenset(
        kind for group, kinds in SERVED_KINDS.values() if group == SERVED_KINDS[part][0] for kind in kinds
    )
    for part in PlatformPart
}


@dataclass
class Stage:
    """A cluster and an application that answer as they are told, and remember whether they were asked."""

    scheduled: bool = True
    version: tuple[int, int] = (1, 36)
    served: Mapping[str, frozenset[str]] | None = None
    asked: int = 0

    def read_cluster(self, _: ClusterAccess, __: tuple[str, ...]) -> ClusterFacts:
        """What the cluster says."""
        self.asked += 1
        return ClusterFacts(
            identity="the-cluster", version=self.version, kinds=SERVED if self.served is None else self.served
        )

    def start_inspection(self, application: str, _: str) -> Inspection:
        """A process that answers as `app.inspect` would."""
        self.asked += 1
        entry = {"name": "digest", "task": "app.tasks.mail.render", "queue": None}
        answer = json.dumps(
            {
                "application": application, "versions": {}, "tasks": [], "task_routes": [], "task_queues": [],
                "default_queue": "celery", "time_limit": None, "soft_time_limit": None,
                "schedule": [entry] if self.scheduled else [],
            }
        )  # fmt: skip
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", f"print({answer!r})"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        return Inspection(application=application, process=process)


def loaded(
    config: Mapping[str, str] | None = None,
    *,
    stack: str = "local",
    root: Path = ROOT,
    stage: Stage | None = None,
    variables: Mapping[str, str] | None = None,
) -> Loaded:
    """What the program knows before its first resource."""
    told = stage or Stage()
    return load(
        config or {},
        VARIABLES if variables is None else variables,
        stack=stack,
        root=str(root),
        edges=Edges(read_cluster=told.read_cluster, start_inspection=told.start_inspection),
    )


def run_stack(
    config: Mapping[str, str] | None = None, *, stack: str = "local", root: Path = ROOT, stage: Stage | None = None
) -> Recorded:
    """Everything that the program of a stack registers."""
    known = loaded(config, stack=stack, root=root, stage=stage)
    return record(lambda: build_stack(known), stack_name=stack)


@cache
def eks_graph(stack: str) -> Recorded:
    """Everything that a committed EKS stack registers; registered once for all tests of a process."""
    return run_eks(stack)


def run_eks(stack: str, *, preview: bool = False, **changes: Any) -> Recorded:
    """Everything that the program of a committed EKS stack registers, with some keys of its file changed."""
    known = loaded(stack_config(stack, **changes), stack=stack)
    return record(lambda: build_stack(known), stack_name=stack, preview=preview)


def only(recorded: Recorded, typ: str) -> Registration:
    """The only resource of a type."""
    found = [item for item in recorded.resources if item.typ == typ]
    assert len(found) == 1, [item.name for item in found]
    return found[0]


def named(recorded: Recorded, name: str) -> Registration:
    """The resource of that name."""
    found = [item for item in recorded.resources if item.name == name]
    assert len(found) == 1, [item.typ for item in found]
    return found[0]


def before(recorded: Recorded, item: Registration) -> set[str]:
    """Names of all that is there before a resource, and is therefore taken away after it."""
    known = recorded.by_urn()
    return {known[urn].name for urn in recorded.waits_for(item) if urn in known}
