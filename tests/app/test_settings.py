"""Celery's settings, one row a promise, and what a delay becomes under them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from celery import Celery

from app.application import load_application, register_tasks
from app.connections import read_connections
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
