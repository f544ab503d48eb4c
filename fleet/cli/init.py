"""`fleet init`."""

from pathlib import Path
from typing import Annotated

import typer

from fleet.cli.answers import print_json, write_file
from fleet.cli.options import CATALOGUE, JsonOption


def init(
    app: Annotated[str, typer.Option("--app", metavar="MODULE:ATTRIBUTE", help="The Celery application.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="What to write.")] = CATALOGUE,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file if it exists.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Write a commented catalogue for an application that exists."""
    import re

    from fleet.catalogue import APPLICATION_PATTERN
    from fleet.errors import UsageError
    from fleet.inspection import inspect_application
    from fleet.starter import MARK, starter_catalogue

    if re.fullmatch(APPLICATION_PATTERN, app) is None:
        raise UsageError(
            f"application {app!r}", "is not of the form module:attribute", "For example --app shop.celery:app."
        )
    if output.exists() and not force:
        raise UsageError(str(output), "exists", "Name another file with --output, or overwrite it with --force.")
    text = starter_catalogue(inspect_application(app, Path.cwd()))
    write_file(output, text)
    guesses = text.count(f"# {MARK}:")
    if as_json:
        print_json({"file": str(output), "guesses": guesses})
    else:
        typer.echo(
            f"{output}: written, with {guesses} values to correct, each marked {MARK}; `fleet check -f {output} --app` checks it."
        )
