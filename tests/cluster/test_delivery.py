"""Over generated catalogues, on a real broker: every task is delivered exactly once, to exactly its queue.

Direct, delayed and retried tasks alike, sharded queues included, published by Celery itself with the settings of the web layer and of the workers.
"""

import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from celery.app.task import Context
from hypothesis import HealthCheck, Phase, example, given, settings
from kombu import Queue

from app.broker import connect_broker
from app.connections import read_connections
from app.settings import configure
from fleet.documents import producer_document, worker_document
from tests.cluster.brokers import READER, Broker, DeclaredFleet, declared, new_name, plan_of
from tests.fleet.strategies import Raw, catalogues

pytestmark = pytest.mark.cluster

EXAMPLES = 5
DIRECT, DELAYED, RETRIED = 6, 4, 3
"""Messages of each kind to each queue."""

DELAY_SECONDS = 1.5
ARRIVAL_SECONDS = 30.0
SETTLED_SECONDS = 1.5
"""Time in which a second copy would show: it is sent in the same moment as the first."""


def _queue(index: int, shards: int) -> Raw:
    return {
        "tasks": [f"shop.tasks.q{index}.*"],
        "profile": "io",
        "runtime": {"mean": "100ms", "p99": "1s", "limit": "5s"},
        "load": {"peak": "1/s"},
        "memory": "40Mi",
        "shards": shards,
    }


ALWAYS: Raw = {
    "application": "shop.celery:app",
    "queues": {"mail": _queue(0, 3), "mail-bulk": _queue(1, 1), "bulk": _queue(2, 2)},
}
"""Whatever else is drawn: sharded queues beside a plain one, with names that begin and end alike."""


def _work() -> None:
    """Never run: the messages are counted, not the work."""


def application(fleet: DeclaredFleet, user: str) -> Any:
    """A Celery application with one task a queue, configured as a pod of `user` is."""
    app = Celery("delivery", set_as_current=False)
    for index, _ in enumerate(fleet.plan.queues):
        app.task(name=f"shop.tasks.q{index}.do", shared=False)(_work)
    first = fleet.plan.queues[0]
    document = (
        worker_document(fleet.plan, first, first.topology.shards[0])
        if user == "worker"
        else producer_document(fleet.plan)
    )
    configure(app, document, fleet.environment(user))
    app.finalize()
    return app


def send_all(fleet: DeclaredFleet) -> dict[str, str]:
    """Send every kind to every queue; task id -> logical queue."""
    web, worker = application(fleet, "producer"), application(fleet, "worker")
    sent: dict[str, str] = {}
    for index, queue in enumerate(fleet.plan.queues):
        name = f"shop.tasks.q{index}.do"
        for number in range(DIRECT):
            # A priority of its own for one, a named queue for another: neither changes where it goes.
            variants: list[dict[str, Any]] = [{}, {"priority": 9}, {"queue": queue.name}]
            sent[web.tasks[name].apply_async((), **variants[number % 3]).id] = queue.name
        for number in range(DELAYED):
            delay = DELAY_SECONDS if number % 2 else 0.3
            sent[web.tasks[name].apply_async((), countdown=delay).id] = queue.name
        for number in range(RETRIED):
            # The last one is a task of another queue that was sent here by name: its retry stays here too.
            other = (index + 1) % len(fleet.plan.queues) if number == RETRIED - 1 else index
            task = worker.tasks[f"shop.tasks.q{other}.do"]
            sent[retry(task, queue.name, delayed_before=bool(number % 2))] = queue.name
    web.close()
    worker.close()
    return sent


def retry(task: Any, queue: str, *, delayed_before: bool) -> str:
    """Retry a task as a worker does (Celery 5.7, `Task.retry`), from a delivery that came at once or after a delay."""
    key = f"{'.'.join('0' * 27 + '1')}.{queue}" if delayed_before else queue
    request = Context(
        id=new_name(),
        args=(),
        kwargs={},
        headers={},
        retries=0,
        delivery_info={"exchange": "celery_delayed_delivery" if delayed_before else "tasks", "routing_key": key},
    )
    return str(task.signature_from_request(request, countdown=0.4, retries=1).apply_async().id)


def deliveries(fleet: DeclaredFleet, expected: int) -> list[tuple[str, str]]:
    """(broker queue, task id) of everything that arrives anywhere, until all is there and nothing more comes."""
    names = [fleet.plan.topology.unrouted]
    for queue in fleet.plan.queues:
        names += [*queue.topology.shards, queue.topology.dead_letter_queue]
    seen: list[tuple[str, str]] = []
    end, settled = time.monotonic() + ARRIVAL_SECONDS, 0.0
    connections = read_connections(fleet.environment(READER))
    with connect_broker(connections, fleet.plan.topology.vhost, name=READER) as connection:
        queues = [Queue(name, no_declare=True).bind(connection.default_channel) for name in names]
        while time.monotonic() < end and (not settled or time.monotonic() < settled):
            before = len(seen)
            for queue in queues:
                while (message := queue.get(no_ack=True)) is not None:
                    seen.append((queue.name, message.headers["id"]))
            if len(seen) >= expected and not settled:
                settled = time.monotonic() + SETTLED_SECONDS
            if len(seen) == before:
                time.sleep(0.1)
    return seen


# Function-scoped on purpose: every example makes its own vhost and folder.
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    print_blob=True,
    # Shrinking would take minutes of a real broker's time; the catalogue that failed is printed and small.
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(raw=catalogues(max_queues=3))
@example(raw=ALWAYS)
def test_every_task_is_delivered_exactly_once_to_exactly_its_queue(broker: Broker, tmp_path: Path, raw: Raw) -> None:
    """No copy too many (a widened binding, a pattern), none too few, none in another queue, none unrouted or dead."""
    plan = plan_of(raw, tmp_path)
    with declared(broker, plan) as fleet:
        sent = send_all(fleet)
        seen = deliveries(fleet, len(sent))
    owner = {shard: queue.name for queue in plan.queues for shard in queue.topology.shards}
    copies = Counter(task_id for _, task_id in seen)
    assert {task_id: count for task_id, count in copies.items() if count != 1} == {}
    assert {task_id: owner.get(name, name) for name, task_id in seen} == sent
