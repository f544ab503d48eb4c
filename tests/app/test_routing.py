"""Where a task goes that is published, and which priority its message has."""

from typing import Any

import pytest
from celery import Celery

from app.routing import PriorityError, TaskRouter, UnroutableTaskError
from app.settings import configure
from tests.app.documents import ENVIRONMENT, PRODUCER


def route(name: str, **options: Any) -> dict[str, Any]:
    """The options with which Celery publishes."""
    app: Any = Celery("user", set_as_current=False)
    configure(app, PRODUCER, ENVIRONMENT)
    found: dict[str, Any] = app.amqp.router.route(options, name)
    return found


def test_a_task_goes_to_the_queue_of_its_pattern() -> None:
    assert route("app.tasks.orders.confirm")["queue"].name == "high"


def test_a_named_queue_wins() -> None:
    assert route("app.tasks.orders.confirm", queue="reports")["queue"].name == "reports"


@pytest.mark.parametrize(
    "routing_key", ["reports", ".".join("0" * 28) + ".reports"], ids=["delivered-directly", "delivered-after-a-delay"]
)
def test_a_retry_goes_back_to_the_queue_it_came_from(routing_key: str) -> None:
    """Celery hands the delivery's exchange and key over, which it would not use for a delayed message."""
    found = route("app.tasks.mail.render", exchange="tasks", routing_key=routing_key)
    assert found["queue"].name == "reports"
    assert "exchange" not in found
    assert "routing_key" not in found


def test_a_foreign_key_is_no_queue() -> None:
    assert route("app.tasks.mail.render", exchange="", routing_key="elsewhere")["queue"].name == "default"


def test_a_retry_of_another_publishers_message_goes_by_the_tasks_name() -> None:
    """Its routing key is its publisher's own; one that ends in a queue's name says nothing of that queue."""
    found = route("app.tasks.mail.render", exchange="ingress", routing_key="events.reports")
    assert found["queue"].name == "default"


def test_a_message_that_nothing_takes_comes_back() -> None:
    found = route("app.tasks.mail.render")
    assert found["mandatory"] is True
    assert found["confirm_timeout"] > 0


def test_a_task_without_a_queue_is_refused_by_name() -> None:
    with pytest.raises(UnroutableTaskError, match=r"shop\.unknown"):
        TaskRouter(PRODUCER, confirm_timeout_seconds=1)("shop.unknown", (), {}, {})


# Priorities


@pytest.mark.parametrize(
    ("name", "options", "priority"),
    [
        pytest.param("shop.orders.book", {}, 4, id="no-pattern-takes-it"),
        pytest.param("shop.orders.cancel", {}, 9, id="by-its-name"),
        pytest.param("shop.orders.bulk.import", {}, 0, id="by-a-pattern"),
        pytest.param("app.tasks.mail.bulk.send", {}, 4, id="a-pattern-counts-in-its-own-queue"),
        pytest.param("shop.orders.bulk.import", {"queue": "reports"}, 1, id="the-queue-that-the-caller-names-counts"),
        pytest.param("shop.orders.cancel", {"queue": "reports"}, 4, id="and-not-the-tasks-own"),
        pytest.param("shop.orders.cancel", {"priority": None}, 9, id="none-is-no-priority"),
        pytest.param("shop.orders.cancel", {"priority": 0}, 0, id="the-callers-own-the-lowest"),
        pytest.param("shop.orders.bulk.import", {"priority": 31}, 31, id="the-callers-own-the-highest"),
        pytest.param(
            "app.tasks.mail.render", {"exchange": "tasks", "routing_key": "0.1.default", "priority": 7}, 7,
            id="a-retry-keeps-that-of-its-message",
        ),
        pytest.param(
            "shop.orders.cancel", {"exchange": "ingress", "routing_key": "a.b", "priority": None}, 9,
            id="a-retry-of-a-message-without-one",
        ),
        pytest.param(
            "shop.orders.cancel", {"exchange": "ingress", "routing_key": "a.b", "priority": 255}, 31,
            id="a-retry-of-a-message-with-more-than-there-is",
        ),
    ],
)  # fmt: skip
def test_every_message_carries_a_priority(name: str, options: dict[str, Any], priority: int) -> None:
    """The catalogue's, unless its caller has one: without any, kombu would write 0, which RabbitMQ serves last."""
    assert route(name, **options)["priority"] == priority


@pytest.mark.parametrize("asked", [-1, 32, 4.0, "9", True], ids=["below", "above", "a-fraction", "a-text", "a-truth"])
def test_a_priority_that_no_queue_has_is_refused(asked: object) -> None:
    """In words, where it is asked for; RabbitMQ would take it for another."""
    with pytest.raises(PriorityError, match="0 to 31") as caught:
        route("shop.orders.book", priority=asked)
    assert repr(asked) in caught.value.problem


@pytest.mark.parametrize(
    ("options", "given", "priority"),
    [
        pytest.param({}, {}, 9, id="by-the-catalogue"),
        pytest.param({"priority": 2}, {}, 2, id="by-the-tasks-own-attribute"),
        pytest.param({"priority": 2}, {"priority": 7}, 7, id="by-its-caller"),
    ],
)
@pytest.mark.parametrize("by_name", [False, True], ids=["apply-async", "send-task"])
# Celery discourages `priority=` of a task since 5.7; applications have it all the same.
@pytest.mark.filterwarnings("ignore::celery.exceptions.CDeprecationWarning")
def test_what_is_published_has_the_priority(
    monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], given: dict[str, Any], priority: int, *, by_name: bool
) -> None:
    """Through Celery's own publish, with an application that has a default of its own."""
    app = Celery("user", set_as_current=False)
    app.conf.task_default_priority = 5

    @app.task(name="shop.orders.cancel", shared=False, **options)
    def cancel() -> None:
        """A task."""

    configure(app, PRODUCER, ENVIRONMENT)
    app.finalize()
    seen: list[int] = []

    def publish(producer: object, name: str, message: object, **properties: Any) -> None:
        seen.append(properties["priority"])

    monkeypatch.setattr(app.amqp, "send_task_message", publish)
    monkeypatch.setattr(type(app.backend), "on_task_call", lambda *_: None)
    if by_name:
        app.send_task("shop.orders.cancel", **given)
    else:
        app.tasks["shop.orders.cancel"].apply_async(**given)
    assert seen == [priority]
