"""Thousands of messages that nobody should send, through a real broker to real workers."""

from pathlib import Path

import amqp
import pytest

from tests.app.malformed import malformed_messages
from tests.cluster.letters import Fleet
from tests.cluster.workers import lines, working

pytestmark = pytest.mark.cluster

SEED = 20261126


@pytest.mark.parametrize(
    ("pool", "count"), [pytest.param("gevent", 2000, id="gevent"), pytest.param("prefork", 300, id="prefork")]
)
def test_each_malformed_message_is_a_dead_letter_and_no_worker_ends(
    fleet_of_letters: Fleet, tmp_path: Path, pool: str, count: int
) -> None:
    """None runs, whatever task it names; the worker that met them all goes on, and stops as it should."""
    fleet, log = fleet_of_letters, tmp_path / "events"
    with working(fleet.declared, pool, tmp_path) as worker:
        with fleet.declared.connection("producer") as connection, connection.channel() as channel:
            channel.confirm_select()
            for sent in malformed_messages(SEED, count, task="pools.mark"):
                headers = {} if sent.headers is None else {"application_headers": sent.headers}
                wire = amqp.Message(sent.body, delivery_mode=2, **headers, **sent.properties)
                # Without a wait for each confirm: what counts is what lies there in the end.
                amqp.Channel.basic_publish(channel, wire, exchange="tasks", routing_key=pool)
        fleet.send("pools.mark", str(log), "after", queue=pool)
        assert lines(log, 1, within_seconds=180) == ["ran after"]
        fleet.await_ready(f"{pool}-dead", count)
        assert (fleet.ready(pool), worker.stop()) == (0, 0)
    assert lines(log, 1) == ["ran after"]
