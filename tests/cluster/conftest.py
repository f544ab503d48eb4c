"""One running fleet for every test of this folder, as `python -m ops up` makes it.

Invariant: a fleet that was up before stays up, one that was not is taken down again, and the work tree is as it was found.
"""

import shutil
import subprocess
import sys
from collections.abc import Iterator

import pytest

from fleet.errors import FleetError
from tests.cluster.running_fleet import ROOT, RunningFleet, running_fleet, sandbox_environment

UP_SECONDS = 60 * 60
"""With empty caches the programs of the sandbox are built first."""

DOWN_SECONDS = 10 * 60
TEST_SECONDS = 420


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Bounds the tests alone: starting the shared fleet has a bound of its own."""
    for item in items:
        if item.get_closest_marker("cluster") and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(TEST_SECONDS, func_only=True))


def work_tree_state() -> str:
    """What `git status` says; empty where there is no git or no repository."""
    if shutil.which("git") is None:
        return ""
    command = ["git", "status", "--porcelain", "--untracked-files=all"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False).stdout


def _ops(verb: str, timeout: float) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ops", verb], cwd=ROOT, capture_output=True, text=True, timeout=timeout, check=False
    )
    assert done.returncode == 0, f"python -m ops {verb} failed:\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"


def _is_up() -> bool:
    """Whether a fleet answers already; a missing sandbox or cluster is a plain no."""
    try:
        with running_fleet(sandbox_environment()) as fleet:
            ready = fleet.kubectl("get", "deployment", "web", "-o", "jsonpath={.status.readyReplicas}", check=False)
            return bool(ready.strip("0 \n"))
    except (FleetError, OSError, subprocess.TimeoutExpired):
        return False


@pytest.fixture(scope="session")
def fleet() -> Iterator[RunningFleet]:
    """The fleet of `queues.yaml` in the local environment, running."""
    before = work_tree_state()
    found_up = _is_up()
    if not found_up:
        _ops("up", UP_SECONDS)
    with running_fleet(sandbox_environment()) as running:
        yield running
    if not found_up:
        _ops("down", DOWN_SECONDS)
    assert work_tree_state() == before, "the tests or the commands they ran changed the work tree"
