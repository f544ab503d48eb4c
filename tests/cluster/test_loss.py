"""Work that was accepted survives the pod that held it."""

import uuid

import pytest

from tests.cluster.running_fleet import RunningFleet, enqueue, eventually
from tests.cluster.sample_tasks import TASK_OF_QUEUE, arguments

pytestmark = pytest.mark.cluster

THUMBNAILS = 40
REPORT_SECONDS = 12.0


def _busy_pod(fleet: RunningFleet, deployment: str, task_id: str) -> str | None:
    """The pod whose worker says that it has the task."""
    for item in fleet.objects("pods", "-l", f"app.kubernetes.io/name={deployment}"):
        name = str(item["metadata"]["name"])
        if task_id in fleet.kubectl("logs", name, check=False):
            return name
    return None


def _kill(fleet: RunningFleet, pod: str) -> None:
    """As a node that dies: no warning, no grace."""
    fleet.kubectl("delete", "pod", pod, "--grace-period=0", "--force", "--wait=false")


def test_a_task_in_hand_of_a_killed_pod_is_done_by_another(fleet: RunningFleet) -> None:
    """The broker takes the delivery back and gives it to the pod that replaces the lost one."""
    task = fleet.enqueue(
        TASK_OF_QUEUE["reports"], kwargs=arguments("reports", uuid.uuid4().hex, seconds=REPORT_SECONDS)
    )
    pod = eventually(
        lambda: _busy_pod(fleet, "worker-reports", task), within_seconds=90, waiting_for=f"a pod that runs task {task}"
    )
    _kill(fleet, pod)
    assert fleet.result(task, within_seconds=150)["state"] == "SUCCESS"


def test_no_task_of_a_burst_is_lost_with_a_pod(fleet: RunningFleet) -> None:
    """Tasks that waited, that were prefetched and that ran are all done in the end."""
    with fleet.http() as client:
        tasks = [
            enqueue(client, TASK_OF_QUEUE["thumbnails"], kwargs=arguments("thumbnails", f"burst-{number}", large=True))
            for number in range(THUMBNAILS)
        ]
    pods = fleet.objects("pods", "-l", "app.kubernetes.io/name=worker-thumbnails")
    for item in pods:
        _kill(fleet, item["metadata"]["name"])
    for task in tasks:
        assert fleet.result(task, within_seconds=150)["state"] == "SUCCESS"
