"""`fleet check`."""

import typer

from fleet.cli.answers import print_json
from fleet.cli.options import CATALOGUE, STACK, FileOption, JsonOption, StackOption


def check(file: FileOption = CATALOGUE, stack: StackOption = STACK, as_json: JsonOption = False) -> None:
    """Check the catalogue; every finding comes in one run."""
    from fleet.cli.loading import load

    derived = load(file, stack)
    if as_json:
        print_json({"findings": []})
    else:
        typer.echo(f"{file}: {len(derived.queues)} queues fit the environment {stack}.")
