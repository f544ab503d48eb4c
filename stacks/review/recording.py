"""`python -m stacks.review.recording`: from the engine's events and the project's files on both sides to `preview.json` and `preview.md`.

Invariant: it runs where the change's own code has run, and what it writes is all that a later judge needs.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from fleet.comparing import CostChange, compare
from fleet.deriving import FLEET_NAME
from fleet.environment import Environment, load_environment
from fleet.errors import FleetError
from fleet.loading import Draft, draft_stack_plan
from fleet.plan import Plan
from stacks.review.comment import write_comment
from stacks.review.events import read_plan
from stacks.review.graph import graph_difference
from stacks.review.model import FORMAT, Preview, PromiseChange, write_preview
from stacks.review.promises import promise_changes
from stacks.review.versions import versions_of
from stacks.spec import PROJECT

EXIT_INCOMPLETE = 1


@dataclass(frozen=True, kw_only=True)
class Side:
    """The catalogue of one side, in the stack's environment."""

    draft: Draft
    plan: Plan
    environment: Environment


def read_side(root: Path, stack: str) -> Side | None:
    """One side; None where it has findings, which the program tells too, or no such stack."""
    file = root / f"Pulumi.{stack}.yaml"
    try:
        config = _config(file)
        draft = draft_stack_plan(
            root / str(config.get(f"{PROJECT}:catalogue", "queues.yaml")),
            stack,
            root=root,
            fleet=str(config.get(f"{PROJECT}:name", FLEET_NAME)),
            shown_as="queues.yaml",
            explain=True,
        )
        environment = load_environment(root, stack)
    except (FleetError, OSError):
        return None
    if draft.plan is None or draft.errors:
        return None
    return Side(draft=draft, plan=draft.plan, environment=environment)


def _config(file: Path) -> dict[str, Any]:
    try:
        document = yaml.safe_load(file.read_text(encoding="utf-8"))
    except yaml.YAMLError:
        return {}
    config = document.get("config") if isinstance(document, dict) else None
    return config if isinstance(config, dict) else {}


def record_preview(
    events: Sequence[str], *, stack: str, head: Path, base: Path | None, base_name: str | None, imagined: bool,
    stood_in: Sequence[str], said: str = "", failed: bool = False, problems: Sequence[str] = (),
) -> Preview:  # fmt: skip
    """The whole preview.

    `base` is the folder of the other side's files, `base_name` what it is called; `problems` are what went wrong before the engine ran.
    """
    plan = read_plan(events)
    errors = [*problems, *plan.errors]
    if (failed or not plan.finished) and not plan.explained and not errors:
        errors.append(said.strip() or "the engine ended without a word")
    after, before = read_side(head, stack), read_side(base, stack) if base else None
    comparison = compare(before.draft, after.draft) if before and after else None
    return Preview(
        format=FORMAT,
        stack=stack,
        imagined=imagined,
        base=base_name,
        stood_in=tuple(stood_in),
        errors=tuple(errors),
        unchanged=plan.unchanged,
        steps=tuple(plan.steps),
        policies_ran=plan.policies_ran,
        policies=tuple(plan.policies),
        graph=graph_difference(plan.before, plan.after) if plan.before else (),
        versions=versions_of(plan.after.values()),
        comparison=comparison,
        cost=_cost(before, after),
        promises=_promises(before, after),
    )


def _cost(before: Side | None, after: Side | None) -> CostChange:
    old, new = (side.plan.cost.total if side and side.plan.cost.region else None for side in (before, after))
    return CostChange(before=old, after=new)


def _promises(before: Side | None, after: Side | None) -> tuple[PromiseChange, ...]:
    if after is None:
        return ()
    old = (before.plan, before.environment) if before else None
    return tuple(promise_changes(old, (after.plan, after.environment)))


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(prog="python -m stacks.review.recording", description=__doc__)
    top.add_argument("--stack", required=True)
    top.add_argument("--events", required=True, type=Path, metavar="FILE", help="what the engine printed")
    top.add_argument("--said", type=Path, metavar="FILE", help="what the CLI wrote to standard error")
    top.add_argument("--failed", action="store_true", help="the engine's exit code was not zero")
    top.add_argument("--problem", action="append", default=[], metavar="TEXT", help="why there is no preview")
    top.add_argument("--head", required=True, type=Path, metavar="FOLDER")
    top.add_argument("--base", type=Path, metavar="FOLDER")
    top.add_argument("--base-name", metavar="WORDS")
    top.add_argument("--imagined", action="store_true")
    top.add_argument("--stood-in", action="append", default=[], metavar="LINE")
    top.add_argument("--out", required=True, type=Path, metavar="FOLDER")
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Write both files; exit code 1 where the preview is not whole."""
    given = parser().parse_args(arguments)
    events = given.events.read_text(encoding="utf-8").splitlines()
    said = given.said.read_text(encoding="utf-8") if given.said else ""
    preview = record_preview(
        events, stack=given.stack, head=given.head, base=given.base, base_name=given.base_name,
        imagined=given.imagined, stood_in=given.stood_in, said=said, failed=given.failed, problems=given.problem,
    )  # fmt: skip
    write_preview(preview, given.out / "preview.json")
    write_comment([preview], given.out / "preview.md")
    for error in preview.errors:
        sys.stderr.write(f"{given.stack}: {error}\n")
    return EXIT_INCOMPLETE if preview.errors else 0


if __name__ == "__main__":
    raise SystemExit(main())
