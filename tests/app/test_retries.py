"""What a worker does with a task that raises, by the policy of its queue."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from celery import Celery
from celery.exceptions import Ignore, MaxRetriesExceededError, Reject, Retry, SoftTimeLimitExceeded

from app.retries import load_exceptions, retry_tasks
from app.settings import configure
from fleet.documents import WorkerDocument, dump_document
from fleet.errors import FleetError
from fleet.sizing import RetryPlan
from tests.app.documents import ENVIRONMENT, GEVENT, worker_document

ROOT = Path(__file__).parents[2]


def document(**policy: Any) -> WorkerDocument:
    """A worker of the queue `high` with a policy: four retries on any exception, 2 s doubling to 10 s."""
    stated: dict[str, Any] = {
        "max_retries": 4, "backoff_seconds": 2, "longest_seconds": 10, "jitter": False, "exceptions": ("Exception",),
        **policy,
    }  # fmt: skip
    return worker_document(worker=msgspec.structs.replace(GEVENT, retries=RetryPlan(**stated)))


class Application:
    """A user's application with one task that raises, and what it publishes."""

    def __init__(self, error: BaseException | None, given: WorkerDocument, **options: Any) -> None:
        self.sent: list[dict[str, Any]] = []
        app = Celery("retries", set_as_current=False)
        app.send_task = lambda name, args=None, kwargs=None, **call: self.sent.append(call)
        self.error = error
        self.task = app.task(name="app.tasks.orders.fail", shared=False, **options)(self._body())
        app.finalize()
        configure(app, given, ENVIRONMENT)
        retry_tasks(app, given)
        self.app = app

    def _body(self) -> Callable[[], None]:
        def fail() -> None:
            if self.error is not None:
                raise self.error

        return fail

    @contextmanager
    def delivered(self, retries: int = 0, **properties: Any) -> Iterator[None]:
        """As in a worker: the message was delivered to the queue, after so many retries."""
        info = {"exchange": "tasks", "routing_key": "high", "redelivered": False, **properties}
        self.task.push_request(
            id="1", args=(), kwargs={}, retries=retries, called_directly=False, is_eager=False, delivery_info=info
        )
        try:
            yield
        finally:
            self.task.pop_request()

    def run(self, retries: int = 0, **properties: Any) -> None:
        with self.delivered(retries, **properties):
            self.task.run()


def pauses(given: WorkerDocument, attempts: int) -> list[int | None]:
    """The countdowns with which a task that always fails is published again."""
    application = Application(ValueError("no"), given)
    for retries in range(attempts):
        with pytest.raises(Retry):
            application.run(retries)
    return [call["countdown"] for call in application.sent]


def test_pauses_double_up_to_the_longest() -> None:
    """Two seconds, four, eight, and then the longest."""
    assert pauses(document(), 4) == [2, 4, 8, 10]


@pytest.mark.scan
def test_jitter_draws_each_pause_from_nothing_to_its_length() -> None:
    """Tasks that failed together do not return together; a pause of nothing is no delay at all."""
    drawn = {pauses(document(jitter=True), 1)[0] for _ in range(100)}
    assert drawn == {None, 1, 2}


def test_after_the_last_retry_the_task_has_failed() -> None:
    """Its own exception, not one of the retries, and nothing is published."""
    application = Application(ValueError("still no"), document())
    with pytest.raises(ValueError, match="still no"):
        application.run(retries=4)
    assert application.sent == []


def test_a_retry_keeps_its_number_its_identity_its_queue_and_its_priority() -> None:
    application = Application(ValueError("no"), document())
    with pytest.raises(Retry):
        application.run(retries=1, priority=9)
    (call,) = application.sent
    assert (call["retries"], call["task_id"], call["priority"]) == (2, "1", 9)
    # The router reads the queue from the key of the delivery.
    assert application.app.amqp.router.route({"routing_key": call["routing_key"]}, "any.task")["queue"].name == "high"


