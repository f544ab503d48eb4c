"""The tests that need the real engine and a real cluster, on a sandbox that is left as it was found.

A sandbox that runs already is used and stays; one that was started for the tests is stopped after them, whatever their outcome.
"""

import sys
from collections.abc import Mapping, Sequence

from ops import sandbox_cli
from ops.processes import run_visibly
from ops.target import ROOT, own_environment

MARKED = "engine or cluster"
SLOWEST_SHOWN = 25
"""Tests and fixtures whose time is told: where the minutes of `make test` go."""

ALLOWED = {"FLEET_ENGINE_TESTS": "1", "FLEET_CLUSTER_TESTS": "1"}
"""Without these the marked tests are skipped: a plain `pytest` must not reach for a cluster."""


def run_cluster_tests(environ: Mapping[str, str], arguments: Sequence[str] = ()) -> int:
    """pytest's exit code."""
    base = own_environment(environ)
    was_running = sandbox_cli.read_status(base, ROOT).get("state") in {"ready", "degraded"}
    try:
        sandbox_cli.start(base, ROOT)
        whole = {**base, **sandbox_cli.variables(base, ROOT), **ALLOWED}
        command = [sys.executable, "-m", "pytest", "-m", MARKED, f"--durations={SLOWEST_SHOWN}", *arguments]
        return run_visibly(command, env=whole, cwd=str(ROOT))
    finally:
        if not was_running:
            sandbox_cli.stop(base, ROOT)
