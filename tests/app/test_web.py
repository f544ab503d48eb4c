"""The web layer over HTTP: its broker is kombu's in-memory one, or a port where nothing (or nobody) answers; its store a dictionary."""

import asyncio
import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from celery import Celery
from fastapi import FastAPI
from kombu import Exchange, Queue
from redis import ConnectionError as StoreAwayError

from app.settings import configure
from app.store import accepted_key, cancelled_key
from app.web.api import create_api
from app.web.publishing import Publisher
from app.web.results import Results
from infra.manifests.ingress import PUBLIC_PATHS
from tests.app.documents import ENVIRONMENT, PRODUCER

TASK = "shop.orders.confirm"
CALL = {"kwargs": {"order_id": "A-1", "total_cents": 5}}


class Store:
    """What the web layer asks of Valkey."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.sets: dict[str, dict[str, float]] = {}
        self.hashes: dict[str, dict[str, str]] = {}
        self.away = False

    def _answer(self) -> None:
        if self.away:
            raise StoreAwayError("away")

    def set(self, key: str, value: str, ex: int) -> None:
        self._answer()
        self.values[key] = value

    def mget(self, *keys: str) -> list[Any]:
        self._answer()
        return [self.values.get(key) for key in keys]

    def pipeline(self, transaction: bool) -> Any:
        commands: list[Callable[[], Any]] = []

        def execute() -> list[Any]:
            self._answer()
            return [command() for command in commands]

        return SimpleNamespace(
            zadd=lambda key, ids: commands.append(lambda: self.sets.setdefault(key, {}).update(ids)),
            zremrangebyscore=lambda key, low, high: None,
            expire=lambda key, seconds: None,
            hgetall=lambda key: commands.append(lambda: self.hashes.get(key, {})),
            execute=execute,
        )


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def celery_app() -> Any:
    """An application of a user's own with tasks of its own, its broker in memory."""
    app = Celery("web", set_as_current=False)

    @app.task(name=TASK, shared=False)
    def confirm(order_id: str, total_cents: int) -> None: ...

    @app.task(name="app.unrouted", shared=False)
    def unrouted() -> None: ...

    configure(app, PRODUCER, ENVIRONMENT)
    app.conf.broker_transport = "memory"
    app.finalize()
    # Celery takes native delays for a feature of the AMQP client; in memory a countdown travels in the headers alone.
    with app.connection_for_write() as connection:
        Queue("high", Exchange("tasks", type="topic"), routing_key="high").bind(connection.default_channel).declare()
    yield app
    with app.connection_for_write() as connection:
        Queue("high").bind(connection.default_channel).purge()
    app.close()


def published(app: Any) -> Any:
    """The next message of the queue `high`; None when it is empty."""
    with app.connection_for_read() as connection:
        return Queue("high").bind(connection.default_channel).get(no_ack=True)


class Client:
    """One request after the other, straight into the application."""

    def __init__(self, api: FastAPI) -> None:
        self._transport = httpx.ASGITransport(app=api)

    def _ask(self, method: str, path: str, body: Any = None) -> httpx.Response:
        async def ask() -> httpx.Response:
            async with httpx.AsyncClient(transport=self._transport, base_url="http://web") as client:
                return await client.request(method, path, json=body)

        return asyncio.run(ask())

    def post(self, path: str, body: Any) -> httpx.Response:
        return self._ask("POST", path, body)

    def get(self, path: str) -> httpx.Response:
        return self._ask("GET", path)

    def delete(self, path: str) -> httpx.Response:
        return self._ask("DELETE", path)


@contextmanager
def serving(app: Any, store: Store, *, seconds: float = 4.5) -> Iterator[Client]:
    publisher = Publisher(app, seconds=seconds)
    yield Client(create_api(app, PRODUCER, publisher=publisher, results=Results(store, "shop")))
    publisher.close()


@pytest.fixture
def client(celery_app: Any, store: Store) -> Iterator[Client]:
    with serving(celery_app, store) as made:
        yield made


# Enqueueing


