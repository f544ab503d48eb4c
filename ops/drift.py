"""Whether what stands in an account is still what the stack's state says, and the one issue that tells it.

Invariant: nothing is changed, and no value is told, only the names of resources and of the properties that differ.
Source: Pulumi docs, "pulumi refresh" (`--preview-only`); pulumi v3.259 `pkg/backend/display/json.go` (a step that begins as a refresh becomes an update with
its detailed diff, or a delete) and `pkg/resource/deploy/step.go` (what a plugin itself would not change back, such as a status, is no difference).
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from ops.github import BODY_MAX, BOT, Repository
from ops.processes import ProgramError, run
from ops.stack_files import eks_stack

REFRESH_SECONDS = 1800.0
NO_STACK = "no stack named"
"""What `pulumi` says of a stack that was never made (pkg/cmd/pulumi/stack/stack.go)."""

FOLDER = Path("drift")
SAME = "same"
"""How the engine counts what did not change."""

TITLE = "Drift: what stands in the accounts is not what the stacks say"
MARKER = "<!-- celery-fleet: drift -->"
SHOWN = 100
"""Resources of one stack that an issue lists."""


class Found(StrEnum):
    """What a check found."""

    SAME = "same"
    DRIFTED = "drifted"
    NOT_DEPLOYED = "not deployed"
    UNKNOWN = "could not be checked"


@dataclass(frozen=True, kw_only=True)
class Change:
    """A resource that somebody else changed."""

    resource: str
    """Type and name, as the program calls it."""
    properties: tuple[str, ...]
    """The paths of those that differ; none where the resource is gone."""


@dataclass(frozen=True, kw_only=True)
class Drift:
    """One stack's answer."""

    stack: str
    found: Found
    changes: tuple[Change, ...] = ()
    undescribed: int = 0
    """Further resources, whose plugin does not say what differs."""


def check_drift(stack: str, environ: Mapping[str, str], root: Path) -> Drift:
    """Compare the state with the account, which may take minutes.

    Raises: ProgramError when the account or the cluster cannot be read.
    """
    name = eks_stack(root, stack).name
    command = ["pulumi", "refresh", "--preview-only", "--json", "--non-interactive", "--stack", name]
    fix = "See whether the role may read the stack's account and cluster."
    try:
        said = run(command, env=environ, cwd=str(root), fix=fix, timeout_seconds=REFRESH_SECONDS)
    except ProgramError as error:
        if NO_STACK in error.said:
            return Drift(stack=name, found=Found.NOT_DEPLOYED)
        raise
    document = json.loads(said)
    changes = tuple(_changes(document.get("steps") or []))
    counted = sum(number for operation, number in (document.get("changeSummary") or {}).items() if operation != SAME)
    return Drift(
        stack=name,
        found=Found.DRIFTED if changes or counted else Found.SAME,
        changes=changes,
        undescribed=max(0, counted - len(changes)),
    )


def _changes(steps: Iterable[Mapping[str, Any]]) -> Iterable[Change]:
    for step in steps:
        if step["op"] == "delete":
            yield Change(resource=_called(step["urn"]), properties=())
        elif step["op"] == "update":
            yield Change(resource=_called(step["urn"]), properties=tuple(sorted(step.get("detailedDiff") or {})))


def _called(urn: str) -> str:
    """`urn:pulumi:prod::celery-fleet::a$b$aws:ec2/vpc:Vpc::network-vpc` -> `aws:ec2/vpc:Vpc network-vpc`."""
    *_, types, name = urn.split("::")
    return f"{types.rsplit('$', 1)[-1]} {name}"


def keep(drift: Drift, folder: Path) -> Path:
    """Write an answer for the job that tells of all of them."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{drift.stack}.json"
    file.write_text(json.dumps(asdict(drift), indent=2) + "\n")
    return file


def kept(folder: Path) -> list[Drift]:
    """The answers of all stacks, by name."""
    found = [json.loads(path.read_text()) for path in sorted(folder.rglob("*.json"))]
    return [
        Drift(
            stack=item["stack"],
            found=Found(item["found"]),
            undescribed=item["undescribed"],
            changes=tuple(
                Change(resource=one["resource"], properties=tuple(one["properties"])) for one in item["changes"]
            ),
        )
        for item in found
    ]


def answers_of(stacks: Iterable[str], found: Sequence[Drift]) -> list[Drift]:
    """What is known of each of these stacks: a check that failed has left no answer."""
    by_name = {drift.stack: drift for drift in found}
    return [by_name.get(stack) or Drift(stack=stack, found=Found.UNKNOWN) for stack in stacks]


def described(drift: Drift) -> str:
    """An answer for a person, as Markdown."""
    if drift.found is not Found.DRIFTED:
        return f"`{drift.stack}`: {drift.found}"
    lines = [
        f"- `{change.resource}`: {', '.join(f'`{name}`' for name in change.properties) or 'is gone'}"
        for change in drift.changes[:SHOWN]
    ]
    more = max(0, len(drift.changes) - SHOWN) + drift.undescribed
    count = len(drift.changes) + drift.undescribed
    return "\n".join([f"`{drift.stack}`: {count} drifted", "", *lines, *([f"- and {more} more"] if more else [])])


def tell(repository: Repository, answers: list[Drift], run_url: str) -> str | None:
    """The address of the one issue: opened or rewritten where there is drift, closed where all is well again; None where there is none to close.

    A stack that could not be checked opens no issue (its job fails) and keeps one open.
    """
    drifted = any(item.found is Found.DRIFTED for item in answers)
    well = not drifted and all(item.found is not Found.UNKNOWN for item in answers)
    issue = next(
        (
            item
            for item in repository.listed("issues?state=open&creator=" + BOT.replace("[", "%5B").replace("]", "%5D"))
            if "pull_request" not in item and MARKER in str(item.get("body"))
        ),
        None,
    )
    advice = f"`pulumi refresh -s <stack> --preview-only --diff` shows the values; docs/how-to/pull-requests.md says what to do. [The run]({run_url})."
    body = "\n\n".join([MARKER, *(described(item) for item in answers), advice])[:BODY_MAX]
    if issue is None:
        return str(repository.call("POST", "issues", title=TITLE, body=body)["html_url"]) if drifted else None
    state = {"state": "closed", "state_reason": "completed"} if well else {}
    return str(repository.call("PATCH", f"issues/{issue['number']}", body=body, **state)["html_url"])
