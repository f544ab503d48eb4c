"""The tests that need the real engine and a real cluster, on a sandbox that is left as it was found.

Most of their time is waiting, so the whole of them runs in groups side by side, and after those, one after the other, the tests that have to be
alone. What is asked for by name runs as it is asked for. A sandbox that runs already is used and stays; one that was started for the tests is
stopped after them, whatever their outcome.
"""

import os
import sys
import tempfile
from collections.abc import Mapping, Sequence

from ops import sandbox_cli
from ops.processes import run_visibly
from ops.target import ROOT, own_environment

MARKED = "engine or cluster"
SLOWEST_SHOWN = 25
"""Tests and fixtures whose time is told: where the minutes of `make test` go."""

PYTEST = (sys.executable, "-m", "pytest", f"--durations={SLOWEST_SHOWN}")

ALLOWED = {"FLEET_ENGINE_TESTS": "1", "FLEET_CLUSTER_TESTS": "1"}
"""Without these the marked tests are skipped: a plain `pytest` must not reach for a cluster."""

RUN_VARIABLE = "FLEET_TEST_RUN"
"""Folder in which the processes of one run tell each other whose the fleet is."""


def run_cluster_tests(environ: Mapping[str, str], arguments: Sequence[str] = ()) -> int:
    """pytest's exit code; that of the first of the runs that failed."""
    base = environment_of_tests(environ)
    was_running = sandbox_cli.read_status(base, ROOT).get("state") in {"ready", "degraded"}
    try:
        sandbox_cli.start(base, ROOT)
        whole = {**base, **sandbox_cli.variables(base, ROOT), **ALLOWED}
        with tempfile.TemporaryDirectory(prefix="fleet-tests-") as folder:
            shared = whole if arguments else {**whole, RUN_VARIABLE: folder}
            # All of them, whatever the first one found: a failure hides no other.
            codes = [run_visibly([*PYTEST, *words], env=shared, cwd=str(ROOT)) for words in runs(arguments)]
        return next((code for code in codes if code), 0)
    finally:
        if not was_running:
            sandbox_cli.stop(base, ROOT)


def environment_of_tests(environ: Mapping[str, str]) -> dict[str, str]:
    """The user's, but Python may keep bytecode: without it every run of a program compiles two hundred modules anew."""
    return {name: value for name, value in own_environment(environ).items() if name != "PYTHONDONTWRITEBYTECODE"}


def runs(arguments: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """The words of each run of pytest.

    Side by side run the groups of `tests/groups.py`, one more at a time than there are cores, in their order.
    """
    if arguments:
        return (("-m", MARKED, *arguments),)
    processes = (os.cpu_count() or 1) + 1
    beside = ("-v", "-n", str(processes), "--dist", "loadgroup", "--no-loadscope-reorder")
    return (("-m", f"({MARKED}) and not alone", *beside), ("-m", f"({MARKED}) and alone"))
