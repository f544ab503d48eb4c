"""`python -m ops test`: which runs of pytest it makes, and which tests stay together in them."""

import re

from ops.target import ROOT
from ops.testing import runs
from tests.groups import ALONE, FIRST, SHARED_FLEET, TOGETHER, group_of

TAKES_THE_FLEET = re.compile(r"^def \w+\([^)]*\bfleet: RunningFleet\b", re.MULTILINE)
ONLY_LOOK = {"test_eks_dev", "test_once", "test_scale_in", "test_second_fleet"}
"""They take its images over, or read where its results are."""


def test_the_whole_runs_side_by_side_and_then_what_has_to_be_alone() -> None:
    """Together every marked test, none of them twice."""
    beside, alone = runs([])
    assert beside[:2] == ("-m", "(engine or cluster) and not alone")
    assert "loadgroup" in beside
    assert alone == ("-m", "(engine or cluster) and alone")


def test_what_is_asked_for_by_name_runs_as_it_is_asked_for() -> None:
    """In one process, with the words of the caller."""
    assert runs(["tests/cluster/test_scaling.py", "-x"]) == (
        ("-m", "engine or cluster", "tests/cluster/test_scaling.py", "-x"),
    )


def test_whoever_uses_the_shared_fleet_does_so_in_its_turn() -> None:
    """A test that waits for quiet queues would not see them while another one sends tasks: a new file is added to `tests.groups`."""
    files = {
        path.stem
        for path in (ROOT / "tests/cluster").rglob("test_*.py")
        if TAKES_THE_FLEET.search(path.read_text(encoding="utf-8"))
    }
    assert {file for file in files - ALONE.keys() if group_of(f"{file}.py::test") != SHARED_FLEET} == ONLY_LOOK


def test_a_group_that_begins_first_is_one() -> None:
    """A file that was renamed would be waited for at the end."""
    files = {path.stem for path in (ROOT / "tests").rglob("test_*.py")}
    assert set(FIRST) <= files | set(TOGETHER.values())