def test_an_accepted_task_is_in_its_queue_under_the_id_that_was_given_out(client: Client, celery_app: Any) -> None:
    answer = client.post(f"/tasks/{TASK}", CALL)
    message = published(celery_app)
    assert answer.status_code == 202
    assert answer.json()["queue"] == "high"
    assert message.headers["id"] == answer.json()["id"]
    assert message.headers["task"] == TASK
    assert message.payload[1] == CALL["kwargs"]


def test_priority_and_countdown_reach_the_message(client: Client, celery_app: Any) -> None:
    assert client.post(f"/tasks/{TASK}", {**CALL, "priority": 9, "countdown": 1.5}).status_code == 202
    message = published(celery_app)
    assert message.properties["priority"] == 9
    assert message.headers["eta"] is not None


def test_a_task_without_priority_has_that_of_the_catalogue(client: Client, celery_app: Any) -> None:
    client.post(f"/tasks/{TASK}", CALL)
    assert published(celery_app).properties["priority"] == 4


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("shop.orders.confrim", id="misspelt"),
        pytest.param("celery.backend_cleanup", id="of-celery-itself"),
        pytest.param("app.unrouted", id="that-no-queue-takes"),
    ],
)
def test_an_unknown_task_is_not_found_and_the_known_ones_are_told(client: Client, name: str) -> None:
    answer = client.post(f"/tasks/{name}", {})
    assert answer.status_code == 404
    assert TASK in answer.json()["detail"]


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"kwargs": "none"}, id="keyword-arguments-that-are-no-mapping"),
        pytest.param({"keywords": {}}, id="unknown-field"),
        pytest.param({**CALL, "countdown": 0.2}, id="a-delay-below-the-brokers-second"),
        pytest.param({**CALL, "countdown": -1}, id="a-delay-in-the-past"),
        pytest.param({**CALL, "countdown": 2**28}, id="a-delay-that-the-tree-cannot-hold"),
        pytest.param({**CALL, "priority": 32}, id="a-level-that-queues-do-not-have"),
        pytest.param({"kwargs": {"order": "A-1"}}, id="arguments-that-the-task-does-not-take"),
        pytest.param({}, id="arguments-missing"),
    ],
)
def test_a_body_that_a_worker_could_only_fail_on_is_refused(
    client: Client, celery_app: Any, body: dict[str, Any]
) -> None:
    assert client.post(f"/tasks/{TASK}", body).status_code == 422
    assert published(celery_app) is None


def test_a_store_that_is_away_refuses_no_task(client: Client, celery_app: Any, store: Store) -> None:
    store.away = True
    assert client.post(f"/tasks/{TASK}", CALL).status_code == 202
    assert published(celery_app) is not None


# A broker that does not take it


@pytest.fixture
def user_app() -> Iterator[Any]:
    app = Celery("away", set_as_current=False)

    @app.task(name=TASK, shared=False)
    def confirm(order_id: str, total_cents: int) -> None: ...

    configure(app, PRODUCER, ENVIRONMENT)
    app.finalize()
    yield app
    app.close()


def assert_refused(answer: Any, started: float) -> None:
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert time.monotonic() - started < 5
    assert "secret" not in answer.text


def test_a_broker_that_is_away_is_told_at_once_with_a_time_to_try_again(user_app: Any, store: Store) -> None:
    """Port 1 refuses connections."""
    with serving(user_app, store) as client:
        started = time.monotonic()
        assert_refused(client.post(f"/tasks/{TASK}", CALL), started)


