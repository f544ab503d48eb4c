"""A publisher that is not Celery, on a real broker: the documented message, sent with a plain AMQP client as the user `ingress`."""

import json
import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import amqp
import pytest

from tests.cluster.brokers import Broker, DeclaredFleet, declared, plan_of
from tests.cluster.running_fleet import ROOT, eventually
from tests.cluster.workers import lines, working

pytestmark = pytest.mark.cluster

PAGE = ROOT / "docs/how-to/publish-without-celery.md"

CATALOGUE = """
application: tests.cluster.pool_tasks:app
queues:
  gevent:
    tasks: [pools.*]
    profile: io
    runtime: {mean: 300ms, p99: 1s, limit: 4s}
    load: {peak: 1/s}
    memory: 40Mi
    binds: ["billing.#"]
  spread:
    tasks: [spread.*]
    profile: io
    runtime: {mean: 300ms, p99: 1s, limit: 4s}
    load: {peak: 1/s}
    memory: 40Mi
    shards: 2
    binds: ["spread.*"]
    dead_letter: {keep: 4s}
"""


@pytest.fixture(scope="module")
def fleet_with_patterns(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeclaredFleet]:
    with declared(broker, plan_of(CATALOGUE, tmp_path_factory.mktemp("ingress"))) as found:
        yield found


def documented() -> dict[str, Any]:
    """The message of the page."""
    (block,) = re.findall(r"```json\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    message: dict[str, Any] = json.loads(block)
    return message


class Publisher:
    """A plain AMQP client with confirms."""

    def __init__(self, fleet: DeclaredFleet) -> None:
        self.connection = fleet.connection("ingress")
        self.connection.connect()

    def publish(self, message: dict[str, Any]) -> None:
        """Send one message and wait for its confirm."""
        wire = amqp.Message(
            json.dumps(message["body"]), application_headers=message["headers"], **message["properties"]
        )
        with self.connection.channel() as channel:
            channel.basic_publish(wire, exchange=message["exchange"], routing_key=message["routing_key"])


@pytest.fixture
def publisher(fleet_with_patterns: DeclaredFleet) -> Iterator[Publisher]:
    found = Publisher(fleet_with_patterns)
    yield found
    found.connection.close()


def with_new_id(message: dict[str, Any], routing_key: str, task: str, args: list[Any]) -> dict[str, Any]:
    """The message for another task and key."""
    new = str(uuid.uuid4())
    return {
        **message,
        "routing_key": routing_key,
        "properties": {**message["properties"], "correlation_id": new},
        "headers": {**message["headers"], "task": task, "id": new, "root_id": new},
        "body": [args, *message["body"][1:]],
    }


def test_the_documented_message_runs_a_task(
    fleet_with_patterns: DeclaredFleet, publisher: Publisher, tmp_path: Path
) -> None:
    """Its headers are enough for a worker, also for a task that is retried after a delay."""
    log = tmp_path / "events"
    with working(fleet_with_patterns, "gevent", tmp_path) as worker:
        publisher.publish(with_new_id(documented(), "billing.paid", "pools.mark", [str(log), "from-outside"]))
        publisher.publish(with_new_id(documented(), "billing", "pools.again", [str(log), "retried", 1]))
        seen = lines(log, 2)
        assert worker.stop() == 0
    assert sorted(seen) == ["ran from-outside", "ran retried"]


def test_a_sharded_queue_takes_other_publishers_messages_spread(
    fleet_with_patterns: DeclaredFleet, publisher: Publisher
) -> None:
    """By correlation id, through the queue's own exchange; what no pattern takes goes where people look."""
    for _ in range(40):
        publisher.publish(with_new_id(documented(), "spread.some", "spread.work", []))
    publisher.publish(with_new_id(documented(), "nobody.asked", "spread.work", []))
    vhost, broker = fleet_with_patterns.plan.topology.vhost, fleet_with_patterns.broker

    def counts() -> list[int] | None:
        found = [broker.messages(vhost, queue) for queue in ("spread-0", "spread-1", "unrouted")]
        return found if sum(found) == 41 else None

    first, second, unrouted = eventually(counts, within_seconds=30, waiting_for="41 messages", every_seconds=0.5)
    assert (first + second, unrouted) == (40, 1)
    assert min(first, second) > 5


@pytest.mark.parametrize("exchange", ["tasks", ""])
def test_another_publisher_reaches_nothing_but_its_exchange(publisher: Publisher, exchange: str) -> None:
    with pytest.raises(amqp.exceptions.AccessRefused):
        publisher.publish({**documented(), "exchange": exchange, "routing_key": "gevent"})


def test_a_dead_letter_is_dropped_when_its_time_is_over(fleet_with_patterns: DeclaredFleet) -> None:
    """A quorum queue takes `message-ttl` from a policy."""
    with (
        fleet_with_patterns.connection("topology") as connection,
        connection.channel() as channel,
    ):
        channel.basic_publish(amqp.Message("{}"), exchange="", routing_key="spread-dead")

        def messages() -> int:
            return int(channel.queue_declare("spread-dead", passive=True).message_count)

        assert messages() == 1
        eventually(
            lambda: True if messages() == 0 else None, within_seconds=30, waiting_for="the drop", every_seconds=0.5
        )
