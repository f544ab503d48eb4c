"""`fleet route`."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from fleet.cli.answers import EXIT_FINDINGS, print_json, print_lines
from fleet.cli.completing import complete_tasks
from fleet.cli.options import CATALOGUE, FileOption, JsonOption

if TYPE_CHECKING:
    from fleet.routing import Route


def route(
    tasks: Annotated[
        list[str],
        typer.Argument(
            help="Names of tasks, such as shop.tasks.send.", metavar="TASK...", autocompletion=complete_tasks
        ),
    ],
    file: FileOption = CATALOGUE,
    as_json: JsonOption = False,
) -> None:
    """Show which queue a task goes to, and why."""
    from fleet.cli.loading import load_catalogue
    from fleet.routing import route_task

    catalogue, source = load_catalogue(file)
    found = [route_task(catalogue, task, source) for task in tasks]
    if as_json:
        print_json(found)
    else:
        print_lines(line for route in found for line in _lines(route))
    if any(route.queue is None for route in found):
        raise typer.Exit(EXIT_FINDINGS)


def _lines(route: "Route") -> Iterator[str]:
    if route.queue is None:
        yield f"{route.task} -> no queue: no pattern takes it, and a publish of it is refused"
        if route.nearest:
            yield f"  nearest: {', '.join(route.nearest)}"
        return
    yield f"{route.task} -> {route.queue}"
    yield f"  pattern {route.pattern} ({route.place})"
    yield f"  exchange {route.exchange}, routing key {route.routing_key}"
    if route.shard_rule:
        yield f"  shard {' or '.join(route.shards)}: {route.shard_rule}"
    given = f"by {route.priority_pattern}" if route.priority_pattern else "the default"
    yield f"  priority {route.priority}, {given}"
    if route.ingress:
        yield f"  other publishers: {', '.join(route.ingress)}"
