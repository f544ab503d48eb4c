"""The figures of the first fleet, measured one by one or all together: `python -m bench.first_fleet zero memory`.

Each figure goes into `bench/results/first-fleet.json` as soon as it is known, so an interrupted run keeps what it had.
"""

from collections.abc import Callable
from typing import Any

from bench import starts
from bench.from_zero import zero
from bench.measuring import measure_each, names_asked, running_environment
from bench.memory import memory
from bench.previews import preview
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


def main() -> None:
    """Measure what was asked for, in the order that lets each find what it needs."""
    asked = names_asked(COMMAND, __doc__, MEASUREMENTS, purpose="what to measure")
    measure_each(NAME, f"{COMMAND} all", {name: MEASUREMENTS[name] for name in asked}, running_environment)


if __name__ == "__main__":
    main()
