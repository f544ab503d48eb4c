"""`fleet why`."""

from typing import TYPE_CHECKING, Annotated

import typer

from fleet.cli.answers import print_json, print_lines
from fleet.cli.completing import complete_paths
from fleet.cli.options import CATALOGUE, STACK, FileOption, JsonOption, StackOption

if TYPE_CHECKING:
    from fleet.plan import Plan
    from fleet.records import Reason


def why(
    path: Annotated[
        str,
        typer.Argument(
            help="A number, such as reports.replicas.max, or the beginning of several.",
            metavar="PATH",
            autocompletion=complete_paths,
        ),
    ],
    file: FileOption = CATALOGUE,
    stack: StackOption = STACK,
    as_json: JsonOption = False,
) -> None:
    """Show the arithmetic of one number, or of all below a path."""
    from fleet.cli.loading import load

    show_reasons(load(file, stack, explain=True), path, as_json=as_json)


def show_reasons(plan: "Plan", path: str, *, as_json: bool) -> None:
    """Prints the reasons of a path and of what is below it.

    Raises: FleetError, with the nearest path, when there is no such number.
    """
    found = next(filter(None, (_below(plan, meant) for meant in _meanings(path))), ())
    if not found:
        raise _unknown_path(plan, path)
    if as_json:
        print_json(found)
        return

    from fleet.rendering import reason_lines
    from fleet.tables import find_screen

    print_lines(reason_lines(found, find_screen()))


def _below(plan: "Plan", path: str) -> tuple["Reason", ...]:
    return tuple(reason for reason in plan.reasons if reason.path == path or reason.path.startswith(f"{path}."))


def _meanings(path: str) -> tuple[str, ...]:
    """A path as it was typed; then what it may be short for: `broker.memory` of what the queues share, `cost.reports` of the queue `reports`."""
    from fleet.records import SHARED

    group, _, queue = path.partition(".")
    return (path, f"{SHARED}.{path}", *((f"{queue}.cost",) if group == "cost" and queue else ()))


def _unknown_path(plan: "Plan", path: str) -> Exception:
    import difflib

    from fleet.errors import FleetError
    from fleet.records import SHARED

    paths = {".".join(reason.path.split(".")[:length]) for reason in plan.reasons for length in (1, 2, 3)}
    near = difflib.get_close_matches(path, sorted(paths), n=1)
    hint = f"Did you mean `{near[0]}`? " if near else ""
    known = ", ".join(queue.name for queue in plan.queues[:12]) + (", ..." if len(plan.queues) > 12 else "")
    return FleetError(
        path,
        "is no number of the plan",
        f"{hint}Begin with a queue ({known}) or, for what they share, with {SHARED}; `fleet plan` lists all.",
    )
