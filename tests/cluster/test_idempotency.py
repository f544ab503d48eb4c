"""Idempotency keys through the running web layer: several pods, one results store."""

import uuid
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.cluster.running_fleet import RunningFleet
from tests.cluster.sample_tasks import TASK_OF_QUEUE, arguments

pytestmark = pytest.mark.cluster

TASK = TASK_OF_QUEUE["high"]


def body(mark: str) -> dict[str, object]:
    return {"kwargs": arguments("high", mark)}


def new_key() -> dict[str, str]:
    return {"Idempotency-Key": uuid.uuid4().hex}


def test_a_repeat_has_the_same_answer_and_another_request_is_refused(fleet: RunningFleet) -> None:
    key = new_key()
    with fleet.http() as client:
        first = client.post(f"/tasks/{TASK}", json=body("one"), headers=key)
        again = client.post(f"/tasks/{TASK}", json=body("one"), headers=key)
        other = client.post(f"/tasks/{TASK}", json=body("two"), headers=key)
    assert (first.status_code, first.headers["Idempotency-Status"]) == (202, "kept")
    assert (again.status_code, again.headers["Idempotency-Status"]) == (202, "replayed")
    assert again.json() == first.json()
    assert other.status_code == 422
    assert fleet.result(first.json()["id"], within_seconds=60)["state"] == "SUCCESS"


def test_many_at_once_are_one_task(fleet: RunningFleet) -> None:
    """Each is answered with the same id, or told that the first is being answered."""
    key = new_key()

    def post(_: int) -> httpx.Response:
        with fleet.http() as client:
            return client.post(f"/tasks/{TASK}", json=body("many"), headers=key)

    # The forward is there before threads share it.
    assert post(0).status_code == 202
    with ThreadPoolExecutor(16) as others:
        answers = list(others.map(post, range(64)))
    assert {answer.status_code for answer in answers} <= {202, 409}
    assert len({answer.json()["id"] for answer in answers if answer.status_code == 202}) == 1


def test_two_at_once_with_a_fresh_key_enqueue_once(fleet: RunningFleet) -> None:
    """Rounds of sixteen that all begin before there is an answer."""
    with fleet.http() as client:
        client.get("/healthz")
        before = client.get("/queues").json()["queues"]["high"]["started"]
        accepted: set[str] = set()
        for round_number in range(5):
            key = new_key()
            with ThreadPoolExecutor(16) as others:
                asked = [
                    others.submit(client.post, f"/tasks/{TASK}", json=body(f"round-{round_number}"), headers=key)
                    for _ in range(16)
                ]
            accepted |= {answer.result().json()["id"] for answer in asked if answer.result().status_code == 202}
    assert len(accepted) == 5
    for task in accepted:
        assert fleet.result(task, within_seconds=60)["state"] == "SUCCESS"
    with fleet.http() as client:
        assert client.get("/queues").json()["queues"]["high"]["started"] - before <= 5


def test_a_batch_is_enqueued_once(fleet: RunningFleet) -> None:
    key = new_key()
    tasks = {"tasks": [{"name": TASK, "kwargs": arguments("high", f"batch-{number}")} for number in range(50)]}
    with fleet.http() as client:
        first = client.post("/tasks", json=tasks, headers=key)
        again = client.post("/tasks", json=tasks, headers=key)
    assert (first.status_code, again.status_code) == (202, 202)
    assert again.headers["Idempotency-Status"] == "replayed"
    assert [task["id"] for task in again.json()["tasks"]] == [task["id"] for task in first.json()["tasks"]]
    for task in first.json()["tasks"]:
        assert fleet.result(task["id"], within_seconds=60)["state"] == "SUCCESS"
