"""One running fleet for every test of this folder, as `python -m ops up` makes it.

Invariant: a fleet that was up before stays up, one that was not is taken down again, and the work tree is as it was found. Of the processes of one
run of `python -m ops test` the first that needs the fleet makes it, and the last run takes it down.
"""

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from fleet.errors import FleetError
from ops import forwarding, state
from ops.testing import RUN_VARIABLE
from tests.cluster import letters
from tests.cluster.brokers import Broker, DeclaredFleet, broker_at, broker_of, declared, named_broker, plan_of
from tests.cluster.pools import catalogue_of_pools
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


def work_tree_changes() -> set[str]:
    """The files that `git status` tells of; none where there is no git or no repository.

    Sources are left out: no command writes one, and people may go on writing them while the tests run.
    """
    if shutil.which("git") is None:
        return set()
    command = ["git", "status", "--porcelain", "--untracked-files=all"]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False).stdout
    return {line for line in said.splitlines() if not line.endswith((".py", ".md"))}


def _ops(verb: str, timeout: float) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ops", verb], cwd=ROOT, capture_output=True, text=True, timeout=timeout, check=False
    )
    assert done.returncode == 0, f"python -m ops {verb} failed:\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"


def _is_up(environment: Mapping[str, str]) -> bool:
    """Whether a fleet answers in this sandbox."""
    try:
        with running_fleet(environment) as fleet:
            ready = fleet.kubectl("get", "deployment", "web", "-o", "jsonpath={.status.readyReplicas}", check=False)
            return bool(ready.strip("0 \n"))
    except (OSError, subprocess.TimeoutExpired):
        return False


def _sandbox_if_running() -> dict[str, str] | None:
    try:
        return sandbox_environment()
    except FleetError:
        return None


def _destroy(fleet: RunningFleet) -> None:
    """Takes away what `python -m ops up` made in a sandbox that somebody else had started."""
    forwarding.end_all(state.state_folder(fleet.environment))
    for words in (("destroy", "--yes", "--skip-preview"), ("stack", "rm", "--yes", "--preserve-config")):
        done = fleet.pulumi(*words, timeout=DOWN_SECONDS)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


@contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    """A block that no other process of the run is in."""
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _up(sandbox: Mapping[str, str] | None) -> bool:
    """Whether a fleet was up, which it is afterwards."""
    found_up = sandbox is not None and _is_up(sandbox)
    # Also where a fleet is up: it may be that of an older checkout.
    _ops("up", UP_SECONDS)
    return found_up


def _up_for_all(sandbox: Mapping[str, str] | None, folder: Path) -> bool:
    """The same, found out once for all processes of a run."""
    record = folder / "fleet"
    with _one_at_a_time(folder):
        if not record.exists():
            record.write_text("found" if _up(sandbox) else "made")
    return record.read_text() == "found"


@pytest.fixture(scope="session")
def fleet() -> Iterator[RunningFleet]:
    """The fleet of `queues.yaml` in the local environment, running."""
    before = work_tree_changes()
    sandbox = _sandbox_if_running()
    shared = os.environ.get(RUN_VARIABLE)
    found_up = _up_for_all(sandbox, Path(shared)) if shared else _up(sandbox)
    others_need_it = "PYTEST_XDIST_WORKER" in os.environ
    with running_fleet(sandbox or sandbox_environment()) as running:
        yield running
        if sandbox is not None and not found_up and not others_need_it:
            _destroy(running)
    if sandbox is None and not others_need_it:
        _ops("down", DOWN_SECONDS)
    assert work_tree_changes() <= before, "the tests or the commands they ran changed the work tree"


@pytest.fixture(scope="module")
def broker(request: pytest.FixtureRequest) -> Iterator[Broker]:
    """The broker of the running fleet, or the one that `FLEET_TEST_BROKER` names."""
    address = named_broker()
    opened = broker_at(address) if address else broker_of(request.getfixturevalue("fleet"))
    with opened as found:
        yield found


@pytest.fixture(scope="module")
def pools(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeclaredFleet]:
    """A fleet in the broker with a queue for each pool."""
    with declared(broker, plan_of(catalogue_of_pools(), tmp_path_factory.mktemp("pools"))) as found:
        yield found


@pytest.fixture
def fleet_of_letters(broker: Broker, tmp_path: Path) -> Iterator[letters.Fleet]:
    """A fleet whose queues give messages up, with its catalogue beside it."""
    with declared(broker, plan_of(letters.CATALOGUE, tmp_path)) as found:
        yield letters.Fleet(declared=found, catalogue=tmp_path / "queues.yaml")
