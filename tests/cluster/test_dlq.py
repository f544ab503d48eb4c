"""`fleet dlq` against a real broker, as its user `operator`: what lies there and why, back to its queue, away, and nothing lost on the way."""

import json
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import amqp
import pytest

from tests.cluster.letters import Fleet
from tests.cluster.running_fleet import ROOT, eventually
from tests.cluster.workers import lines, working

pytestmark = pytest.mark.cluster

DELIVERY_LIMIT = 20


def test_a_task_that_gave_its_message_up_runs_after_its_replay(fleet_of_letters: Fleet, tmp_path: Path) -> None:
    """Once, with its id, and the queue for dead letters is empty."""
    fleet, log = fleet_of_letters, tmp_path / "events"
    with working(fleet.declared, "gevent", tmp_path) as worker:
        (task_id,) = fleet.send("pools.reject_once", str(log), "it", queue="gevent")
        fleet.await_ready("gevent-dead", 1)
        (shown,) = fleet.dlq("show", "gevent")
        assert (shown["id"], shown["task"], shown["reason"], shown["queue"], shown["deaths"]) == (
            task_id, "pools.reject_once", "rejected", "gevent", 1,
        )  # fmt: skip
        assert abs(shown["dead_at"] - time.time()) < 60
        assert "it" in shown["arguments"]
        assert fleet.dlq("show", "gevent", "--no-args")[0]["arguments"] is None
        assert fleet.dlq("replay", "gevent")["tasks"] == {"pools.reject_once": 1}
        assert lines(log, 2) == ["rejected it", "ran it"]
        assert worker.stop() == 0
    assert fleet.ready("gevent-dead") == 0


def test_the_delivery_limit_starts_anew(fleet_of_letters: Fleet) -> None:
    """A message that killed twenty workers has twenty again, and its deaths are not counted on."""
    fleet = fleet_of_letters
    fleet.send("pools.mark", "log", "poison", queue="gevent")
    with fleet.declared.connection("worker") as connection:
        for _ in range(DELIVERY_LIMIT + 1):
            with connection.channel() as channel:
                message = eventually(
                    lambda channel=channel: channel.basic_get("gevent"),  # type: ignore[misc]
                    within_seconds=60,
                    waiting_for="the message",
                    every_seconds=0.02,
                )
                channel.basic_reject(message.delivery_tag, requeue=True)
    fleet.await_ready("gevent-dead", 1)
    rows = {row["queue"]: row for row in fleet.dlq("list")}
    assert (rows["gevent"]["count"], rows["gevent"]["reasons"], rows["gevent"]["tasks"]) == (
        1, {"delivery_limit": 1}, {"pools.mark": 1},
    )  # fmt: skip
    assert (rows["spread"]["count"], rows["unrouted"]["count"]) == (0, 0)
    fleet.dlq("replay", "gevent")
    headers = fleet.get("gevent").application_headers
    assert not [name for name in headers if name.startswith("x-")]
    assert (headers["fleet_replays"], headers["retries"]) == (1, 0)


def test_however_often_someone_looks_nothing_is_lost(fleet_of_letters: Fleet) -> None:
    """RabbitMQ drops a message of a quorum queue at its 21st delivery unless the policy says otherwise, and looking is a delivery."""
    fleet = fleet_of_letters
    fleet.send("pools.mark", "log", "kept", queue="gevent", count=3)
    fleet.give_up("gevent", 3)
    fleet.await_ready("gevent-dead", 3)
    with fleet.declared.connection("operator") as connection:
        for _ in range(2 * DELIVERY_LIMIT):
            with connection.channel() as channel:
                while channel.basic_get("gevent-dead"):
                    pass
    first, again = fleet.dlq("show", "gevent"), fleet.dlq("show", "gevent")
    assert len(first) == 3
    assert [letter["id"] for letter in again] == [letter["id"] for letter in first]


