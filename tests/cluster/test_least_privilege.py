"""What each user of a fleet may do in the real broker, and what it is refused: the regular expressions of its rights, tried."""

from collections.abc import Callable, Iterator

import amqp
import httpx
import pytest

from tests.cluster.brokers import PASSWORD, Broker, DeclaredFleet, declared, plan_of

pytestmark = pytest.mark.cluster

CATALOGUE = {
    "application": "tests.cluster.pool_tasks:app",
    "defaults": {
        "profile": "io",
        "runtime": {"mean": "10ms", "p99": "100ms", "limit": "10s"},
        "load": {"peak": "1/s"},
    },
    "queues": {"plain": {"tasks": ["pools.plain.*"]}, "spread": {"tasks": ["pools.spread.*"], "shards": 2}},
}

Act = Callable[[amqp.Channel], object]


def publish(exchange: str, routing_key: str = "plain") -> Act:
    """Sends a message, and waits until it is confirmed or refused."""
    return lambda channel: channel.basic_publish(amqp.Message("{}"), exchange=exchange, routing_key=routing_key)


def take(queue: str) -> Act:
    return lambda channel: channel.basic_get(queue)


def purge(queue: str) -> Act:
    return lambda channel: channel.queue_purge(queue)


def delete(queue: str) -> Act:
    return lambda channel: channel.queue_delete(queue)


def declare(queue: str) -> Act:
    """A queue that is not there yet, gone with its connection."""
    return lambda channel: channel.queue_declare(queue, exclusive=True, durable=False)


def declare_exchange(exchange: str, kind: str = "topic") -> Act:
    return lambda channel: channel.exchange_declare(exchange, kind, auto_delete=False, durable=True)


def bind(queue: str, exchange: str) -> Act:
    return lambda channel: channel.queue_bind(queue, exchange, "#")


def unbind(queue: str, exchange: str) -> Act:
    return lambda channel: channel.queue_unbind(queue, exchange, queue)


@pytest.fixture(scope="module")
def guarded_fleet(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeclaredFleet]:
    with declared(broker, plan_of(CATALOGUE, tmp_path_factory.mktemp("guarded"))) as found:
        yield found


ALLOWED: list[tuple[str, str, Act]] = [
    ("producer", "sends-a-task", publish("tasks")),
    ("producer", "sends-a-task-for-later", publish("celery_delayed_1", "0.plain")),
    ("producer", "cancels-a-task", declare_exchange("celery.pidbox", "fanout")),
    ("worker", "takes-a-task", take("plain")),
    ("worker", "takes-a-task-of-a-shard", take("spread-1")),
    ("worker", "sends-a-task", publish("tasks")),
    ("worker", "sends-a-retry", publish("celery_delayed_0", "plain")),
    ("worker", "listens-to-remote-control", declare("worker-a.celery.pidbox")),
    ("topology", "declares-the-delay", declare_exchange("celery_delayed_3")),
    ("topology", "binds-a-queue-to-the-delay", bind("plain", "celery_delayed_delivery")),
    ("operator", "takes-a-dead-letter", take("plain-dead")),
    ("operator", "takes-what-had-no-route", take("unrouted")),
    ("operator", "sends-it-back-by-the-queues-name", publish("")),
]

REFUSED: list[tuple[str, str, Act]] = [
    ("producer", "goes-past-the-routing", publish("")),
    ("producer", "takes-a-task", take("plain")),
    ("producer", "takes-a-dead-letter", take("plain-dead")),
    ("producer", "takes-what-had-no-route", take("unrouted")),
    ("producer", "empties-a-queue", purge("plain")),
    ("producer", "deletes-a-queue", delete("plain")),
    ("producer", "makes-a-queue", declare("mine")),
    ("producer", "listens-to-all-tasks", bind("plain", "tasks")),
    ("worker", "goes-past-the-routing", publish("")),
    ("worker", "writes-what-had-no-route", publish("unrouted")),
    ("worker", "takes-a-dead-letter", take("plain-dead")),
    ("worker", "takes-what-had-no-route", take("unrouted")),
    ("worker", "takes-what-is-delayed", take("celery_delayed_0")),
    ("worker", "deletes-a-queue", delete("plain")),
    ("worker", "makes-a-queue", declare("mine")),
    ("worker", "makes-an-exchange", declare_exchange("mine")),
    ("worker", "unbinds-a-queue", unbind("plain", "tasks")),
    ("autoscaler", "sends-a-task", publish("tasks")),
    ("autoscaler", "takes-a-task", take("plain")),
    ("autoscaler", "empties-a-queue", purge("plain")),
    ("autoscaler", "takes-a-dead-letter", take("plain-dead")),
    ("autoscaler", "makes-a-queue", declare("mine")),
    ("topology", "takes-a-task", take("plain")),
    ("topology", "takes-a-dead-letter", take("plain-dead")),
    ("topology", "deletes-a-queue", delete("plain")),
    ("topology", "makes-a-queue", declare("mine")),
    ("operator", "takes-a-task", take("plain")),
    ("operator", "sends-a-new-task", publish("tasks")),
    ("operator", "deletes-dead-letters-unread", delete("plain-dead")),
    ("operator", "makes-a-queue", declare("mine")),
]


def rows(table: list[tuple[str, str, Act]]) -> list[object]:
    return [pytest.param(user, act, id=f"{user}-{said}") for user, said, act in table]


@pytest.mark.parametrize(("user", "act"), rows(ALLOWED))
def test_what_a_user_needs_it_may(guarded_fleet: DeclaredFleet, user: str, act: Act) -> None:
    """Whatever is not done ends in an exception."""
    with guarded_fleet.connection(user) as connection, connection.channel() as channel:
        act(channel)
        assert channel.is_open


@pytest.mark.parametrize(("user", "act"), rows(REFUSED))
def test_what_a_user_does_not_need_it_may_not(guarded_fleet: DeclaredFleet, user: str, act: Act) -> None:
    with (
        guarded_fleet.connection(user) as connection,
        connection.channel() as channel,
        pytest.raises(amqp.exceptions.AccessRefused),
    ):
        act(channel)


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        pytest.param("GET", "/queues/{vhost}/plain", 200, id="sees-how-long-a-queue-is"),
        pytest.param("POST", "/queues/{vhost}/plain/get", 401, id="reads-no-message"),
        pytest.param("DELETE", "/queues/{vhost}/plain/contents", 401, id="empties-no-queue"),
        pytest.param("DELETE", "/queues/{vhost}/plain", 401, id="deletes-no-queue"),
        pytest.param("PUT", "/policies/{vhost}/mine", 401, id="makes-no-policy"),
        pytest.param("GET", "/users", 401, id="sees-no-users"),
    ],
)
def test_the_autoscaler_sees_counts_alone(guarded_fleet: DeclaredFleet, method: str, path: str, expected: int) -> None:
    """Over the management API, which is how KEDA asks."""
    vhost, api = guarded_fleet.plan.topology.vhost, guarded_fleet.broker.api
    bodies = {
        "POST": {"count": 1, "ackmode": "ack_requeue_true", "encoding": "auto"},
        "PUT": {"pattern": ".*", "definition": {"max-length": 1}},
    }
    answer = httpx.request(
        method, f"{str(api.base_url).rstrip('/')}{path.format(vhost=vhost)}",
        auth=(f"{vhost}-autoscaler", PASSWORD), json=bodies.get(method), timeout=30,
    )  # fmt: skip
    assert answer.status_code == expected, answer.text
