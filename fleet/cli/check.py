"""`fleet check`."""

from typing import TYPE_CHECKING, Annotated

import typer

from fleet.cli.answers import print_json, print_lines
from fleet.cli.options import CATALOGUE, STACK, FileOption, JsonOption, StackOption

if TYPE_CHECKING:
    from pathlib import Path

    from fleet.errors import Finding
    from fleet.loading import Draft


def check(
    *,
    file: FileOption = CATALOGUE,
    stack: StackOption = STACK,
    app: Annotated[
        bool, typer.Option("--app", help="Also against the tasks that the application registers; imports it.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Check the catalogue; every finding comes in one run."""
    from fleet.checks.application import check_versions
    from fleet.cli.loading import draft
    from fleet.loading import finish

    drafted = draft(file, stack)
    plan = finish(drafted, _application_findings(drafted, file) if app else check_versions(drafted.source))
    if as_json:
        print_json({"findings": plan.notes})
        return
    print_lines(map(str, plan.notes))
    typer.echo(f"{file}: {len(plan.queues)} queues fit the environment {stack}{' and the application' if app else ''}.")


def _application_findings(draft: "Draft", file: "Path") -> "list[Finding]":
    """What the application adds; one that cannot be asked is a finding like any other, at the line that names it."""
    from fleet.checks.application import check_application
    from fleet.errors import FleetError
    from fleet.inspection import inspect_application

    if draft.catalogue is None or not draft.catalogue.application:
        return []
    try:
        facts = inspect_application(draft.catalogue.application, file.resolve().parent)
    except FleetError as error:
        name = draft.catalogue.application
        return [draft.source.finding(("application",), f"is {name!r}, which {error.problem}", error.fix)]
    return list(check_application(draft.catalogue, facts, draft.source))
