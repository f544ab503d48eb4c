"""The `fleet` command: the plan and its reasons, shown to a person or as JSON.

Exit codes: 0 fine, 1 findings, 2 wrong usage. Nothing here derives anything; it loads, asks and prints.
"""

import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console

from fleet.deriving import FLEET_NAME, load_plan
from fleet.environment import load_environment
from fleet.errors import FleetError
from fleet.plan import Plan
from fleet.rendering import plan_tables, reason_table

EXIT_FINDINGS = 1

app = typer.Typer(
    name="fleet",
    help="Say what you know about each queue in queues.yaml; see everything else derived, with the reason of each number.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

FileOption = Annotated[Path, typer.Option("--file", "-f", help="The catalogue.", metavar="FILE")]
StackOption = Annotated[
    str, typer.Option("--stack", "-s", help="Environment: local, dev, staging, prod, or your own.", metavar="ENV")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
NameOption = Annotated[str, typer.Option("--name", help="Name of the fleet: its namespace and vhost.", metavar="NAME")]

CATALOGUE = Path("queues.yaml")


@app.command()
def plan(
    file: FileOption = CATALOGUE,
    stack: StackOption = "local",
    name: NameOption = FLEET_NAME,
    as_json: JsonOption = False,
) -> None:
    """Show what would be deployed, and why each number is what it is."""
    derived = _load(file, stack, name)
    if as_json:
        _print_json(derived)
        return
    console = Console()
    for table in plan_tables(derived):
        console.print(table)


@app.command()
def check(file: FileOption = CATALOGUE, stack: StackOption = "local", as_json: JsonOption = False) -> None:
    """Check the catalogue against one environment; every finding comes in one run."""
    derived = _load(file, stack, FLEET_NAME, as_json=as_json)
    if as_json:
        sys.stdout.write('{"findings":[]}\n')
    else:
        Console().print(f"{file}: {len(derived.queues)} queues fit the environment {stack}.")


@app.command()
def why(
    path: Annotated[
        str, typer.Argument(help="A number, such as reports.replicas.max, or the beginning of several.", metavar="PATH")
    ],
    file: FileOption = CATALOGUE,
    stack: StackOption = "local",
    as_json: JsonOption = False,
) -> None:
    """Show the arithmetic of one derived number, or of all below a path such as `reports` or `reports.replicas`."""
    derived = _load(file, stack, FLEET_NAME)
    found = tuple(reason for reason in derived.reasons if reason.path == path or reason.path.startswith(f"{path}."))
    if not found:
        known = ", ".join(queue.name for queue in derived.queues)
        raise FleetError(
            path,
            "is no derived number",
            f"Begin with a queue ({known}), for example {derived.reasons[0].path}; `fleet plan` lists all.",
        )
    if as_json:
        sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(found)) + b"\n")
        return
    Console().print(reason_table(found))


def _load(file: Path, stack: str, name: str, *, as_json: bool = False) -> Plan:
    try:
        return load_plan(file, load_environment(file.resolve().parent, stack), fleet=name, shown_as=str(file))
    except FleetError as error:
        findings = getattr(error, "findings", None)
        if as_json and findings is not None:
            sys.stdout.write(msgspec.json.encode({"findings": findings}).decode() + "\n")
            raise SystemExit(EXIT_FINDINGS) from None
        raise


def _print_json(derived: Plan) -> None:
    sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(derived)) + b"\n")


def main() -> None:
    """Entry point: a FleetError ends in its message and exit code 1, never in a traceback."""
    try:
        app()
    except FleetError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(EXIT_FINDINGS) from None


if __name__ == "__main__":
    main()
