"""What becomes of the message of a task that ends in a failure, over a connection that is not there."""

from typing import Any

import pytest
from billiard.einfo import ExceptionInfo
from celery import Celery
from celery.exceptions import Ignore, Reject, Retry
from kombu.message import Message

from app.worker.failures import KeptRequest, keep_failed_tasks
from fleet.documents import worker_document
from tests.infra.samples import full_plan, queue_of


def pay() -> None:
    """Never run."""


def app_of(queue: str) -> Celery:
    """An application whose worker would consume a queue of the sample; `orders` keeps failed tasks."""
    app = Celery("shop", broker="memory://", set_as_current=False)
    app.conf.task_acks_late = True
    app.task(name="shop.pay", shared=False)(pay)
    app.finalize()
    plan = full_plan()
    sample = queue_of(plan, queue)
    keep_failed_tasks(app, worker_document(plan, sample, sample.topology.shards[0]))
    return app


@pytest.mark.parametrize(
    ("queue", "kept"), [pytest.param("orders", True, id="as-stated"), pytest.param("mail", False, id="not-by-default")]
)
def test_only_a_queue_that_says_so_keeps_failed_tasks(queue: str, kept: bool) -> None:
    """Celery's own tasks are never kept."""
    app = app_of(queue)
    requests = {name: task.Request for name, task in app.tasks.items()}
    assert (isinstance(requests["shop.pay"], type) and issubclass(requests["shop.pay"], KeptRequest)) is kept
    assert requests["celery.backend_cleanup"] == "celery.worker.request:Request"


class Delivery:
    """One delivery whose copies go into a list, or nowhere."""

    def __init__(self, *, broken: bool = False) -> None:
        self.copies: list[dict[str, Any]] = []
        self.ends: list[str] = []
        app, delivery = app_of("orders"), self

        class Producer:
            def __enter__(self) -> "Producer":
                return self

            def __exit__(self, *_: object) -> None: ...

            def publish(self, body: Any, **options: Any) -> None:
                if broken:
                    raise OSError
                delivery.copies.append({"body": body, **options})

        app.producer_or_acquire = Producer
        message = Message(
            body="[[], {}, {}]",
            delivery_tag=1,
            content_type="application/json",
            content_encoding="utf-8",
            headers={"id": "1", "task": "shop.pay", "lang": "py", "x-delivery-count": 3, "x-death": []},
            properties={"correlation_id": "1", "priority": 7, "user_id": "someone"},
        )
        self.request: Any = app.tasks["shop.pay"].Request(
            message,
            app=app,
            task=app.tasks["shop.pay"],
            on_ack=lambda *_: self.ends.append("acknowledged"),
            on_reject=lambda *_: self.ends.append("rejected"),
            headers=message.headers,
            body=message.body,
        )

    def end(self, error: Exception) -> None:
        """As the pool does when the task has raised."""
        try:
            raise error
        except Exception:
            self.request.on_failure(ExceptionInfo(), return_ok=True)


def test_a_copy_goes_before_the_acknowledgement() -> None:
    """To the dead-letter queue, with the error, and without what the broker and the publisher wrote for this delivery alone."""
    delivery = Delivery()
    delivery.end(ValueError("no"))
    (copy,) = delivery.copies
    assert delivery.ends == ["acknowledged"]
    assert (copy["exchange"], copy["routing_key"], copy["mandatory"]) == ("tasks", "orders-dead", True)
    assert (copy["body"], copy["priority"], copy["correlation_id"], "user_id" in copy) == (
        "[[], {}, {}]",
        7,
        "1",
        False,
    )
    headers = dict(copy["headers"])
    assert "raise error" in headers.pop("fleet_traceback")
    assert headers.pop("fleet_failed_at") > 0
    assert headers == {
        "id": "1", "task": "shop.pay", "lang": "py", "fleet_error": "ValueError: no", "fleet_failed_in": "orders",
    }  # fmt: skip


def test_a_task_over_its_hard_limit_is_copied_too() -> None:
    """It raises nothing itself."""
    delivery = Delivery()
    delivery.request.on_timeout(False, 8)
    assert (delivery.copies[0]["headers"]["fleet_error"], delivery.ends) == ("TimeLimitExceeded(8,)", ["acknowledged"])
    delivery.request.on_timeout(True, 7)
    assert len(delivery.copies) == 1


@pytest.mark.parametrize(
    ("error", "end"),
    [
        pytest.param(Retry(exc=ValueError("no")), "acknowledged", id="to-be-retried"),
        pytest.param(Ignore(), "acknowledged", id="ignored-as-it-asks"),
        pytest.param(Reject("no", requeue=False), "rejected", id="given-up-by-itself"),
    ],
)
def test_what_is_no_failure_is_not_copied(error: Exception, end: str) -> None:
    delivery = Delivery()
    delivery.end(error)
    assert (delivery.copies, delivery.ends) == ([], [end])


def test_without_a_copy_the_broker_keeps_the_message() -> None:
    """A message that is neither copied nor rejected would be gone."""
    delivery = Delivery(broken=True)
    delivery.end(ValueError("no"))
    assert delivery.ends == ["rejected"]


def test_an_error_whose_text_fails_is_told_by_its_type() -> None:
    class SilentError(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    delivery = Delivery()
    delivery.end(SilentError())
    assert delivery.copies[0]["headers"]["fleet_error"] == "SilentError"


def test_the_error_and_the_traceback_are_bounded() -> None:
    """Of the traceback the end is kept; a header has to fit a frame."""
    delivery = Delivery()
    delivery.end(ValueError("x" * 10_000 + "end"))
    headers = delivery.copies[0]["headers"]
    assert (len(headers["fleet_error"]), len(headers["fleet_traceback"])) == (500, 4000)
    assert headers["fleet_traceback"].strip().endswith("end")
