"""`fleet schema`."""

from typing import Annotated

import typer

from fleet.cli.answers import write_file
from fleet.cli.options import CATALOGUE, FileOption


def schema(
    *,
    file: FileOption = CATALOGUE,
    write: Annotated[
        bool,
        typer.Option("--write", help="Write both beside the catalogue: queues.schema.json and queues.d.schema.json."),
    ] = False,
    part: Annotated[bool, typer.Option("--part", help="Of a file in queues.d.")] = False,
) -> None:
    """Print the JSON Schema of the catalogue, for editors."""
    from fleet.schema import FILE_NAME, PART_FILE_NAME, catalogue_schema, part_schema, schema_text

    if write:
        for name, content in ((FILE_NAME, catalogue_schema()), (PART_FILE_NAME, part_schema())):
            write_file(file.parent / name, schema_text(content))
            typer.echo(file.parent / name)
    else:
        typer.echo(schema_text(part_schema() if part else catalogue_schema()), nl=False)
