"""`fleet measure`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fleet.cli.answers import EXIT_FINDINGS, print_json, print_lines
from fleet.cli.options import CATALOGUE, STACK, FileOption, JsonOption, NameOption, PrometheusOption, StackOption

if TYPE_CHECKING:
    from collections.abc import Callable

    from fleet.environment import Environment
    from fleet.measure.consequences import Simulate
    from fleet.measure.observation import Look
    from fleet.plan import Plan

WINDOW_SECONDS_MAX = 30 * 86_400


def measure(
    *,
    prometheus: PrometheusOption = None,
    window: Annotated[str, typer.Option("--window", metavar="TIME", help="How far back, of a Prometheus.")] = "24h",
    worker: Annotated[
        list[str] | None,
        typer.Option("--worker", metavar="URL", help="Ask this worker instead, since its start. Repeatable."),
    ] = None,
    during: Annotated[
        str | None, typer.Option("--for", metavar="TIME", help="Of workers, what happens from now on for so long.")
    ] = None,
    scrape: Annotated[
        list[Path] | None,
        typer.Option("--scrape", metavar="FILE", help="What a worker's /metrics said, kept in a file. Repeatable."),
    ] = None,
    write: Annotated[bool, typer.Option("--write", help="Change the catalogue; its comments stay.")] = False,
    file: FileOption = CATALOGUE,
    stack: StackOption = STACK,
    name: NameOption = None,
    as_json: JsonOption = False,
) -> None:
    """Hold the measured against the declared; propose the change.

    Exit code 0 whether something differs or not, 1 when the changed catalogue would not pass `fleet check`.
    """
    from msgspec import structs

    from fleet.cli.loading import draft, named_environment
    from fleet.cli.progress import progress
    from fleet.editing import write_changed
    from fleet.loading import finish
    from fleet.measure.answer import answer
    from fleet.measure.proposing import propose

    drafted = draft(file, stack, name, explain=True)
    plan = finish(drafted)
    catalogue = drafted.catalogue
    if catalogue is None:
        raise RuntimeError("a plan without a catalogue")
    look = (
        _workers(plan, worker or [], during, scrape or [])
        if worker or scrape
        else _prometheus(plan, prometheus, window, during)
    )
    environment = named_environment(file, stack)
    with progress(None) as tick:
        found, proposal = answer(
            drafted,
            environment,
            look,
            lambda measured: propose(file, drafted.source, catalogue.queues, measured),
            simulate=_simulation(environment, tick),
        )
    if write and proposal.files and not found.findings:
        write_changed(proposal.files)
        found = structs.replace(found, written=tuple(map(str, proposal.files)))
    if as_json:
        print_json(found)
    else:
        from fleet.measure.report_lines import report_lines
        from fleet.tables import find_screen

        print_lines(report_lines(found, find_screen()))
    if found.findings:
        raise SystemExit(EXIT_FINDINGS)


def _simulation(environment: "Environment", tick: "Callable[[str], None]") -> "Simulate | None":
    """How promises are tried out; None without numpy."""
    from importlib.util import find_spec

    if find_spec("numpy") is None:
        return None
    from fleet.measure.simulating import simulate_plan_of

    return lambda planned, actual: simulate_plan_of(planned, actual, environment, tick)


def _prometheus(plan: "Plan", address: str | None, window: str, during: str | None) -> "Look":
    """What a Prometheus has seen.

    Raises: UsageError when none is named.
    """
    import time

    from fleet.errors import UsageError
    from fleet.measure.asking import check_address
    from fleet.measure.prometheus import look_at_prometheus

    if address is None:
        raise UsageError(
            "fleet measure",
            "has nobody to ask",
            "Add --prometheus URL, --worker URL of a worker's port `metrics`, or --scrape FILE.",
        )
    if during is not None:
        raise UsageError(f"--for {during}", "is for --worker", "Of a Prometheus, --window says how far back.")
    seconds = _seconds("--window", window)
    return look_at_prometheus(check_address(address, "--prometheus"), plan, window_seconds=seconds, now=time.time())


def _workers(plan: "Plan", workers: list[str], during: str | None, files: list[Path]) -> "Look":
    import sys
    import time
    from importlib.util import find_spec

    from fleet.errors import FleetError, UsageError

    if find_spec("prometheus_client") is None:
        raise FleetError(
            "fleet measure",
            "needs prometheus-client to read workers, which is not installed here",
            "Install it with the extra `measure`: pip install 'celery-fleet[measure]', or ask a Prometheus.",
        )
    from fleet.measure.asking import check_address
    from fleet.measure.observation import Look
    from fleet.measure.scrapes import between, observe, read_file, read_worker

    addresses = [check_address(url, "--worker") for url in workers]
    if during is not None and files:
        raise UsageError(f"--for {during}", "is for --worker alone: a file does not change", "Leave one of them out.")
    seconds = None if during is None else _seconds("--for", during)
    samples = [*map(read_worker, addresses), *map(read_file, files)]
    names = ", ".join([*addresses, *map(str, files)])
    source = f"{names}, since the workers' start"
    began = time.monotonic()
    if seconds is not None:
        if sys.stderr.isatty():
            sys.stderr.write(f"looking again in {during}\n")
        time.sleep(seconds)
        samples = [between(first, read_worker(url)) for first, url in zip(samples, addresses, strict=True)]
        seconds, source = time.monotonic() - began, f"{names}, for {during}"
    seen = observe(samples, ended_at=time.time(), seconds=seconds)
    known = {queue.name for queue in plan.queues}
    if not known & set(seen):
        told = ", ".join(seen) or "none"
        raise FleetError(names, f"tells of no queue of the catalogue: {told}", "Name the catalogue of this fleet: -f.")
    return Look(source=source, seconds=seconds, queues={name: one for name, one in seen.items() if name in known})


def _seconds(option: str, text: str) -> float:
    """A time of whole seconds.

    Raises: UsageError for anything else.
    """
    from fleet.errors import UsageError
    from fleet.units import parse_duration_seconds

    try:
        seconds = parse_duration_seconds(text)
    except ValueError as error:
        raise UsageError(option, str(error), "For example 24h or 7d.") from None
    if not 1 <= seconds <= WINDOW_SECONDS_MAX or seconds % 1:
        raise UsageError(f"{option} {text}", "is out of range", "Write whole seconds, from 1s to 30d.")
    return seconds
