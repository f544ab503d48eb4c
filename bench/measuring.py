"""What the benches share that measure several figures, each of them by its name."""

import argparse
import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from bench.results_file import keep_figures
from fleet.errors import FleetError
from tests.cluster.running_fleet import sandbox_environment


def names_asked(command: str, description: str | None, known: Iterable[str], *, purpose: str) -> list[str]:
    """Those that the command line names, in the order of `known`; `all` names each."""
    names = list(known)
    parser = argparse.ArgumentParser(prog=command, description=description)
    parser.add_argument("figure", nargs="+", choices=[*names, "all"], help=purpose)
    asked = parser.parse_args().figure
    return [name for name in names if name in asked or "all" in asked]


def running_environment() -> dict[str, str]:
    """Where versions are read: the running sandbox, or what is on PATH where none runs, after a measurement that ended with it stopped, say."""
    try:
        return sandbox_environment()
    except FleetError:
        return dict(os.environ)


def measure_each(
    name: str,
    command: str,
    measurements: Mapping[str, Callable[[], Mapping[str, Any]]],
    environment: Callable[[], Mapping[str, str]],
) -> None:
    """One after the other; each goes into the results file as soon as it is known. `environment` is asked where versions are read, after each."""
    for measured, measure in measurements.items():
        print(f"measuring {measured}", flush=True)
        figures = measure()
        path = keep_figures(name, command, environment(), figures)
        for figure, value in figures.items():
            print(f"  {figure}: {value}")
        print(f"  kept in {path}", flush=True)
