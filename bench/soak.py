"""Every fault on a fleet under load, one after the other: `python -m bench.soak` (or some of them by name), which is what `make soak` runs.

The fleet is one of three broker nodes in the sandbox, which is started where it does not run and then stopped again. Each fault's counts go into
`bench/results/faults.json` as soon as they are known, and the table into docs/explanation/faults.md.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.results_file import keep_figures, load_figures
from bench.soak_table import NAME, write_document
from fleet.errors import FleetError
from ops import sandbox_cli
from ops.target import ROOT, own_environment
from tests.cluster.faults.fault import Fault, run_fault, violations
from tests.cluster.faults.stage import Stage
from tests.cluster.faults.staging import staged
from tests.cluster.faults.table import FAULTS
from tests.cluster.running_fleet import sandbox_environment

COMMAND = "python -m bench.soak"
EXIT_VIOLATED = 1


@contextmanager
def _sandbox() -> Iterator[bool]:
    """A running one, left as it was found; whether it ran before."""
    base = own_environment(os.environ)
    was_running = sandbox_cli.read_status(base, ROOT).get("state") in {"ready", "degraded"}
    try:
        sandbox_cli.start(base, ROOT)
        yield was_running
    finally:
        if not was_running:
            sandbox_cli.stop(base, ROOT)


def _run(stage: Stage, fault: Fault) -> list[str]:
    """What was violated; the figures are kept either way."""
    print(f"{fault.name}: {fault.says}", flush=True)
    try:
        outcome = run_fault(stage, fault)
    except AssertionError as error:
        # The others can be told all the same.
        print(f"  VIOLATED: {error}", flush=True)
        return [str(error)]
    violated = list(violations(fault, outcome))
    figures = outcome.figures()
    before = load_figures(NAME).get(fault.name, {})
    runs = 0 if violated else int(before.get("runs_without_violation", 0)) + 1
    keep_figures(
        NAME, COMMAND, stage.fleet.environment, {fault.name: {**figures, "runs_without_violation": runs}}
    )  # fmt: skip
    write_document()
    print(f"  {_line(figures)} ({outcome.seconds:g} s)", flush=True)
    for problem in violated:
        print(f"  VIOLATED: {problem}", flush=True)
    return violated


def _line(figures: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in figures.items() if value or name == "lost")


def main() -> int:
    """The exit code."""
    names = [fault.name for fault in FAULTS]
    parser = argparse.ArgumentParser(prog=COMMAND, description=__doc__)
    parser.add_argument("fault", nargs="*", choices=[*names, []], help="only these; else all", metavar="FAULT")
    asked = parser.parse_args().fault or names
    try:
        with (
            _sandbox() as was_running,
            tempfile.TemporaryDirectory(prefix="soak-") as folder,
            staged(sandbox_environment(), Path(folder), destroy=was_running) as stage,
        ):
            violated = [fault.name for fault in FAULTS if fault.name in asked and _run(stage, fault)]
    except FleetError as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_VIOLATED
    if violated:
        sys.stderr.write(f"violated: {', '.join(violated)}\n")
        return EXIT_VIOLATED
    print(f"{len(asked)} faults, nothing lost")
    return 0


if __name__ == "__main__":
    sys.exit(main())
