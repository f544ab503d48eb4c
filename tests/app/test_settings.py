"""Celery's settings, one row a promise, and what a publish does under them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from celery import Celery

from app.application import load_application, register_tasks
from app.connections import read_connections
from app.routing import PriorityError, TaskRouter, UnroutableTaskError
from app.settings import configure, derive_settings
from app.worker.running import worker_options
from fleet.documents import ProducerDocument, WorkerDocument
from fleet.errors import FleetError
from tests.app.documents import ENVIRONMENT, GEVENT, PRODUCER, SPOT_PREFORK, worker_document


def configured(document: ProducerDocument | WorkerDocument = PRODUCER, **environment: str) -> Any:
    """An application of a user's own, configured."""
    app = Celery("user", set_as_current=False)
    configure(app, document, {**ENVIRONMENT, **environment})
    return app


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param("task_create_missing_queues", False, id="a-misspelt-queue-makes-no-classic-queue"),
        pytest.param("task_default_exchange_type", "topic", id="a-direct-exchange-has-no-native-delays"),
        pytest.param("task_default_queue", "unrouted", id="what-has-no-route-ends-where-people-look"),
        pytest.param("task_default_priority", None, id="a-task-takes-no-priority-before-the-router"),
        pytest.param("task_serializer", "json", id="nothing-is-pickled"),
        pytest.param("accept_content", ["json"], id="nothing-pickled-is-read"),
        pytest.param("task_publish_retry", True, id="a-connection-that-died-in-the-pool-is-replaced"),
        pytest.param("broker_channel_error_retry", True, id="a-reconnect-that-meets-its-old-queue-does-not-kill"),
        pytest.param("broker_connection_max_retries", None, id="an-outage-ends-no-worker"),
        pytest.param("broker_connection_retry_on_startup", True, id="a-worker-may-start-before-its-broker"),
        pytest.param("broker_heartbeat", 30, id="a-dead-peer-is-noticed-within-a-minute"),
        pytest.param("broker_vhost", "shop", id="one-vhost-a-fleet"),
        pytest.param("control_queue_durable", True, id="rabbitmq-4.3-refuses-transient-shared-queues"),
        pytest.param("control_queue_exclusive", False, id="a-reconnect-meets-no-locked-queue"),
        pytest.param("result_expires", 86400, id="results-are-kept-for-a-day"),
        pytest.param("worker_prefetch_multiplier", 1, id="unacknowledged-means-busy"),
        pytest.param("worker_concurrency", 8, id="the-slots-are-those-of-the-plan"),
        pytest.param("task_acks_late", True, id="a-lost-pod-loses-no-task"),
        pytest.param("task_reject_on_worker_lost", True, id="a-lost-child-loses-no-task"),
        pytest.param("task_time_limit", 5.0, id="the-hard-limit-is-that-of-the-plan"),
        pytest.param("task_soft_time_limit", None, id="gevent-has-no-soft-limit"),
        pytest.param("worker_max_memory_per_child", None, id="gevent-has-no-children"),
        pytest.param(
            "worker_cancel_long_running_tasks_on_connection_loss", True, id="no-second-copy-beside-a-redelivered-task"
        ),
        pytest.param("worker_soft_shutdown_timeout", 0, id="on-demand-workers-finish-what-they-have"),
        pytest.param("worker_consumer", "app.worker.consumer:QueueConsumer", id="workers-declare-no-delay-tree"),
    ],
)
def test_an_io_worker_has_the_setting(name: str, value: object) -> None:
    assert configured(worker_document()).conf[name] == value


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param("worker_soft_shutdown_timeout", 100, id="running-tasks-get-most-of-the-spot-notice"),
        pytest.param("task_soft_time_limit", 25.0, id="a-task-can-tidy-up"),
        pytest.param("task_time_limit", 30.0, id="and-is-ended-then"),
        pytest.param("worker_max_memory_per_child", 400 * 1024, id="celery-counts-kibibytes"),
        pytest.param("worker_max_tasks_per_child", 50, id="children-are-replaced-after-their-tasks"),
        pytest.param("worker_prefetch_multiplier", 4, id="messages-are-taken-ahead-where-the-catalogue-says-so"),
    ],
)
def test_a_cpu_worker_on_spot_has_the_setting(name: str, value: object) -> None:
    assert configured(worker_document("reports", worker=SPOT_PREFORK)).conf[name] == value


def test_publishes_are_confirmed() -> None:
    """Without confirms a message that a full quorum queue refuses is lost silently."""
    assert configured().conf.broker_transport_options["confirm_publish"] is True


def test_a_web_request_outlives_its_bounded_retries() -> None:
    """Connect, publish, reconnect, publish again: within the five seconds of an answer, not counting a thread's overall bound."""
    conf = configured().conf
    assert conf.task_publish_retry_policy["max_retries"] == 1
    assert conf.broker_connection_timeout <= 2


def test_nothing_is_declared_by_a_process_of_the_fleet() -> None:
    """The least-privilege users may not, and the infrastructure owns the topology."""
    for queue in configured(worker_document("default", "default-1")).amqp.queues.values():
        assert queue.no_declare
        assert queue.exchange.no_declare


def test_every_setting_says_why() -> None:
    for name, setting in derive_settings(worker_document(), read_connections(ENVIRONMENT)).items():
        assert len(setting.reason) > 10, name


