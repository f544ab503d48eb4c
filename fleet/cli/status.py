"""`fleet status`."""

from typing import TYPE_CHECKING, Annotated

import typer

from fleet.cli.answers import print_json, print_lines
from fleet.cli.options import CATALOGUE, STACK, FileOption, JsonOption, NameOption, PrometheusOption, StackOption

if TYPE_CHECKING:
    from fleet.measure.today import Today
    from fleet.plan import Plan

EVERY_SECONDS = 15.0
"""As often as Prometheus reads the workers."""

HOME_AND_CLEAR = "\x1b[H\x1b[J"
"""To the first line, and nothing below it."""


def status(
    *,
    prometheus: PrometheusOption = None,
    watch: Annotated[bool, typer.Option("--watch", help="Again every 15 seconds, until Ctrl-C.")] = False,
    file: FileOption = CATALOGUE,
    stack: StackOption = STACK,
    name: NameOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show for each queue whether its promise is kept today."""
    from fleet.cli.loading import load
    from fleet.errors import UsageError
    from fleet.measure.asking import check_address

    if watch and as_json:
        raise typer.BadParameter("takes one of --watch and --json at a time")
    plan = load(file, stack, name)
    if prometheus is None:
        raise UsageError("fleet status", "has no Prometheus to ask", "Add --prometheus URL, or set FLEET_PROMETHEUS.")
    address = check_address(prometheus, "--prometheus")
    if watch:
        _watch(plan, address)
    elif as_json:
        print_json(_today(plan, address))
    else:
        _show(_today(plan, address))


def _today(plan: "Plan", address: str) -> "Today":
    from datetime import UTC, datetime

    from fleet.measure.today import look_at_today

    return look_at_today(address, plan, now=datetime.now(UTC).astimezone())


def _show(today: "Today") -> None:
    from fleet.measure.today_lines import today_lines
    from fleet.tables import find_screen

    print_lines(today_lines(today, find_screen()))


def _watch(plan: "Plan", address: str) -> None:
    """Until somebody ends it, which is no error; nor is a look that fails once the first has succeeded."""
    import sys
    import time
    from contextlib import suppress

    from fleet.errors import FleetError
    from fleet.tables import find_screen

    today = _today(plan, address)
    with suppress(KeyboardInterrupt):
        while True:
            sys.stdout.write(HOME_AND_CLEAR if find_screen().terminal else "")
            _show(today)
            sys.stdout.write("\n")
            sys.stdout.flush()
            time.sleep(EVERY_SECONDS)
            try:
                today = _today(plan, address)
            except FleetError as error:
                sys.stderr.write(f"{error}\n")
