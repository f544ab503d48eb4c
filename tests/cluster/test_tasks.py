"""Tasks through the web layer: their results, and what it answers when there is none."""

import uuid

import pytest

from tests.cluster.running_fleet import RunningFleet, eventually
from tests.cluster.sample_tasks import TASK_OF_QUEUE, arguments

pytestmark = pytest.mark.cluster


@pytest.mark.parametrize("queue", TASK_OF_QUEUE)
def test_a_task_of_each_queue_is_done_and_answers(fleet: RunningFleet, queue: str) -> None:
    """Accepted by the web layer, routed by its name, run by that queue's pods (from zero where there are none), answered by id."""
    mark = f"first-{uuid.uuid4().hex[:8]}"
    with fleet.http() as client:
        accepted = client.post(f"/tasks/{TASK_OF_QUEUE[queue]}", json={"kwargs": arguments(queue, mark)})
    assert accepted.status_code == 202, accepted.text
    assert accepted.json()["queue"] == queue
    answer = fleet.result(accepted.json()["id"], within_seconds=90)
    assert answer["state"] == "SUCCESS"
    assert answer["result"]


def test_a_task_with_a_countdown_runs_when_it_is_due_and_not_before(fleet: RunningFleet) -> None:
    """Delayed delivery works on a sharded queue; nothing has consumed the delay tree before."""
    task = fleet.enqueue(TASK_OF_QUEUE["default"], kwargs=arguments("default", "later"), countdown=6)
    with fleet.http() as client:
        assert client.get(f"/tasks/{task}").status_code == 202
    assert fleet.result(task, within_seconds=45)["state"] == "SUCCESS"


def test_an_unknown_task_name_is_not_found(fleet: RunningFleet) -> None:
    """A misspelt name is told to the client and reaches no queue."""
    with fleet.http() as client:
        assert client.post("/tasks/app.tasks.orders.confrim", json={"kwargs": {}}).status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"kwargs": "no mapping"}, id="arguments-of-the-wrong-type"),
        pytest.param({"countdown": -1}, id="countdown-in-the-past"),
        pytest.param({"countdown": 0.2}, id="countdown-below-a-second"),
        pytest.param({"keywords": {}}, id="unknown-field"),
    ],
)
def test_a_body_that_makes_no_sense_is_refused(fleet: RunningFleet, body: dict[str, object]) -> None:
    """Nothing is enqueued that a worker could only fail on."""
    with fleet.http() as client:
        assert client.post(f"/tasks/{TASK_OF_QUEUE['high']}", json=body).status_code == 422


def test_an_unknown_task_id_is_not_found(fleet: RunningFleet) -> None:
    """An id that was never given out is no task that waits."""
    with fleet.http() as client:
        assert client.get(f"/tasks/{uuid.uuid4()}").status_code == 404


def test_a_running_task_is_cancelled(fleet: RunningFleet) -> None:
    """A long report ends soon after its DELETE, and its pod goes on with the next one."""
    started = _started(fleet)
    long = fleet.enqueue(TASK_OF_QUEUE["reports"], kwargs=arguments("reports", uuid.uuid4().hex, seconds=200))
    eventually(
        lambda: True if _started(fleet) > started else None, within_seconds=90, waiting_for="the long report to start"
    )
    with fleet.http() as client:
        assert client.delete(f"/tasks/{long}").status_code == 202
    assert fleet.result(long, within_seconds=45)["state"] == "REVOKED"
    after = fleet.enqueue(TASK_OF_QUEUE["reports"], kwargs=arguments("reports", uuid.uuid4().hex))
    assert fleet.result(after, within_seconds=60)["state"] == "SUCCESS"


def _started(fleet: RunningFleet) -> int:
    """Tasks of `reports` that began since the results store started."""
    with fleet.http() as client:
        return int(client.get("/queues").json()["queues"].get("reports", {}).get("started", 0))


def test_the_web_layer_describes_itself(fleet: RunningFleet) -> None:
    """Probes, metrics and the interface's description answer."""
    with fleet.http() as client:
        for path in ("/healthz", "/readyz", "/metrics", "/openapi.json", "/queues"):
            assert client.get(path).status_code == 200, path
