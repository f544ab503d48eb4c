"""The commands of `fleet`, in the order in which the help shows them."""

import typer

from fleet.cli.answers import FleetCommand
from fleet.cli.check import check
from fleet.cli.plan import plan
from fleet.cli.why import why

app = typer.Typer(
    name="fleet",
    help="Say what you know about each queue in queues.yaml; see everything else derived, with the reason of each number.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

for _command in (plan, check, why):
    app.command(cls=FleetCommand)(_command)


def main() -> None:
    """Entry point of the installed program and of `python -m fleet`."""
    app()
