"""What a worker tells of its deliveries: each once, by how it ended, whatever Celery's pool reports and how often."""

import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from celery import signals
from celery.exceptions import Ignore, Reject, Retry, Terminated, TimeLimitExceeded, WorkerLostError
from celery.worker.request import Request

from app.waits import DUE_HEADER
from app.worker.outcomes import TaskOutcome
from tests.app.observing import TASK, Deliveries, raised


class Notes:
    """An observer that writes everything down."""

    def __init__(self) -> None:
        self.redeliveries: list[str] = []
        self.starts: list[tuple[str, float | None]] = []
        self.ends: list[tuple[str, TaskOutcome, float | None]] = []

    def redelivered(self, task: str) -> None:
        self.redeliveries.append(task)

    def started(self, task: str, wait_seconds: float | None) -> None:
        self.starts.append((task, wait_seconds))

    def ended(self, task: str, outcome: TaskOutcome, run_seconds: float | None) -> None:
        self.ends.append((task, outcome, run_seconds))

    @property
    def outcomes(self) -> list[str]:
        return [outcome.value for _, outcome, _ in self.ends]


@pytest.fixture
def notes() -> Notes:
    return Notes()


@pytest.fixture
def deliveries(notes: Notes) -> Iterator[Deliveries]:
    made = Deliveries(notes)
    yield made
    made.close()


def test_a_wait_ends_where_the_slot_took_the_task_up(deliveries: Deliveries, notes: Notes) -> None:
    """Not where the main process heard of it, half a second later."""
    deliveries.start(seconds_ago=0.5)
    ((task, wait_seconds),) = notes.starts
    assert task == TASK
    assert wait_seconds == pytest.approx(1.5, abs=0.2)


@pytest.mark.parametrize(
    "due",
    [
        pytest.param(None, id="nothing"),
        pytest.param("soon", id="a-word"),
        pytest.param([1], id="a-list"),
        pytest.param("nan", id="no-number"),
        pytest.param(float("-inf"), id="infinity"),
        pytest.param(10**400, id="a-number-beyond-all"),
    ],
)
def test_a_due_time_that_is_none_costs_no_task(deliveries: Deliveries, notes: Notes, due: Any) -> None:
    """Publishers write the header; the task runs and is counted all the same."""
    deliveries.start(**{DUE_HEADER: due}).on_success((0, None, 0.1))
    assert notes.starts == [(TASK, None)]
    assert notes.outcomes == ["succeeded"]


def test_a_clock_that_is_behind_makes_no_negative_wait(deliveries: Deliveries, notes: Notes) -> None:
    deliveries.start(**{DUE_HEADER: 4102444800})
    assert notes.starts == [(TASK, 0.0)]


def test_a_run_is_measured_beside_the_task(deliveries: Deliveries, notes: Notes) -> None:
    """Of a success by the process that ran it, of anything else by the main process: half a second has gone by since it was taken up."""
    deliveries.start().on_success((0, None, 0.123))
    deliveries.start().on_failure(raised(ValueError("no")), return_ok=True)
    (_, _, measured), (_, _, passed) = notes.ends
    assert measured == 0.123
    assert passed == pytest.approx(0.5, abs=0.2)


def _child(error: BaseException) -> Callable[[Any], None]:
    return lambda request: request.on_failure(raised(error))


def _traced(error: BaseException) -> Callable[[Any], None]:
    return lambda request: request.on_success((1, raised(error), None))


def _over_its_limit(request: Any) -> None:
    request.on_timeout(True, 4)
    request.on_timeout(False, 5)
    request.on_failure(raised(TimeLimitExceeded(5)))


def _terminated(request: Any) -> None:
    request._announce_revoked("terminated", True, signal.SIGTERM, False)
    request.on_failure(raised(Terminated(signal.SIGTERM)))


def _interrupted(request: Any) -> None:
    request._announce_cancelled(emit_retry=False)
    request.on_failure(raised(Terminated(signal.SIGTERM)))