def test_each_logical_queue_is_a_routing_key_of_the_one_exchange() -> None:
    queues = configured().amqp.queues
    assert {name: (queue.exchange.name, queue.exchange.type, queue.routing_key) for name, queue in queues.items()} == {
        "high": ("tasks", "topic", "high"),
        "default": ("tasks", "topic", "default"),
        "reports": ("tasks", "topic", "reports"),
        "unrouted": ("tasks", "topic", "unrouted"),
    }


def test_a_shard_is_known_to_its_worker_beside_the_logical_queues() -> None:
    """It consumes the shard and may still publish to the logical queue."""
    queues = configured(worker_document("default", "default-1")).amqp.queues
    assert {"default", "default-1"} <= set(queues)


def test_a_worker_consumes_its_shard_alone_and_talks_to_no_other() -> None:
    options = worker_options(worker_document("default", "default-1"), "pod-7")
    assert options["queues"] == ["default-1"]
    assert options["hostname"] == "default-1@pod-7"
    assert options["without_gossip"]
    assert options["without_mingle"]
    assert options["without_heartbeat"]


@pytest.mark.parametrize("document", [PRODUCER, worker_document()], ids=["web", "worker"])
def test_no_credential_shows(document: ProducerDocument | WorkerDocument) -> None:
    """Neither in representations, nor in what Celery prints about its settings or its connection."""
    app = configured(document)
    connection = app.connection_for_write()
    shown = [
        repr(app.conf),
        str(dict(app.conf)),
        app.conf.humanize(with_defaults=True),
        repr(connection),
        connection.as_uri(),
        repr(read_connections(ENVIRONMENT)),
    ]
    assert connection.password == "broker-secret"
    for text in shown:
        assert "broker-secret" not in text
        assert "results-secret" not in text


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        pytest.param({"FLEET_BROKER_HOST": ""}, "FLEET_BROKER_HOST", id="no-host"),
        pytest.param({"FLEET_BROKER_PASSWORD": ""}, "FLEET_BROKER_PASSWORD", id="no-password"),
        pytest.param({"FLEET_RESULTS_PORT": "six"}, "FLEET_RESULTS_PORT is 'six'", id="a-port-that-is-none"),
        pytest.param({"FLEET_RESULTS_TLS": "yes"}, "FLEET_RESULTS_TLS is 'yes'", id="a-word-that-may-mean-either"),
    ],
)
def test_a_wrong_environment_is_named(missing: dict[str, str], message: str) -> None:
    with pytest.raises(FleetError, match=message) as caught:
        read_connections({**ENVIRONMENT, **missing})
    assert "secret" not in str(caught.value)


# Routing


def route(name: str, **options: Any) -> dict[str, Any]:
    """The options with which Celery publishes."""
    found: dict[str, Any] = configured().amqp.router.route(options, name)
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


# Delays


def sent_countdown(**call: Any) -> float | None:
    """The countdown that reaches Celery's own `send_task`."""
    app = Celery("delays", set_as_current=False)
    seen: list[float | None] = []
    app.send_task = lambda name, args, kwargs, countdown=None, eta=None, **options: seen.append(countdown)
    configure(app, PRODUCER, ENVIRONMENT)
    app.send_task("app.tasks.mail.render", **call)
    return seen[0]


@pytest.mark.parametrize(
    ("countdown", "seconds"),
    [
        pytest.param(0.2, 1, id="below-a-second-is-one"),
        pytest.param(1.5, 2, id="a-fraction-is-never-early"),
        pytest.param(7, 7, id="whole-seconds-stay"),
        pytest.param(0, None, id="no-delay"),
        pytest.param(-3, None, id="what-is-due-already-goes-at-once"),
        pytest.param(None, None, id="nothing-said"),
    ],
)
def test_delays_are_whole_seconds(countdown: float | None, seconds: int | None) -> None:
    assert sent_countdown(countdown=countdown) == seconds


def test_an_eta_becomes_a_countdown() -> None:
    """Celery would cut it down to whole seconds and hold the early message in a worker."""
    assert sent_countdown(eta=datetime.now(UTC) + timedelta(seconds=9.5)) == 10


def test_a_delay_that_the_tree_cannot_hold_is_refused() -> None:
    """Its key would be silently wrong."""
    with pytest.raises(ValueError, match="longer than the broker can hold"):
        sent_countdown(countdown=2**28)


# Applications


def test_a_users_application_is_found_with_its_tasks() -> None:
    assert register_tasks(load_application("app.celery_app:celery_app")) == [
        "app.tasks.images.thumbnail",
        "app.tasks.mail.render",
        "app.tasks.orders.charge",
        "app.tasks.orders.confirm",
        "app.tasks.reports.build",
    ]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        pytest.param("app.celery_app", "module:attribute", id="no-attribute"),
        pytest.param("nowhere.at_all:app", "cannot be imported", id="no-module"),
        pytest.param("app.celery_app:missing", "is nothing", id="nothing-there"),
        pytest.param("app.settings:Setting", "no Celery application", id="something-else"),
    ],
)
def test_an_application_that_is_none_is_named(name: str, message: str) -> None:
    with pytest.raises(FleetError, match=message):
        load_application(name)


def test_settings_are_the_same_for_every_pool_of_a_plan() -> None:
    """The plan's constants are written unchanged: what the autoscaler counts with is what runs."""
    assert configured(worker_document(worker=GEVENT)).conf.worker_concurrency == GEVENT.concurrency
