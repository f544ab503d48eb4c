"""The figures of the first fleet, measured one by one or all together: `python -m bench.first_fleet zero memory`.

Each figure goes into `bench/results/first-fleet.json` as soon as it is known, so an interrupted run keeps what it had.
"""

import argparse
import os
from collections.abc import Callable
from typing import Any

from bench import starts
from bench.from_zero import zero
from bench.memory import memory
from bench.previews import preview
from bench.results_file import keep_figures
from fleet.errors import FleetError
from tests.cluster.running_fleet import running_fleet, sandbox_environment

NAME = "first-fleet"


def _zero() -> dict[str, Any]:
    with running_fleet(sandbox_environment()) as fleet:
        return zero(fleet)


MEASUREMENTS: dict[str, Callable[[], dict[str, Any]]] = {
    "cold": starts.cold,
    "warm": starts.warm,
    "second": starts.second,
    "zero": _zero,
    "preview": lambda: preview(sandbox_environment()),
    "memory": memory,
}


def _environment() -> dict[str, str]:
    """Where the versions are read: the running sandbox, or what is on PATH after a measurement that ended with it stopped."""
    try:
        return sandbox_environment()
    except FleetError:
        return dict(os.environ)


def main() -> None:
    """Measure what was asked for, in the order that lets each find what it needs."""
    parser = argparse.ArgumentParser(prog="python -m bench.first_fleet", description=__doc__)
    parser.add_argument("figure", nargs="+", choices=[*MEASUREMENTS, "all"], help="what to measure")
    asked = parser.parse_args().figure
    chosen = [name for name in MEASUREMENTS if name in asked or "all" in asked]
    for name in chosen:
        print(f"measuring {name}", flush=True)
        figures = MEASUREMENTS[name]()
        command = "python -m bench.first_fleet all"
        path = keep_figures(NAME, command, _environment(), figures)
        for figure, value in figures.items():
            print(f"  {figure}: {value}")
        print(f"  kept in {path}", flush=True)


if __name__ == "__main__":
    main()
