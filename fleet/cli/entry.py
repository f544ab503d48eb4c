"""The commands of `fleet`, in the groups and the order in which the help shows them."""

import gc
import os
from collections.abc import Callable
from typing import Annotated, Any

import typer

from fleet.cli.answers import FleetCommand
from fleet.cli.check import check
from fleet.cli.cost import cost
from fleet.cli.diff import diff
from fleet.cli.dlq import dlq
from fleet.cli.init import init
from fleet.cli.measure import measure
from fleet.cli.plan import plan
from fleet.cli.route import route
from fleet.cli.schema import schema
from fleet.cli.simulate import simulate
from fleet.cli.status import status
from fleet.cli.why import why

GROUPS: dict[str, tuple[Callable[..., Any], ...]] = {
    "See what follows from the catalogue": (plan, why, cost, route, diff),
    "Write and check it": (init, check, simulate, schema),
    "Look after what runs": (status, measure),
}
"""Heading in the help -> its commands."""

COMMAND_GROUPS: dict[str, tuple[typer.Typer, ...]] = {"Look after what runs": (dlq,)}
"""Heading in the help -> commands that have commands of their own."""

GARBAGE_THRESHOLD = 200_000
"""Objects that are made before the first look for garbage; Python's own 700 suits programs that run for long."""

app = typer.Typer(
    name="fleet",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
)

for _group, _commands in GROUPS.items():
    for _command in _commands:
        app.command(cls=FleetCommand, rich_help_panel=_group)(_command)

for _group, _typers in COMMAND_GROUPS.items():
    for _typer in _typers:
        app.add_typer(_typer, rich_help_panel=_group)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"fleet {version('celery-fleet')}")
        raise typer.Exit


@app.callback()
def _options(
    _version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Say what you know about each queue in queues.yaml; see everything else derived, with the reason of each number."""


def main() -> None:
    """Entry point of the installed program and of `python -m fleet`."""
    # A sixth of the time of `fleet plan` would go into looking for garbage among classes and functions that live until the end.
    gc.set_threshold(GARBAGE_THRESHOLD)
    # Pydantic would read the metadata of every installed package in search of plugins: a tenth of the time of `fleet plan`, and none are of use here.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    app()