def test_a_broker_that_says_nothing_is_given_up_in_time(user_app: Any, store: Store) -> None:
    """As a blocked one: the connection stands and nothing comes back. Other requests are answered meanwhile."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        user_app.conf.broker_port = silent.getsockname()[1]
        with serving(user_app, store, seconds=0.5) as client:
            started = time.monotonic()
            assert_refused(client.post(f"/tasks/{TASK}", CALL), started)
            assert client.get("/healthz").status_code == 200
            refused = [line for line in client.get("/metrics").text.splitlines() if "refused_total{" in line]
    assert refused == ['fleet_tasks_refused_total{queue="high"} 1.0']


# Reading


def stored(state: str, result: Any) -> str:
    return json.dumps({"status": state, "result": result, "task_id": "1", "traceback": None, "children": []})


@pytest.mark.parametrize(
    ("values", "code", "expected"),
    [
        pytest.param({accepted_key("shop", "1"): "high"}, 202, {"state": "PENDING", "queue": "high"}, id="accepted"),
        pytest.param(
            {"celery-task-meta-1": stored("PROGRESS", {"rows": 3})},
            202,
            {"state": "PROGRESS", "result": {"rows": 3}},
            id="running",
        ),
        pytest.param(
            {"celery-task-meta-1": stored("SUCCESS", [1])}, 200, {"state": "SUCCESS", "result": [1]}, id="done"
        ),
        pytest.param(
            {"celery-task-meta-1": stored("FAILURE", {"exc_type": "ValueError", "exc_message": ["no", "good"]})},
            200,
            {"state": "FAILURE", "error": "ValueError: no, good"},
            id="failed",
        ),
        pytest.param(
            {"celery-task-meta-1": stored("RETRY", {"exc_type": "OSError", "exc_message": []})},
            202,
            {"state": "RETRY", "error": "OSError"},
            id="to-be-tried-again",
        ),
    ],
)
def test_a_task_answers_by_what_is_known_of_it(
    client: Client, store: Store, values: dict[str, str], code: int, expected: dict[str, Any]
) -> None:
    store.values = dict(values)
    answer = client.get("/tasks/1")
    assert answer.status_code == code
    assert expected.items() <= answer.json().items()


def test_a_given_out_id_is_known_at_once(client: Client) -> None:
    """Between the answer to the POST and the first result there is no moment without an answer."""
    task = client.post(f"/tasks/{TASK}", CALL).json()["id"]
    assert client.get(f"/tasks/{task}").status_code == 202


def test_an_id_that_was_never_given_out_is_not_found(client: Client) -> None:
    assert client.get("/tasks/1").status_code == 404
    assert client.delete("/tasks/1").status_code == 404


@pytest.mark.parametrize("path", ["/tasks/1", "/queues"])
def test_a_store_that_is_away_is_said_so(client: Client, store: Store, path: str) -> None:
    store.away = True
    answer = client.get(path)
    assert answer.status_code == 503
    assert "Retry-After" in answer.headers


def test_a_cancelled_task_is_remembered_for_workers_that_start_later(client: Client, store: Store) -> None:
    """The broadcast reaches running workers only; a queue at zero has none."""
    task = client.post(f"/tasks/{TASK}", CALL).json()["id"]
    assert client.delete(f"/tasks/{task}").status_code == 202
    assert task in store.sets[cancelled_key("shop")]


def test_a_finished_task_is_not_cancelled(client: Client, store: Store) -> None:
    store.values["celery-task-meta-1"] = stored("SUCCESS", 1)
    assert client.delete("/tasks/1").json()["state"] == "SUCCESS"
    assert store.sets == {}


def test_queues_shows_what_workers_counted(client: Client, store: Store) -> None:
    store.hashes["fleet:shop:queue:high"] = {"started": "2", "done": "1", "wait:1": "2"}
    queues = client.get("/queues").json()["queues"]
    assert queues["high"] == {"started": 2, "done": 1, "failed": 0, "wait_buckets": {"1": 2}}
    assert queues["reports"]["started"] == 0


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/openapi.json", "/docs"])
def test_the_operating_pages_answer(client: Client, path: str) -> None:
    assert client.get(path).status_code == 200


def test_metrics_count_by_queue(client: Client) -> None:
    client.post(f"/tasks/{TASK}", CALL)
    assert 'fleet_tasks_accepted_total{queue="high"} 1.0' in client.get("/metrics").text


def test_a_load_balancer_routes_what_is_there_for_callers(client: Client) -> None:
    """All that the interface documents, and none of what operators ask."""
    documented = {f"/{path.split('/')[1]}" for path in client.get("/openapi.json").json()["paths"]}
    assert documented == {"/tasks", "/queues"}
    assert documented <= PUBLIC_PATHS.keys()
    assert not PUBLIC_PATHS.keys() & {"/metrics", "/healthz", "/readyz"}