def test_killed_between_confirm_and_acknowledgement_a_letter_is_there_twice(fleet_of_letters: Fleet) -> None:
    """Never not at all; the next replay goes on with what is left."""
    fleet = fleet_of_letters
    fleet.send("pools.mark", "log", "twice", queue="gevent", count=2)
    fleet.give_up("gevent", 2)
    fleet.await_ready("gevent-dead", 2)
    killed = subprocess.run(
        [sys.executable, "-m", "tests.cluster.killed_replay"],
        input=fleet.request("replay", "gevent"), env=fleet.environment(), cwd=ROOT, timeout=60, check=False,
    )  # fmt: skip
    assert killed.returncode == -signal.SIGKILL
    fleet.await_ready("gevent-dead", 2)
    assert fleet.dlq("replay", "gevent")["done"] == 2
    ids = [fleet.get("gevent").correlation_id for _ in range(3)]
    assert (len(set(ids)), fleet.ready("gevent"), fleet.ready("gevent-dead")) == (2, 0, 0)


def test_one_of_many_by_its_id_and_by_its_task(fleet_of_letters: Fleet) -> None:
    """The others stay, in their order."""
    fleet = fleet_of_letters
    ids = fleet.send("pools.mark", "log", "a", queue="gevent", count=3)
    fleet.send("pools.fail", "log", "b", queue="gevent", count=2)
    fleet.give_up("gevent", 5)
    fleet.await_ready("gevent-dead", 5)
    assert fleet.dlq("replay", "gevent", "--dry-run")["done"] == 5
    assert fleet.dlq("replay", "gevent", "--id", ids[1])["done"] == 1
    assert fleet.get("gevent").correlation_id == ids[1]
    assert fleet.dlq("replay", "gevent", "--id", ids[1], code=1)["missing"] == [ids[1]]
    assert fleet.dlq("replay", "gevent", "--task", "pools.f*", "--limit", "1")["tasks"] == {"pools.fail": 1}
    shown = fleet.dlq("show", "gevent", "--task", "pools.mark")
    assert [letter["id"] for letter in shown] == [ids[0], ids[2]]


def test_what_is_dropped_may_be_kept(fleet_of_letters: Fleet, tmp_path: Path) -> None:
    """Whole, a line each, readable by its owner alone; without a yes nothing is dropped."""
    fleet, file = fleet_of_letters, tmp_path / "dropped.jsonl"
    ids = fleet.send("pools.mark", "log", "gone", queue="gevent", count=3)
    fleet.give_up("gevent", 3)
    fleet.await_ready("gevent-dead", 3)
    assert fleet.dlq("drop", "gevent", code=2)["error"]["fix"] == "Add --yes."
    assert fleet.dlq("drop", "gevent", "--yes", "--id", ids[0], "--to", str(file))["done"] == 1
    assert fleet.dlq("drop", "gevent", "--yes", "--to", str(file))["tasks"] == {"pools.mark": 2}
    kept = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    assert [line["headers"]["id"] for line in kept] == ids
    assert json.loads(kept[0]["body"])[0] == ["log", "gone"]
    assert file.stat().st_mode & 0o777 == 0o600
    assert fleet.ready("gevent-dead") == 0


def test_an_unrouted_message_goes_where_the_catalogue_routes_its_task(fleet_of_letters: Fleet) -> None:
    """To a shard of that queue; one of a task that no queue takes stays and says so."""
    fleet = fleet_of_letters
    with fleet.declared.connection("producer") as connection, connection.channel() as channel:
        for task in ("spread.work", "nobody.knows"):
            headers = {"id": str(uuid.uuid4()), "task": task, "lang": "py"}
            channel.basic_publish(
                amqp.Message("[[], {}, {}]", application_headers=headers), exchange="tasks", routing_key="misspelt"
            )
    fleet.await_ready("unrouted", 2)
    (row,) = fleet.dlq("list", "unrouted")
    assert (row["count"], row["reasons"]) == (2, {"unrouted": 2})
    assert {letter["queue"] for letter in fleet.dlq("show", "unrouted")} == {"misspelt"}
    outcome = fleet.dlq("replay", "unrouted", code=1)
    assert (outcome["done"], [(left["task"], left["why"]) for left in outcome["left"]]) == (
        1, [("nobody.knows", "no queue of the catalogue takes its task")],
    )  # fmt: skip
    assert fleet.ready("spread-0") + fleet.ready("spread-1") == 1
    assert fleet.ready("unrouted") == 1


def _delete_queue(fleet: Fleet) -> None:
    fleet.declared.broker.delete(f"/queues/{fleet.vhost}/gevent")


