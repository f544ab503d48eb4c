"""The options that commands share: one spelling, one help text."""

from pathlib import Path
from typing import Annotated

import typer

from fleet.cli.completing import complete_stacks

CATALOGUE = Path("queues.yaml")
STACK = "local"

FileOption = Annotated[Path, typer.Option("--file", "-f", help="The catalogue.", metavar="FILE")]
StackOption = Annotated[
    str,
    typer.Option(
        "--stack",
        "-s",
        help="Environment: local, dev, staging, prod, or your own.",
        metavar="ENV",
        autocompletion=complete_stacks,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
NameOption = Annotated[
    str | None, typer.Option("--name", help="Name of the fleet: its namespace and vhost.", metavar="NAME")
]
PrometheusOption = Annotated[
    str | None,
    typer.Option(
        "--prometheus",
        metavar="URL",
        envvar="FLEET_PROMETHEUS",
        show_envvar=False,
        help="Ask this Prometheus, else that in FLEET_PROMETHEUS; a bearer token comes from FLEET_PROMETHEUS_TOKEN.",
    ),
]
