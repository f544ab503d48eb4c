"""What `pulumi` would do or did, read from its own JSON, and stack settings and catalogues that differ in one thing.

Invariant: nothing here writes into the work tree: changed files live in a folder of the test and reach the program by `--config-file`.
Facts: `pulumi preview --json` prints one digest with `steps`; `pulumi up --json` prints one engine event a line
(pulumi v3.259, `pkg/backend/display/json.go`).
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.cluster.running_fleet import ROOT, STACK

CATALOGUE_KEY = "celery-fleet:catalogue"
"""Stack setting that names another catalogue."""


@dataclass(frozen=True)
class Step:
    """One resource that an operation touches."""

    operation: str
    urn: str

    @property
    def name(self) -> str:
        """The resource's name in the program."""
        return self.urn.rsplit("::", 1)[-1]


def planned_steps(preview_json: str) -> list[Step]:
    """The steps of a preview that would change something."""
    digest = json.loads(preview_json)
    return [Step(step["op"], step["urn"]) for step in digest["steps"] if step["op"] not in {"same", "read"}]


def resource_changes(events: str) -> dict[str, int]:
    """Operation -> number of resources, from the summary event of an operation's JSON lines."""
    for line in reversed(events.splitlines()):
        if '"summaryEvent"' in line:
            changes: dict[str, int] = json.loads(line)["summaryEvent"]["resourceChanges"]
            return changes
    raise AssertionError(f"no summary in what pulumi printed:\n{events[-2000:]}")


def catalogue_with(change: Callable[[dict[str, Any]], None]) -> str:
    """The repository's catalogue after a change of its queues."""
    catalogue = yaml.safe_load((ROOT / "queues.yaml").read_text())
    change(catalogue["queues"])
    return yaml.safe_dump(catalogue, sort_keys=False)


def settings_with(folder: Path, *, catalogue: str | None = None, **settings: Any) -> Path:
    """A copy of the stack's settings in `folder`, with other values and, where given, another catalogue beside it."""
    document = yaml.safe_load((ROOT / f"Pulumi.{STACK}.yaml").read_text()) or {}
    config = document.setdefault("config", {}) or {}
    document["config"] = config
    if catalogue is not None:
        (folder / "queues.yaml").write_text(catalogue)
        config[CATALOGUE_KEY] = str(folder / "queues.yaml")
    config.update({f"celery-fleet:{name}": value for name, value in settings.items()})
    path = folder / f"Pulumi.{STACK}.yaml"
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    return path