def _fill_queue(fleet: Fleet) -> None:
    """Until it refuses: the limit is a policy, which holds a moment after it was set."""
    fleet.declared.refuse_beyond("gevent", 1)
    with fleet.declared.connection("operator") as connection, connection.channel() as channel:

        def refused() -> bool | None:
            try:
                channel.basic_publish(amqp.Message("{}"), exchange="", routing_key="gevent")
            except amqp.exceptions.MessageNacked:
                return True
            return None

        eventually(refused, within_seconds=60, waiting_for="a refusal", every_seconds=0.1)


@pytest.mark.parametrize(
    ("prepare", "why"),
    [
        pytest.param(_delete_queue, "the broker has no queue gevent", id="its-queue-is-gone"),
        pytest.param(_fill_queue, "queue gevent is full", id="its-queue-is-full"),
    ],
)
def test_a_letter_that_no_queue_takes_stays(
    fleet_of_letters: Fleet, prepare: Callable[[Fleet], None], why: str
) -> None:
    """Mandatory and confirmed: the command says why and ends with 1."""
    fleet = fleet_of_letters
    fleet.send("pools.mark", "log", "stays", queue="gevent", count=2)
    fleet.give_up("gevent", 2)
    fleet.await_ready("gevent-dead", 2)
    prepare(fleet)
    outcome = fleet.dlq("replay", "gevent", code=1)
    assert (outcome["done"], outcome["left_count"], {left["why"] for left in outcome["left"]}) == (0, 2, {why})
    assert fleet.ready("gevent-dead") == 2


def test_a_message_of_any_form_goes_back_as_it_was(fleet_of_letters: Fleet) -> None:
    """A body that is no text, headers of every type, a user that is not ours, and keys that would send it elsewhere too."""
    fleet, body = fleet_of_letters, b"\xff\x00\x1b[31m"
    headers = {
        "task": 7, "id": None, "flag": True, "number": 2**40, "real": 0.5, "list": [1, "two"], "table": {"a": {"b": 1}},
        "x-death": "forged", "fleet_due_at": "soon", "CC": ["unrouted"],
    }  # fmt: skip
    with fleet.declared.connection("producer") as connection, connection.channel() as channel:
        wire = amqp.Message(
            body, application_headers=headers, priority=9, content_encoding="utf-16", user_id=f"{fleet.vhost}-producer"
        )
        channel.basic_publish(wire, exchange="tasks", routing_key="gevent")
    fleet.await_ready("gevent", 1)
    fleet.give_up("gevent")
    fleet.await_ready("gevent-dead", 1)
    (shown,) = fleet.dlq("show", "gevent")
    assert (shown["id"], shown["task"], shown["due_at"], shown["reason"]) == (None, None, None, "rejected")
    assert fleet.dlq("replay", "gevent")["tasks"] == {"(no task)": 1}
    with fleet.declared.connection("worker") as connection, connection.channel() as channel:
        channel.auto_decode = False
        found = channel.basic_get("gevent", no_ack=True)
    assert bytes(found.body) == body
    assert (found.priority, found.content_encoding) == (9, "utf-16")
    kept = {name: headers[name] for name in ("task", "id", "flag", "number", "real", "list", "table", "fleet_due_at")}
    assert found.application_headers == kept


def test_a_replay_that_is_interrupted_says_what_it_did(fleet_of_letters: Fleet) -> None:
    """It ends between two letters: what is done and what is left are all."""
    fleet, count = fleet_of_letters, 3000
    with fleet.declared.connection("operator") as connection, connection.channel() as channel:
        for _ in range(count):
            channel._basic_publish(amqp.Message("{}", application_headers={}), exchange="", routing_key="gevent-dead")
    fleet.await_ready("gevent-dead", count)
    replay = subprocess.Popen(
        fleet.command("replay", "gevent"), env=fleet.environment(), cwd=ROOT,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    with replay:
        assert replay.stderr is not None
        assert "looked at" in replay.stderr.readline()
        replay.send_signal(signal.SIGINT)
        said, _ = replay.communicate(timeout=90)
    outcome = json.loads(said)
    assert (replay.returncode, outcome["stopped"]) == (1, "interrupted")
    assert 0 < outcome["done"] < count
    fleet.await_ready("gevent-dead", count - outcome["done"])
    assert fleet.ready("gevent") == outcome["done"]
