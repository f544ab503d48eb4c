"""The web layer's page on a real broker and on the running fleet."""

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import amqp
import pytest
from amqp.exceptions import AccessRefused

from app.broker import connect_broker
from app.connections import read_connections
from app.web.page.depths import BrokerAwayError, Depth, QueueDepths
from tests.app.page.reading import text_of
from tests.cluster.brokers import Broker, DeclaredFleet, declared, plan_of
from tests.cluster.running_fleet import RunningFleet, eventually
from tests.cluster.sample_tasks import TASK_OF_QUEUE, arguments

pytestmark = pytest.mark.cluster

CATALOGUE = Path(__file__).parents[2] / "queues.yaml"


def _message() -> amqp.Message:
    return amqp.Message("{}")


@pytest.fixture(scope="module")
def sample(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeclaredFleet]:
    """The repository's own queues, one of them in shards."""
    folder = tmp_path_factory.mktemp("sample")
    with declared(broker, plan_of(CATALOGUE.read_text(encoding="utf-8"), folder)) as found:
        yield found


@pytest.fixture
def depths(sample: DeclaredFleet) -> Iterator[QueueDepths]:
    """As the web layer asks: by the user that publishes."""
    connections = read_connections(sample.environment("producer"))
    made = QueueDepths(lambda: connect_broker(connections, sample.plan.topology.vhost, name="page"), time.time)
    yield made
    made.close()


def test_the_web_layer_may_ask_how_long_every_queue_is(sample: DeclaredFleet, depths: QueueDepths) -> None:
    """Shards, dead letters and what nothing routes; a message that waits counts, and so does a worker that takes."""
    with sample.connection("producer") as publisher:
        publisher.channel().basic_publish_confirm(_message(), exchange="tasks", routing_key="high")
    with sample.connection("worker") as worker:
        worker.channel().basic_consume("reports", callback=print)
        found = {queue: depths.ask(queue) for queue in sample.plan.counted_queues}
    assert {queue: (at.ready, at.consumers) for queue, at in found.items() if at.ready or at.consumers} == {
        "high": (1, 0),
        "reports": (0, 1),
    }
    assert {"default-0", "default-1", "high-dead", "unrouted"} <= found.keys()


def test_a_queue_that_is_not_there_is_none_and_one_that_is_not_ours_is_no_answer(
    sample: DeclaredFleet, depths: QueueDepths
) -> None:
    """RabbitMQ tells a user without a right on its name nothing of a queue, not even that it is missing."""
    vhost = sample.plan.topology.vhost
    sample.broker.delete(f"/queues/{vhost}/reports-dead")
    missing = depths.ask("reports-dead")
    assert (missing.ready, missing.consumers) == (None, 0)
    with pytest.raises(BrokerAwayError, match="AccessRefused"):
        depths.ask("of-nobody")
    assert isinstance(depths.ask("high"), Depth)


MORE_THAN_ASKING: dict[str, Callable[[Any, str], object]] = {
    "takes-a-message": lambda channel, queue: channel.basic_get(queue),
    "empties-it": lambda channel, queue: channel.queue_purge(queue),
    "deletes-it": lambda channel, queue: channel.queue_delete(queue),
    "binds-it": lambda channel, queue: channel.queue_bind(queue, "tasks", routing_key="#"),
    "goes-past-the-routing": lambda channel, queue: channel.basic_publish_confirm(_message(), "", queue),
}


@pytest.mark.parametrize("queue", ["high", "high-dead"])
@pytest.mark.parametrize("attempt", MORE_THAN_ASKING.values(), ids=MORE_THAN_ASKING)
def test_who_may_ask_a_queue_may_do_nothing_else_to_it(
    sample: DeclaredFleet, queue: str, attempt: Callable[[Any, str], object]
) -> None:
    """The right by which the web layer asks opens nothing more."""
    with sample.connection("producer") as producer, pytest.raises(AccessRefused):
        attempt(producer.channel(), queue)


def test_the_running_fleet_shows_how_each_promise_is_kept(fleet: RunningFleet) -> None:
    """What the workers counted and what the broker says, through the rights and the network of the pods; a task that failed is named."""
    for task in [
        fleet.enqueue(TASK_OF_QUEUE["high"], kwargs=arguments("high", f"page-{number}")) for number in range(5)
    ]:
        assert fleet.result(task, within_seconds=90)["state"] == "SUCCESS"
    failing = fleet.enqueue(TASK_OF_QUEUE["default"], kwargs={"template": "there-is-none", "values": {}})
    assert fleet.result(failing, within_seconds=90)["state"] == "FAILURE"

    def look() -> str | None:
        with fleet.http() as client:
            answer = client.get("/fleet")
        assert answer.status_code == 200
        said = text_of(answer.text)
        whole = "not known" not in said and "not asked yet" not in said and "no answer" not in said
        counted = re.search(r"high (kept|broken|at risk) .*?% of [\d,]+ did in the last 15 min", said)
        return said if whole and counted and TASK_OF_QUEUE["default"] in said else None

    said = eventually(look, within_seconds=60, waiting_for="a page with something to say of everything")
    assert re.search(r"\b[1-9]\d* of \d+ to \d+", said), "the pods of some queue are at work"
    assert "there-is-none" not in said
    assert "Broker, messages and pods: read" in said
