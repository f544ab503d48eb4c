"""Many tasks at once on a real broker: their order, and what is told of each where only some of them fit."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.enqueuing import Enqueued, Outcome, TaskCall, enqueue_many
from tests.cluster.brokers import Broker, DeclaredFleet, declared, plan_of
from tests.cluster.running_fleet import eventually
from tests.cluster.workers import sender

pytestmark = pytest.mark.cluster

TASK, QUEUE = "pools.mark", "gevent"
CATALOGUE = """
application: tests.cluster.pool_tasks:app
queues:
  gevent:
    tasks: [pools.*]
    profile: io
    runtime: {mean: 300ms, p99: 1s, limit: 4s}
    load: {peak: 1/s}
    memory: 40Mi
"""


@pytest.fixture
def fleet_of_one_queue(broker: Broker, tmp_path: Path) -> Iterator[DeclaredFleet]:
    """Each test has one of its own, since some of them take things away."""
    with declared(broker, plan_of(CATALOGUE, tmp_path)) as found:
        yield found


@pytest.fixture
def app(fleet_of_one_queue: DeclaredFleet) -> Iterator[Any]:
    """A publisher that knows the task and no worker that would take it."""
    made = sender(fleet_of_one_queue)
    made.task(name=TASK, shared=False)(_mark)
    made.finalize()
    yield made
    made.close()


def _mark(log: str, name: str) -> None:
    """Never run."""


def calls(count: int) -> list[TaskCall]:
    return [TaskCall(name=TASK, args=["log", str(number)]) for number in range(count)]


def waiting(fleet: DeclaredFleet, count: int) -> list[str]:
    """Ids of the messages in the queue, in its order; they are taken out."""
    question = {"count": count, "ackmode": "ack_requeue_false", "encoding": "auto"}
    answer = fleet.broker.api.post(f"/queues/{fleet.plan.topology.vhost}/{QUEUE}/get", json=question)
    assert answer.is_success, answer.text
    return [str(message["properties"]["correlation_id"]) for message in answer.json()]


def ids(found: list[Enqueued], outcome: Outcome) -> list[str]:
    return [each.id for each in found if each.outcome is outcome]


def test_the_queue_has_them_in_the_order_of_the_calls(fleet_of_one_queue: DeclaredFleet, app: Any) -> None:
    """Several times as many as may be ahead of their confirms."""
    sent = calls(2000)
    found = enqueue_many(app, sent)
    assert [each.outcome for each in found] == [Outcome.ACCEPTED] * 2000
    assert [each.id for each in found] == [call.id for call in sent]
    assert waiting(fleet_of_one_queue, 2100) == [call.id for call in sent]


def test_a_queue_that_becomes_full_holds_exactly_what_was_accepted(fleet_of_one_queue: DeclaredFleet, app: Any) -> None:
    fleet_of_one_queue.refuse_beyond(QUEUE, 50)

    def until_some_are_refused() -> list[Enqueued] | None:
        # The policy reaches the queue a moment later.
        waiting(fleet_of_one_queue, 1000)
        found = enqueue_many(app, calls(500))
        return found if ids(found, Outcome.REFUSED) else None

    found = eventually(until_some_are_refused, within_seconds=30, waiting_for="a refusal", every_seconds=0.5)
    assert {each.outcome for each in found} == {Outcome.ACCEPTED, Outcome.REFUSED}
    assert {each.reason for each in found if each.reason} == {"the queue is full and refuses messages"}
    assert waiting(fleet_of_one_queue, 1000) == ids(found, Outcome.ACCEPTED)


def test_what_no_queue_takes_is_returned_and_the_others_are_accepted(
    fleet_of_one_queue: DeclaredFleet, app: Any
) -> None:
    """Neither its own queue nor that of unrouted messages; delayed ones are in the tree and safe."""
    vhost, broker = fleet_of_one_queue.plan.topology.vhost, fleet_of_one_queue.broker
    broker.delete(f"/queues/{vhost}/{fleet_of_one_queue.plan.topology.unrouted}")
    broker.delete(f"/queues/{vhost}/{QUEUE}")
    direct, delayed = calls(2), TaskCall(name=TASK, args=["log", "later"], countdown=3600)
    found = enqueue_many(app, [direct[0], delayed, direct[1]])
    assert [each.outcome for each in found] == [Outcome.RETURNED, Outcome.ACCEPTED, Outcome.RETURNED]


def test_a_channel_that_ends_midway_leaves_nothing_refused_in_the_queue(
    fleet_of_one_queue: DeclaredFleet, app: Any
) -> None:
    """A publish to an exchange that is gone closes the channel; the batch ends there and does not hang."""
    vhost = fleet_of_one_queue.plan.topology.vhost
    first = enqueue_many(app, calls(3))
    fleet_of_one_queue.broker.delete(f"/exchanges/{vhost}/{fleet_of_one_queue.plan.topology.exchange}")
    found = enqueue_many(app, calls(2000), timeout_seconds=20)
    assert ids(found, Outcome.ACCEPTED) == []
    assert waiting(fleet_of_one_queue, 2100) == ids(first, Outcome.ACCEPTED)
