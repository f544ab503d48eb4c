"""`fleet plan`."""

from pathlib import Path
from typing import Annotated

import typer

from fleet.cli.answers import print_json, print_lines, write_file
from fleet.cli.completing import complete_paths
from fleet.cli.options import CATALOGUE, STACK, FileOption, JsonOption, NameOption, StackOption


def plan(
    *,
    file: FileOption = CATALOGUE,
    stack: StackOption = STACK,
    name: NameOption = None,
    why: Annotated[
        str | None,
        typer.Option(
            "--why", metavar="PATH", help="Only the arithmetic of PATH, as `fleet why`.", autocompletion=complete_paths
        ),
    ] = None,
    html: Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write one page for a browser.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Show what would be deployed, with the reason of each number."""
    from fleet.cli.loading import load

    if sum((why is not None, html is not None, as_json and why is None)) > 1:
        raise typer.BadParameter("takes one of --json, --html and --why at a time")
    derived = load(file, stack, name, explain=True)
    if why is not None:
        from fleet.cli.why import show_reasons

        show_reasons(derived, why, as_json=as_json)
    elif html is not None:
        from fleet.page import plan_page

        write_file(html, plan_page(derived))
    elif as_json:
        print_json(derived)
    else:
        from fleet.rendering import plan_lines
        from fleet.tables import find_screen

        print_lines(plan_lines(derived, find_screen()))