@pytest.mark.parametrize(
    ("report", "outcome", "end"),
    [
        pytest.param(lambda request: request.on_success((0, None, 0.1)), "succeeded", "acknowledged", id="well"),
        pytest.param(_traced(ValueError("no")), "failed", "acknowledged", id="it-raised"),
        pytest.param(_traced(Retry("soon", exc=ValueError("no"))), "retried", "acknowledged", id="it-is-tried-again"),
        pytest.param(_traced(Ignore()), "ignored", "acknowledged", id="it-asked-for-no-result"),
        pytest.param(_traced(Reject("no", requeue=False)), "rejected", "rejected", id="it-rejected-its-message"),
        pytest.param(_over_its_limit, "timed-out", "acknowledged", id="over-its-limit-told-twice-by-prefork"),
        pytest.param(_child(WorkerLostError("gone")), "lost", "goes back", id="its-child-was-killed"),
        pytest.param(_child(SystemExit(1)), "lost", "goes back", id="its-child-ended-itself"),
        pytest.param(_terminated, "revoked", "acknowledged", id="cancelled-while-it-ran"),
        pytest.param(_interrupted, "interrupted", None, id="the-worker-has-to-go"),
    ],
)
def test_a_delivery_is_told_once_by_how_it_ended(
    deliveries: Deliveries, notes: Notes, report: Callable[[Any], None], outcome: str, end: str | None
) -> None:
    """And its message goes where Celery would have put it."""
    report(deliveries.start())
    assert notes.outcomes == [outcome]
    assert deliveries.ends == ([end] if end else [])


def test_a_task_that_acknowledges_early_is_told_when_it_has_ended(notes: Notes) -> None:
    deliveries = Deliveries(notes, acks_late=False)
    request = deliveries.start()
    assert (deliveries.ends, notes.outcomes) == (["acknowledged"], [])
    request.on_success((0, None, 0.1))
    deliveries.close()
    assert notes.outcomes == ["succeeded"]


def test_a_task_that_gevent_stopped_is_no_success(deliveries: Deliveries, notes: Notes) -> None:
    """Its pool reports one; the message would be acknowledged, and the task gone, when the worker of a spot node has to go."""
    request = deliveries.start()
    request.on_success((False, None, None))
    assert (deliveries.ends, notes.outcomes) == ([], [])
    request._announce_cancelled(emit_retry=False)
    assert (deliveries.ends, notes.outcomes) == ([], ["interrupted"])


def test_a_task_that_is_cancelled_before_its_start_has_no_run(deliveries: Deliveries, notes: Notes) -> None:
    request = deliveries.receive()
    request._announce_revoked("revoked", False, None, False)
    assert (notes.starts, notes.ends) == ([], [(TASK, TaskOutcome.REVOKED, None)])


def test_a_message_that_a_worker_had_before_is_told_when_it_arrives(deliveries: Deliveries, notes: Notes) -> None:
    deliveries.receive()
    deliveries.receive(redelivered=True)
    assert notes.redeliveries == [TASK]


def test_a_name_that_the_publisher_made_up_is_not_told(deliveries: Deliveries, notes: Notes) -> None:
    """Celery shows a task under the name of its header `shadow`."""
    deliveries.start(shadow="x" * 1000).on_success((0, None, 0.1))
    assert {name for name, *_ in (*notes.starts, *notes.ends)} == {TASK}


def test_what_never_becomes_a_delivery_is_told_as_rejected(deliveries: Deliveries, notes: Notes) -> None:
    """A name of no task, and a message that cannot be read: the consumer gives both up."""
    signals.task_rejected.send(sender=None, message=None, exc=None)
    assert notes.ends == [("", TaskOutcome.REJECTED, None)]


class OwnRequest(Request):
    """Of an application that wants to know when its tasks fail."""

    failures = 0

    def on_failure(self, exc_info: Any, **options: Any) -> None:
        self.failures += 1
        super().on_failure(exc_info, **options)


def test_a_request_class_of_the_application_stays(notes: Notes) -> None:
    """What it does with its deliveries is done, and observed."""
    deliveries = Deliveries(notes, Request=OwnRequest)
    request = deliveries.start()
    request.on_failure(raised(ValueError("no")), return_ok=True)
    deliveries.close()
    assert (request.failures, notes.outcomes) == (1, ["failed"])
