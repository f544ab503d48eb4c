"""`Idempotency-Key`: a request that is sent again enqueues nothing twice, and a store that is away refuses no task."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.web.limits import WebLimits, read_limits
from tests.app.amqp_broker import AmqpBroker, Answer, Decide, amqp_broker
from tests.app.web_layer import CALL, TASK, Client, Store, publishing_to, serving

KEY = {"Idempotency-Key": "order-A-1"}
PATH = f"/tasks/{TASK}"
OTHER = {"kwargs": {"order_id": "B-2", "total_cents": 5}}


@contextmanager
def keeping(
    decide: Decide = lambda *_: Answer.ACK, *, limits: WebLimits | None = None
) -> Iterator[tuple[Client, AmqpBroker, Store]]:
    """A web layer, its broker and its store."""
    store = Store()
    with (
        amqp_broker(decide) as broker,
        publishing_to(broker.port) as app,
        serving(app, store, seconds=1.0, limits=limits or WebLimits()) as client,
    ):
        yield client, broker, store


def status(answer: httpx.Response) -> str | None:
    found: str | None = answer.headers.get("Idempotency-Status")
    return found


def batch(*orders: str) -> dict[str, Any]:
    return {"tasks": [{"name": TASK, "kwargs": {"order_id": order, "total_cents": 1}} for order in orders]}


def test_a_repeat_has_the_same_answer_and_enqueues_nothing() -> None:
    with keeping() as (client, broker, _):
        first, again = client.post(PATH, CALL, KEY), client.post(PATH, CALL, KEY)
    assert (first.status_code, status(first)) == (202, "kept")
    assert (again.status_code, status(again)) == (202, "replayed")
    assert again.json() == first.json()
    assert broker.ids == [first.json()["id"]]


def test_the_order_of_keys_in_the_body_makes_no_other_request() -> None:
    with keeping() as (client, broker, _):
        client.post(PATH, {"kwargs": {"order_id": "A", "total_cents": 1}, "priority": 3}, KEY)
        again = client.post(PATH, {"priority": 3, "kwargs": {"total_cents": 1, "order_id": "A"}}, KEY)
    assert status(again) == "replayed"
    assert len(broker.ids) == 1


@pytest.mark.parametrize(
    ("path", "body"),
    [
        pytest.param(PATH, OTHER, id="other-arguments"),
        pytest.param(PATH, {**CALL, "priority": 1}, id="another-priority"),
        pytest.param("/tasks", {"tasks": [{"name": TASK, **CALL}]}, id="a-batch"),
    ],
)
def test_a_key_with_another_request_is_refused(path: str, body: dict[str, Any]) -> None:
    with keeping() as (client, broker, _):
        client.post(PATH, CALL, KEY)
        assert client.post(path, body, KEY).status_code == 422
        assert client.post(PATH, CALL, KEY).status_code == 202
    assert len(broker.ids) == 1


def test_requests_without_a_key_are_each_their_own() -> None:
    with keeping() as (client, broker, store):
        answers = [client.post(PATH, CALL) for _ in range(2)]
    assert [status(answer) for answer in answers] == [None, None]
    assert len(set(broker.ids)) == 2
    assert store.leases == set()


def test_two_at_once_enqueue_once() -> None:
    """The second is told to ask again while the first is being answered."""
    arrived, go_on = Event(), Event()

    def slowly(number: int, message: Any) -> Answer:
        arrived.set()
        go_on.wait(5)
        return Answer.ACK

    with keeping(slowly) as (client, broker, _), ThreadPoolExecutor(1) as other:
        first = other.submit(client.post, PATH, CALL, KEY)
        assert arrived.wait(5)
        second = client.post(PATH, CALL, KEY)
        go_on.set()
        assert first.result(5).status_code == 202
        third = client.post(PATH, CALL, KEY)
    assert (second.status_code, second.headers["Retry-After"]) == (409, "1")
    assert (status(third), third.json()) == ("replayed", first.result().json())
    assert len(broker.ids) == 1


def test_many_at_once_enqueue_once() -> None:
    with keeping() as (client, broker, _), ThreadPoolExecutor(8) as others:
        answers = list(others.map(lambda _: client.post(PATH, CALL, KEY), range(16)))
    assert {answer.status_code for answer in answers} <= {202, 409}
    assert len({answer.json()["id"] for answer in answers if answer.status_code == 202}) == 1
    assert len(broker.ids) == 1


def test_a_task_that_was_not_confirmed_is_sent_by_the_repeat_under_the_same_id() -> None:
    """So that a task that asks for it can see that it runs a second time."""
    # kombu tries a refused message once more by itself.
    with keeping(lambda number, _: Answer.NACK if number < 2 else Answer.ACK) as (client, broker, store):
        refused = client.post(PATH, CALL, KEY)
        again = client.post(PATH, CALL, KEY)
    assert (refused.status_code, status(refused)) == (503, "kept")
    assert (again.status_code, status(again)) == (202, "kept")
    assert broker.ids == [again.json()["id"]] * 3
    assert store.leases == set()


def test_a_repeat_of_a_batch_sends_what_is_missing_and_nothing_else() -> None:
    with keeping(lambda number, _: Answer.NACK if number == 1 else Answer.ACK) as (client, broker, _):
        first = client.post("/tasks", batch("A", "B", "C"), KEY)
        again = client.post("/tasks", batch("A", "B", "C"), KEY)
        third = client.post("/tasks", batch("A", "B", "C"), KEY)
    ids = [task["id"] for task in first.json()["tasks"]]
    assert [answer.status_code for answer in (first, again, third)] == [207, 202, 202]
    assert [status(answer) for answer in (first, again, third)] == ["kept", "kept", "replayed"]
    assert broker.ids == [*ids, ids[1]]
    assert [task["id"] for task in third.json()["tasks"]] == ids
    assert {task["outcome"] for task in third.json()["tasks"]} == {"accepted"}


def test_keys_of_different_clients_are_different_keys() -> None:
    limits = read_limits({"FLEET_WEB_TOKENS": "shop:0123456789abcdef,till:fedcba9876543210,shop:a-newer-token-of-it"})
    tokens = ["0123456789abcdef", "fedcba9876543210", "a-newer-token-of-it"]
    with keeping(limits=limits) as (client, broker, _):
        answers = [client.post(PATH, CALL, {**KEY, "Authorization": f"Bearer {token}"}) for token in tokens]
    assert [status(answer) for answer in answers] == ["kept", "kept", "replayed"]
    assert len(broker.ids) == 2


# The store


@pytest.mark.parametrize("answers", range(4), ids=lambda count: f"after-{count}-commands")
def test_a_store_that_goes_away_refuses_no_task_and_the_answer_says_what_that_means(answers: int) -> None:
    """Lease, record, first note and acceptance marker are read and written before the confirm, the last note after it."""
    with keeping() as (client, broker, store):
        store.answers = answers
        answer = client.post(PATH, CALL, KEY)
    assert (answer.status_code, status(answer)) == (202, "not-kept")
    assert len(broker.ids) == 1


def test_a_store_that_comes_back_finds_the_ids_that_were_given_out() -> None:
    """Confirmed but not noted: the repeat sends it again, under the same id."""
    with keeping() as (client, broker, store):
        store.answers = 4
        first = client.post(PATH, CALL, KEY)
        store.answers = 10**6
        store.leases.clear()  # It has run out.
        again = client.post(PATH, CALL, KEY)
    assert (status(first), status(again)) == ("not-kept", "kept")
    assert broker.ids == [first.json()["id"]] * 2


def test_a_lease_that_ran_out_costs_nothing_but_itself() -> None:
    store = Store()

    def lose_the_lease(number: int, message: Any) -> Answer:
        store.leases.clear()
        return Answer.ACK

    with amqp_broker(lose_the_lease) as broker, publishing_to(broker.port) as app, serving(app, store) as client:
        assert client.post(PATH, CALL, KEY).status_code == 202


@pytest.mark.parametrize(
    "key",
    [pytest.param("", id="empty"), pytest.param("k" * 256, id="too-long"), pytest.param("a b", id="with-a-space")],
)
def test_a_key_that_is_none_is_refused(key: str) -> None:
    with keeping() as (client, broker, _):
        assert client.post(PATH, CALL, {"Idempotency-Key": key}).status_code == 422
    assert broker.ids == []


@pytest.mark.scan
@given(answers=st.lists(st.sampled_from([Answer.ACK, Answer.NACK, Answer.RETURN]), max_size=12))
def test_each_task_of_a_batch_is_confirmed_once_however_often_it_is_sent(answers: list[Answer]) -> None:
    """A client that repeats until it is told 202."""

    def decide(number: int, message: Any) -> Answer:
        return answers[number] if number < len(answers) else Answer.ACK

    with keeping(decide) as (client, broker, _):
        for _ in range(15):
            answer = client.post("/tasks", batch("A", "B", "C"), KEY)
            if answer.status_code == 202:
                break
    confirmed = [message.id for number, message in enumerate(broker.published) if decide(number, message) is Answer.ACK]
    assert answer.status_code == 202
    assert sorted(confirmed) == sorted(task["id"] for task in answer.json()["tasks"])
