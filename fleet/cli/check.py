"""`fleet check`."""

from typing import TYPE_CHECKING, Annotated

import typer

from fleet.cli.answers import print_json
from fleet.cli.options import CATALOGUE, STACK, FileOption, JsonOption, StackOption

if TYPE_CHECKING:
    from pathlib import Path

    from fleet.deriving import Draft
    from fleet.errors import Finding


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
    from fleet.cli.loading import named_environment
    from fleet.deriving import draft_plan
    from fleet.errors import CatalogueError

    draft = draft_plan(file, named_environment(file, stack), shown_as=str(file))
    findings = draft.findings
    findings += _application_findings(draft, file) if app else check_versions(draft.source)
    if findings or draft.catalogue is None:
        raise CatalogueError(findings)
    if as_json:
        print_json({"findings": []})
        return
    queues = len(draft.catalogue.queues)
    typer.echo(f"{file}: {queues} queues fit the environment {stack}{' and the application' if app else ''}.")


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
