"""The figures of the first fleet, measured one by one or all together: `python -m bench.first_fleet zero memory`.

Each figure goes into `bench/results/first-fleet.json` as soon as it is known, so an interrupted run keeps what it had.
"""

import os
from collections.abc import Callable
from typing import Any

from bench import starts
from bench.from_zero import zero
from bench.measuring import measure_each, names_asked
from bench.memory import memory
from bench.previews import preview
from fleet.errors import FleetError
from tests.cluster.running_fleet import running_fleet, sandbox_environment

NAME = "first-fleet"
COMMAND = "python -m bench.first_fleet"


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
    asked = names_asked(COMMAND, __doc__, MEASUREMENTS, purpose="what to measure")
    measure_each(NAME, f"{COMMAND} all", {name: MEASUREMENTS[name] for name in asked}, _environment)


if __name__ == "__main__":
    main()
