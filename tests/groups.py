"""Which of the tests on an engine or a cluster run side by side: the groups of `python -m ops test`, and their order.

Invariant: the tests of one group run one after the other in one process; those of two groups may run at once. So what two tests both change (the
queues and the stack of the shared fleet) they change in one group, and what all the others use is changed only by those that are alone. The groups
are ours because those of pytest-xdist 3.8 (`xdist_group`) have no effect with pytest 9.2, where the identifier of a test can no longer be written
over; its documentation says to derive a scheduler then.
"""

from pathlib import PurePosixPath

import pytest
from xdist.scheduler import LoadScopeScheduling

ALONE = {
    "test_broker_tls": "it takes the broker of the shared fleet to another protocol",
    "test_scaling": "it compares moments",
}
"""File -> why nothing may run beside its tests."""

SHARED_FLEET = "shared fleet"
"""They send tasks to its queues, count them, kill its pods, or wait until nothing happens any more."""

OTHER_FLEETS = "other fleets"
"""They bring brokers of their own: beside the shared fleet the node of two cores has room for one at a time."""

API_SERVER = "api server"
"""They start one together."""

TOGETHER = {
    "test_changes": SHARED_FLEET,
    "test_idempotency": SHARED_FLEET,
    "test_loss": SHARED_FLEET,
    "test_objects": SHARED_FLEET,
    "test_monitoring": SHARED_FLEET,
    "test_page": SHARED_FLEET,
    "test_tasks": SHARED_FLEET,
    "test_eks_dev": OTHER_FLEETS,
    "test_faults": OTHER_FLEETS,
    "test_rabbitmq_operators": OTHER_FLEETS,
    "test_second_fleet": OTHER_FLEETS,
    "test_managed_results": API_SERVER,
    "test_node_groups": API_SERVER,
    "test_pulumi_engine": API_SERVER,
}
"""File -> its group; the tests of any other file are a group of their own."""

FIRST = (OTHER_FLEETS, SHARED_FLEET, "test_environments", API_SERVER, "test_dlq", "test_sandbox_lifecycle")
"""What takes minutes begins first, the longest before all, so that nobody waits for it at the end."""


def file_of(nodeid: str) -> str:
    """The name of the test's file."""
    return PurePosixPath(nodeid.partition("::")[0]).stem


def group_of(nodeid: str) -> str:
    """The group of a test."""
    file = file_of(nodeid)
    return TOGETHER.get(file, file)


def long_groups_first(items: list[pytest.Item]) -> None:
    """The order in which the groups begin; otherwise that of the files."""
    place = {group: number for number, group in enumerate(FIRST)}
    items.sort(key=lambda item: place.get(group_of(item.nodeid), len(place)))


class Groups(LoadScopeScheduling):
    """A group is given to a process as a whole, as soon as that has hardly anything left to do."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)
