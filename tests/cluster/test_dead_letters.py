"""What becomes a dead letter on a real broker: messages that no worker can read, and failed tasks where a queue says so."""

import json
import time
import uuid
from pathlib import Path
from typing import Any

import amqp
import pytest

from tests.cluster.letters import Fleet
from tests.cluster.workers import lines, working

pytestmark = pytest.mark.cluster


@pytest.mark.parametrize(
    ("task", "body", "properties"),
    [
        pytest.param("pools.mark", "[", {"content_type": "application/json"}, id="no-json"),
        pytest.param("pools.mark", b"\xff\xfe", {"content_type": "application/json"}, id="no-text"),
        pytest.param("pools.mark", "cos\nsystem", {"content_type": "application/x-python-serialize"}, id="a-pickle"),
        pytest.param("os.system", '[["true"], {}, {}]', {"content_type": "application/json"}, id="of-no-task-of-ours"),
        pytest.param(None, "text", {}, id="of-no-task-at-all"),
    ],
)
def test_what_a_worker_cannot_read_is_a_dead_letter(
    fleet_of_letters: Fleet, tmp_path: Path, task: str | None, body: str | bytes, properties: dict[str, str]
) -> None:
    """It is neither run nor gone, and the worker goes on."""
    fleet, log = fleet_of_letters, tmp_path / "events"
    headers = {} if task is None else {"task": task, "id": str(uuid.uuid4()), "lang": "py"}
    with working(fleet.declared, "gevent", tmp_path) as worker:
        with fleet.declared.connection("producer") as connection, connection.channel() as channel:
            wire = amqp.Message(body, application_headers=headers, content_encoding="utf-8", **properties)
            channel.basic_publish(wire, exchange="tasks", routing_key="gevent")
        fleet.send("pools.mark", str(log), "after", queue="gevent")
        assert lines(log, 1) == ["ran after"]
        fleet.await_ready("gevent-dead", 1)
        assert worker.stop() == 0
    (shown,) = fleet.dlq("show", "gevent")
    assert (shown["reason"], shown["task"]) == ("rejected", task)


@pytest.mark.parametrize(
    ("pool", "task", "args", "error"),
    [
        pytest.param("prefork", "pools.fail", [], "ConnectionError: it", id="prefork-raised-after-its-last-retry"),
        pytest.param("prefork", "pools.stubborn", [60.0], "TimeLimitExceeded(8.0,)", id="prefork-over-its-limit"),
        pytest.param("gevent", "pools.fail", [], "ConnectionError: it", id="gevent-raised"),
        pytest.param("gevent", "pools.hold", [60.0], "TimeLimitExceeded(4.0,)", id="gevent-over-its-limit"),
    ],
)
def test_a_failed_task_is_kept_with_its_error_where_the_catalogue_says_so(
    fleet_of_letters: Fleet, tmp_path: Path, *, pool: str, task: str, args: list[Any], error: str
) -> None:
    """Once, however often it was retried; its replay begins anew. One that ends well is not kept."""
    fleet, log = fleet_of_letters, tmp_path / "events"
    with working(fleet.declared, pool, tmp_path) as worker:
        (task_id,) = fleet.send(task, str(log), "it", *args, queue=pool)
        fleet.send("pools.mark", str(log), "well", queue=pool)
        fleet.await_ready(f"{pool}-dead", 1)
        (shown,) = fleet.dlq("show", pool)
        assert (shown["id"], shown["reason"], shown["queue"], shown["error"]) == (task_id, "failed", pool, error)
        assert ("raise ConnectionError(name)" in shown["traceback"]) == (task == "pools.fail")
        assert abs(shown["dead_at"] - time.time()) < 60
        seen = len(lines(log, 2))
        assert fleet.dlq("replay", pool)["done"] == 1
        lines(log, seen + 1)
        fleet.await_ready(f"{pool}-dead", 1)
        assert fleet.dlq("show", pool)[0]["replays"] == 1
        assert worker.stop() == 0


def test_a_failed_task_that_cannot_be_published_is_kept_without_its_error(
    fleet_of_letters: Fleet, tmp_path: Path
) -> None:
    """The broker does it when the message is rejected; nothing depends on the copy."""
    fleet, log = fleet_of_letters, tmp_path / "events"
    user = f"{fleet.vhost}-worker"
    rights = {"configure": ".*", "write": "pidbox", "read": ".*"}
    with working(fleet.declared, "prefork", tmp_path) as worker:
        fleet.declared.broker.put(f"/permissions/{fleet.vhost}/{user}", rights)
        with fleet.declared.connection("producer") as connection, connection.channel() as channel:
            headers = {"task": "pools.fail", "id": str(uuid.uuid4()), "lang": "py", "retries": 1}
            wire = amqp.Message(
                json.dumps([[str(log), "it"], {}, {}]),
                application_headers=headers, content_type="application/json", content_encoding="utf-8",
            )  # fmt: skip
            channel.basic_publish(wire, exchange="tasks", routing_key="prefork")
        fleet.await_ready("prefork-dead", 1)
        (shown,) = fleet.dlq("show", "prefork")
        assert (shown["reason"], shown["error"]) == ("rejected", None)
        assert worker.stop() == 0
