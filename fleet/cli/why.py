"""`fleet why`."""

from typing import Annotated

import typer

from fleet.cli.answers import print_json
from fleet.cli.options import CATALOGUE, STACK, FileOption, JsonOption, StackOption


def why(
    path: Annotated[
        str, typer.Argument(help="A number, such as reports.replicas.max, or the beginning of several.", metavar="PATH")
    ],
    file: FileOption = CATALOGUE,
    stack: StackOption = STACK,
    as_json: JsonOption = False,
) -> None:
    """Show the arithmetic of one derived number, or of all below a path such as `reports` or `reports.replicas`."""
    from fleet.cli.loading import load
    from fleet.errors import FleetError

    derived = load(file, stack)
    found = tuple(reason for reason in derived.reasons if reason.path == path or reason.path.startswith(f"{path}."))
    if not found:
        known = ", ".join(queue.name for queue in derived.queues)
        raise FleetError(
            path,
            "is no derived number",
            f"Begin with a queue ({known}), for example {derived.reasons[0].path}; `fleet plan` lists all.",
        )
    if as_json:
        print_json(found)
        return

    from rich.console import Console

    from fleet.rendering import reason_table

    Console().print(reason_table(found))
