"""`fleet diff`."""

from typing import TYPE_CHECKING, Annotated

import typer

from fleet.cli.answers import print_json, print_lines
from fleet.cli.options import CATALOGUE, STACK, FileOption, JsonOption, StackOption

if TYPE_CHECKING:
    from pathlib import Path

    from fleet.loading import Draft


def diff(
    *,
    before: Annotated[
        str, typer.Argument(metavar="A", help="A file, a git revision, or REVISION:path.", show_default=False)
    ],
    after: Annotated[
        str | None, typer.Argument(metavar="[B]", help="The same; the catalogue as it is now when not given.")
    ] = None,
    file: FileOption = CATALOGUE,
    stack: StackOption = STACK,
    as_json: JsonOption = False,
) -> None:
    """Show what changes from one catalogue to another, and what rolls."""
    from fleet.comparing import compare

    comparison = compare(_draft(before, file, stack), _draft(after or str(file), file, stack))
    if as_json:
        print_json(comparison)
        return

    from fleet.comparison_text import comparison_lines

    print_lines(comparison_lines(comparison))


def _draft(named: str, file: "Path", stack: str) -> "Draft":
    """One of the two sides, with the environment's settings of the same revision.

    Raises: UsageError when there is no such file or revision, CatalogueError when it has findings.
    """
    from fleet.cli.loading import draft
    from fleet.loading import finish
    from fleet.revisions import open_version

    with open_version(named, catalogue=file) as version:
        drafted = draft(version.path, stack, shown_as=version.shown_as, explain=True)
    finish(drafted)
    return drafted
