"""Faults seeded into a catalogue as teams have it: each is found where it is, and all of them in one run."""

import pytest

from bench.faults import FAULTS, Fault, find, places


def test_the_catalogue_without_a_fault_has_no_finding() -> None:
    """What is found below is the fault."""
    assert find([]) == []


@pytest.mark.parametrize("fault", [pytest.param(fault, id=fault.says.replace(" ", "-")) for fault in FAULTS])
def test_a_fault_is_found_at_its_place_and_nothing_else_is(fault: Fault) -> None:
    """One finding: file, line, column and key path, with what to write instead."""
    (finding,) = find([fault])
    assert places([finding]) == [fault.place]
    assert finding.problem
    assert finding.fix


def test_all_faults_come_in_one_run_in_file_order() -> None:
    """None hides another; nobody corrects a file one finding at a time."""
    assert places(find(FAULTS)) == [fault.place for fault in FAULTS]