def test_a_task_that_ends_well_is_not_retried() -> None:
    application = Application(None, document())
    application.run()
    assert application.sent == []


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(Reject("poison", requeue=False), id="rejected-by-the-task"),
        pytest.param(Ignore(), id="ignored-by-the-task"),
        pytest.param(MaxRetriesExceededError("own retries"), id="its-own-retries-used-up"),
        pytest.param(SoftTimeLimitExceeded(), id="over-its-soft-limit"),
        pytest.param(SystemExit(1), id="the-process-ends"),
    ],
)
def test_what_is_no_failure_is_not_retried(error: BaseException) -> None:
    """`on: [Exception]` covers most of them by name, and means none."""
    application = Application(error, document())
    with pytest.raises(type(error)):
        application.run()
    assert application.sent == []


def test_a_soft_limit_is_retried_where_it_is_named() -> None:
    application = Application(
        SoftTimeLimitExceeded(), document(exceptions=("celery.exceptions.SoftTimeLimitExceeded",))
    )
    with pytest.raises(Retry):
        application.run()


def test_an_exception_that_is_not_named_is_not_retried() -> None:
    """A connection that broke may be tried again, a wrong argument not."""
    application = Application(ValueError("no"), document(exceptions=("ConnectionError", "TimeoutError")))
    with pytest.raises(ValueError, match="no"):
        application.run()
    application.error = ConnectionResetError("gone")
    with pytest.raises(Retry):
        application.run()


@pytest.mark.parametrize(
    ("options", "countdown"),
    [
        pytest.param({"autoretry_for": (ValueError,), "default_retry_delay": 33}, 33, id="its-own-autoretry"),
        pytest.param({"dont_autoretry_for": (KeyError,)}, 2, id="an-exception-that-it-does-not-exempt"),
    ],
)
def test_what_a_task_says_of_itself_goes_first(options: dict[str, Any], countdown: int) -> None:
    application = Application(ValueError("no"), document(), **options)
    with pytest.raises(Retry):
        application.run()
    assert application.sent[0]["countdown"] == countdown


@pytest.mark.parametrize("exempt", [{"autoretry_for": ()}, {"dont_autoretry_for": (ValueError,)}])
def test_a_task_can_keep_out(exempt: dict[str, Any]) -> None:
    application = Application(ValueError("no"), document(), **exempt)
    with pytest.raises(ValueError, match="no"):
        application.run()
    assert application.sent == []


def test_without_a_policy_only_a_tasks_own_retries_are_left() -> None:
    application = Application(ValueError("no"), worker_document())
    with pytest.raises(ValueError, match="no"):
        application.run()
    assert application.sent == []


def test_celerys_own_tasks_are_left_alone() -> None:
    """`celery.chord_unlock` counts on its own retries."""
    tasks = Application(None, document()).app.tasks
    assert not any(hasattr(task, "_orig_run") for name, task in tasks.items() if name.startswith("celery."))


def test_exceptions_are_found_by_their_names() -> None:
    assert load_exceptions(("ValueError", "json.JSONDecodeError"), queue="high") == (ValueError, json.JSONDecodeError)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        pytest.param("ValueErorr", "cannot be imported", id="a-built-in-that-is-none"),
        pytest.param("shop.errors.Gone", "cannot be imported", id="a-module-that-is-not-in-the-image"),
        pytest.param("json.Missing", "cannot be imported", id="a-name-that-is-not-in-its-module"),
        pytest.param("json.dumps", "no exception that a task can fail with", id="a-function"),
        pytest.param("SystemExit", "no exception that a task can fail with", id="the-end-of-the-process"),
        pytest.param("celery.exceptions.Ignore", "tells Celery what to do", id="celerys-own-signal"),
    ],
)
def test_a_name_that_leads_to_no_exception_ends_the_worker(name: str, words: str) -> None:
    """The message names the queue, the field and the name."""
    with pytest.raises(FleetError, match=words) as caught:
        Application(None, document(exceptions=("ValueError", name)))
    assert caught.value.where == "queue high"
    assert f"retries.on names {name}," in caught.value.problem


@pytest.mark.scan
def test_a_worker_that_cannot_find_an_exception_says_so_and_ends(tmp_path: Path) -> None:
    """Before it takes a message, with the exit code of a mistake that a person has to put right."""
    path = tmp_path / "document.json"
    path.write_text(dump_document(document(exceptions=("shop.errors.Gone",))), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "app.worker"],
        cwd=ROOT, env={**ENVIRONMENT, "FLEET_DOCUMENT": str(path), "FLEET_RUN_DIR": str(tmp_path)},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.startswith("queue high: retries.on names shop.errors.Gone, which cannot be imported")
