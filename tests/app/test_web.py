"""The web layer over HTTP: its broker is kombu's in-memory one, or a port where nothing (or nobody) answers; its store a dictionary."""

import json
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from celery import Celery
from kombu import Exchange, Queue

from app.settings import configure
from app.store import accepted_key, cancelled_key
from infra.manifests.ingress import PUBLIC_PATHS
from tests.app.amqp_broker import Answer, amqp_broker
from tests.app.documents import ENVIRONMENT, PRODUCER
from tests.app.web_layer import CALL, TASK, Client, Store, publishing_to, serving


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
    ("countdown", "says"),
    [
        pytest.param(b"0.2", "the broker delays by whole seconds; give 1 or more", id="below-a-second"),
        pytest.param(b"0", "the broker delays by whole seconds; give 1 or more", id="none"),
        pytest.param(b"-3", "the broker delays by whole seconds; give 1 or more", id="in-the-past"),
        pytest.param(b"268435455.5", "28 delay levels hold 268435455 seconds (8.5 years) at most", id="over-28-bits"),
        pytest.param(b"1e400", "28 delay levels hold 268435455 seconds (8.5 years) at most", id="infinite"),
        pytest.param(b"NaN", "the broker delays by whole seconds; give 1 or more", id="no-number"),
    ],
)
def test_a_delay_that_the_broker_cannot_hold_is_refused_with_the_reason(
    client: Client, countdown: bytes, says: str
) -> None:
    body = b'{"kwargs": {"order_id": "A", "total_cents": 1}, "countdown": %b}' % countdown
    answer = client.ask("POST", f"/tasks/{TASK}", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert says in answer.text


def test_the_longest_delay_is_taken(client: Client) -> None:
    assert client.post(f"/tasks/{TASK}", {**CALL, "countdown": 2**28 - 1}).status_code == 202


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
    with publishing_to(1) as app:
        yield app


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


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        pytest.param(Answer.NACK, "not enqueued: the queue is full and refuses messages", id="a-full-queue"),
        pytest.param(Answer.RETURN, "not enqueued: no queue takes the message", id="a-binding-that-is-gone"),
    ],
)
def test_a_message_that_is_in_no_queue_is_told(store: Store, answer: Answer, says: str) -> None:
    with amqp_broker(lambda *_: answer) as broker, publishing_to(broker.port) as app, serving(app, store) as client:
        started = time.monotonic()
        told = client.post(f"/tasks/{TASK}", CALL)
        assert_refused(told, started)
    assert told.json()["detail"] == says


def publishing_threads() -> list[str]:
    """What the threads of publishers wait in."""
    found = [thread for thread in threading.enumerate() if thread.name.startswith("publish")]
    frames = sys._current_frames()
    return [frames[thread.ident].f_code.co_name for thread in found if thread.ident in frames]


@pytest.mark.parametrize(
    "ask",
    [
        pytest.param(lambda client: client.post(f"/tasks/{TASK}", CALL), id="one"),
        pytest.param(lambda client: client.post("/tasks", {"tasks": [{"name": TASK, **CALL}]}), id="many"),
        pytest.param(lambda client: client.delete("/tasks/1"), id="a-cancellation"),
    ],
)
def test_no_thread_stays_with_a_broker_that_blocks(store: Store, ask: Callable[[Client], Any]) -> None:
    """It reads nothing more, so it would answer no goodbye either; a pod that is told to stop would wait for its threads."""
    store.values[accepted_key("shop", "1")] = "high"
    with (
        amqp_broker(lambda *_: Answer.BLOCK) as broker,
        publishing_to(broker.port) as app,
        serving(app, store, seconds=1) as client,
    ):
        started = time.monotonic()
        assert_refused(ask(client), started)
        while "_worker" not in publishing_threads() and time.monotonic() - started < 12:
            time.sleep(0.05)
        assert set(publishing_threads()) == {"_worker"}


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


@pytest.mark.parametrize("away", [pytest.param(False, id="all-is-well"), pytest.param(True, id="nothing-answers")])
def test_the_page_is_shown_whatever_answers(client: Client, store: Store, away: bool) -> None:
    """It waits for nobody: what was gathered last is there, and nothing was yet."""
    store.away = away
    answer = client.get("/fleet")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert "3 of 3 promises are not known to be kept: high, default, reports." in answer.text
    assert "<h1" in client.get("/fleet/now").text


def test_metrics_count_by_queue(client: Client) -> None:
    client.post(f"/tasks/{TASK}", CALL)
    assert 'fleet_tasks_accepted_total{queue="high"} 1.0' in client.get("/metrics").text


def test_a_load_balancer_routes_what_is_there_for_callers(client: Client) -> None:
    """All that the interface documents, and none of what operators ask."""
    documented = {f"/{path.split('/')[1]}" for path in client.get("/openapi.json").json()["paths"]}
    assert documented == {"/tasks", "/queues"}
    assert documented <= PUBLIC_PATHS.keys()
    assert not PUBLIC_PATHS.keys() & {"/metrics", "/healthz", "/readyz"}
