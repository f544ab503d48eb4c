"""`fleet plan`."""

from fleet.cli.answers import print_json
from fleet.cli.options import CATALOGUE, STACK, FileOption, JsonOption, NameOption, StackOption


def plan(
    file: FileOption = CATALOGUE,
    stack: StackOption = STACK,
    name: NameOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what would be deployed, and why each number is what it is."""
    from fleet.cli.loading import load

    derived = load(file, stack, name)
    if as_json:
        print_json(derived)
        return

    from rich.console import Console

    from fleet.rendering import plan_tables

    console = Console()
    for table in plan_tables(derived):
        console.print(table)
