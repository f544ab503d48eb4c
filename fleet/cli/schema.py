"""`fleet schema`."""

from typing import Annotated

import typer

from fleet.cli.answers import write_file
from fleet.cli.options import CATALOGUE, FileOption


def schema(
    file: FileOption = CATALOGUE,
    write: Annotated[
        bool, typer.Option("--write", help="Write queues.schema.json beside the catalogue instead of printing it.")
    ] = False,
) -> None:
    """Print the JSON Schema of the catalogue, for editors."""
    from fleet.schema import FILE_NAME, schema_text

    if write:
        path = file.parent / FILE_NAME
        write_file(path, schema_text())
        typer.echo(path)
    else:
        typer.echo(schema_text(), nl=False)
