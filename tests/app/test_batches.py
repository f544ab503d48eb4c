"""`POST /tasks`: many tasks in one request, each told what became of it."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.store import accepted_key
from tests.app.amqp_broker import AmqpBroker, Answer, Decide, amqp_broker
from tests.app.web_layer import CALL, TASK, Client, Store, publishing_to, serving


@contextmanager
def batching(
    decide: Decide = lambda *_: Answer.ACK, *, seconds: float = 4.5
) -> Iterator[tuple[Client, AmqpBroker, Store]]:
    """A web layer, its broker and its store."""
    store = Store()
    with (
        amqp_broker(decide) as broker,
        publishing_to(broker.port) as app,
        serving(app, store, seconds=seconds) as client,
    ):
        yield client, broker, store


def batch(*orders: str) -> dict[str, Any]:
    return {"tasks": [{"name": TASK, "kwargs": {"order_id": order, "total_cents": 1}} for order in orders]}


def test_an_accepted_batch_is_in_the_broker_in_its_order() -> None:
    with batching() as (client, broker, store):
        answer = client.post("/tasks", batch("A", "B", "C"))
        metrics = client.get("/metrics").text
    assert answer.status_code == 202
    told = answer.json()["tasks"]
    assert [task["id"] for task in told] == broker.ids
    assert [(task["queue"], task["outcome"], task["reason"]) for task in told] == [("high", "accepted", None)] * 3
    assert [b'"A"' in broker.published[0].body, b'"C"' in broker.published[2].body] == [True, True]
    assert all(store.values[accepted_key("shop", task["id"])] == "high" for task in told)
    assert 'fleet_tasks_accepted_total{queue="high"} 3.0' in metrics


def test_what_some_tasks_became_is_told_task_by_task() -> None:
    """207: the accepted ones are safe, the refused ones may be sent again."""
    answers = [Answer.ACK, Answer.NACK, Answer.RETURN, Answer.ACK]
    with batching(lambda number, _: answers[number]) as (client, _, _):
        answer = client.post("/tasks", batch("A", "B", "C", "D"))
    assert answer.status_code == 207
    assert int(answer.headers["Retry-After"]) > 0
    assert [(task["outcome"], task["reason"]) for task in answer.json()["tasks"]] == [
        ("accepted", None),
        ("refused", "the queue is full and refuses messages"),
        ("returned", "no queue takes the message"),
        ("accepted", None),
    ]


def test_a_batch_of_which_nothing_is_confirmed_is_503() -> None:
    with batching(lambda *_: Answer.SILENCE, seconds=1.5) as (client, _, _):
        started = time.monotonic()
        answer = client.post("/tasks", batch("A", "B"))
        assert time.monotonic() - started < 5
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert [task["outcome"] for task in answer.json()["tasks"]] == ["unknown", "unknown"]


def test_priorities_and_delays_are_each_tasks_own() -> None:
    tasks = [{"name": TASK, **CALL, "priority": 9}, {"name": TASK, **CALL, "countdown": 3}, {"name": TASK, **CALL}]
    with batching() as (client, broker, _):
        assert client.post("/tasks", {"tasks": tasks}).status_code == 202
    assert [message.properties["priority"] for message in broker.published] == [9, 4, 4]
    assert [message.exchange for message in broker.published] == ["tasks", "celery_delayed_27", "tasks"]


@pytest.mark.parametrize(
    ("tasks", "loc", "says"),
    [
        pytest.param([{"name": "shop.orders.confrim"}], ["tasks", 0, "name"], TASK, id="no-such-task"),
        pytest.param([{"name": "celery.backend_cleanup"}], ["tasks", 0, "name"], TASK, id="of-celery-itself"),
        pytest.param([{"name": TASK}], ["tasks", 0], "order_id", id="arguments-missing"),
        pytest.param([{"name": TASK, **CALL}, {"name": TASK, **CALL, "countdown": 0.5}], ["tasks", 1, "countdown"], "whole seconds", id="a-delay"),
        pytest.param([{"name": TASK, **CALL, "priority": 32}], ["tasks", 0, "priority"], "31", id="a-level"),
        pytest.param([{"name": TASK, **CALL, "id": "mine"}], ["tasks", 0, "id"], "not permitted", id="an-unknown-field"),
        pytest.param([{**CALL}], ["tasks", 0, "name"], "required", id="no-name"),
        pytest.param([], ["tasks"], "at least 1", id="nothing"),
        pytest.param([{"name": TASK, **CALL}] * 1001, ["tasks"], "at most 1000", id="too-many"),
    ],
)  # fmt: skip
def test_a_batch_with_a_wrong_task_is_refused_as_a_whole(tasks: list[Any], loc: list[Any], says: str) -> None:
    with batching() as (client, broker, _):
        answer = client.post("/tasks", {"tasks": tasks})
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["body", *loc]
    assert says in answer.json()["detail"][0]["msg"]
    assert broker.published == []


def test_every_wrong_task_is_told_at_once() -> None:
    with batching() as (client, _, _):
        answer = client.post("/tasks", {"tasks": [{"name": "one"}, {"name": TASK, **CALL}, {"name": "three"}]})
    assert [found["loc"] for found in answer.json()["detail"]] == [
        ["body", "tasks", 0, "name"],
        ["body", "tasks", 2, "name"],
    ]


def test_a_broker_that_is_away_is_told_with_a_time_to_try_again() -> None:
    """Port 1 refuses connections."""
    with publishing_to(1) as app, serving(app, Store()) as client:
        started = time.monotonic()
        answer = client.post("/tasks", batch("A", "B"))
        assert time.monotonic() - started < 5
    assert answer.status_code == 503
    assert [task["outcome"] for task in answer.json()["tasks"]] == ["refused", "refused"]
    assert "secret" not in answer.text


# What clients may send

TEXT = st.text(st.characters(codec=None, exclude_categories=()), max_size=6)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=8,
)
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "args": JSON,
        "kwargs": JSON,
        "countdown": JSON,
        "priority": JSON,
        "name": JSON | st.just(TASK),
        "tasks": JSON,
    },
)


@pytest.fixture(scope="module")
def refusing() -> Iterator[Client]:
    with publishing_to(1) as app, serving(app, Store()) as client:
        yield client


@given(
    path=st.sampled_from(["/tasks", f"/tasks/{TASK}"]),
    body=JSON | FIELDS | st.builds(lambda each: {"tasks": each}, st.lists(FIELDS, max_size=3)),
)
@example(path=f"/tasks/{TASK}", body={"\ud800": 1})
@example(path=f"/tasks/{TASK}", body={"kwargs": {"\ud800": 1}})
@example(path="/tasks", body={"tasks": [{"name": "\ud800"}]})
@example(path="/tasks", body={"tasks": [{"name": TASK, "countdown": float("nan")}]})
def test_no_body_is_more_than_refused(refusing: Client, path: str, body: Any) -> None:
    """Whatever JSON it is, and some that is none: never a 500, never an exception."""
    content = json.dumps(body).encode()
    answer = refusing.ask("POST", path, content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code in {400, 404, 422}
    assert "detail" in answer.json()


@given(content=st.binary(max_size=40) | st.sampled_from([b"[" * 5000, b"1" * 5000, b'{"tasks":' * 2000]))
def test_bytes_that_are_no_json_are_refused(refusing: Client, content: bytes) -> None:
    answer = refusing.ask("POST", f"/tasks/{TASK}", content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code in {400, 422}
