"""Four faults on a fleet of three broker nodes under load: nothing that was accepted is lost, and what runs again is counted.

`make soak` runs all of them (`tests.cluster.faults.table`).
"""

from collections.abc import Iterator

import pytest

from tests.cluster.faults.fault import run_fault, violations
from tests.cluster.faults.stage import Stage
from tests.cluster.faults.staging import staged
from tests.cluster.faults.table import IN_CI, fault
from tests.cluster.running_fleet import sandbox_environment

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A fleet of its own, beside whatever runs in the sandbox."""
    with staged(sandbox_environment(), tmp_path_factory.mktemp("faults")) as found:
        yield found


@pytest.mark.parametrize("name", IN_CI)
def test_no_accepted_task_is_lost(stage: Stage, name: str) -> None:
    """Every id that was answered with 202 has its effect; none of `@once` has two; no more than what died held is started again."""
    row = fault(name)
    outcome = run_fault(stage, row)
    assert list(violations(row, outcome)) == [], outcome
