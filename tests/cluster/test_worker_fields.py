"""What the catalogue says of retries, of priorities and of a queue's worker, in real workers against a real broker."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.brokers import Broker, DeclaredFleet, declared, plan_of
from tests.cluster.running_fleet import eventually
from tests.cluster.workers import lines, sender, working

pytestmark = pytest.mark.cluster

MAX_RETRIES = 3
PAUSES_SECONDS = (1, 2, 2)
STATISTICS_SECONDS = 6.0
"""The broker's counts are so old at most."""

HOLD_SECONDS = 90.0
"""Longer than the counts are waited for; the worker is not."""

RETRIES = {"max": MAX_RETRIES, "backoff": "1s", "longest": "2s", "jitter": False, "on": ["ConnectionError"]}
QUEUES: dict[str, dict[str, Any]] = {
    "gevent": {"pool": "gevent", "retries": RETRIES},
    "threads": {"pool": "threads", "retries": RETRIES},
    "prefork": {"pool": "prefork", "retries": RETRIES},
    "replaced": {"pool": "prefork", "concurrency": 1, "args": {"max_tasks_per_child": 2}},
    "ahead": {
        "pool": "gevent",
        "concurrency": 2,
        "args": {"prefetch_multiplier": 3},
        "runtime": {"mean": "10ms", "p99": "100ms", "limit": "120s", "cooperative": True},
    },
    "ordered": {
        "pool": "gevent",
        "concurrency": 1,
        "priority": {"pools.ordered.urgent": 9, "pools.ordered.b*": 1},
    },
}


def _catalogue() -> dict[str, Any]:
    """One queue for each field."""
    common = {
        "profile": "io",
        "runtime": {"mean": "10ms", "p99": "100ms", "limit": "10s", "cooperative": True},
        "load": {"peak": "1/s"},
    }
    queues = {name: {"tasks": [f"pools.{name}.*"], **common, **fields} for name, fields in QUEUES.items()}
    return {"application": "tests.cluster.pool_tasks:app", "queues": queues}


@pytest.fixture(scope="module")
def declared_fleet(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeclaredFleet]:
    """Its queues in the broker."""
    with declared(broker, plan_of(_catalogue(), tmp_path_factory.mktemp("fields"))) as found:
        yield found


@pytest.mark.parametrize("pool", ["gevent", "threads", "prefork"])
def test_a_task_that_fails_runs_once_more_for_each_retry(
    declared_fleet: DeclaredFleet, tmp_path: Path, pool: str
) -> None:
    """Exactly max + 1 times, in its queue, at least the stated pause apart; and beside it nothing waits for it."""
    log, app = tmp_path / "events", sender(declared_fleet)
    with working(declared_fleet, pool, tmp_path) as worker:
        app.send_task("pools.fail", (str(log), "always"), queue=pool)
        seen = [line.split() for line in lines(log, MAX_RETRIES + 1)]
        app.send_task("pools.mark", (str(log), "after"), queue=pool, countdown=4)
        assert lines(log, MAX_RETRIES + 2)[-1] == "ran after"
        assert worker.stop() == 0
    assert [words[:2] for words in seen] == [["tried", "always"]] * (MAX_RETRIES + 1)
    times = [float(words[2]) for words in seen]
    for earlier, later, pause in zip(times[:-1], times[1:], PAUSES_SECONDS, strict=True):
        assert later - earlier >= pause - 0.05
    app.close()


def test_a_child_is_replaced_after_its_tasks(declared_fleet: DeclaredFleet, tmp_path: Path) -> None:
    """Six tasks, two a child: three processes, each in turn."""
    log, app = tmp_path / "events", sender(declared_fleet)
    with working(declared_fleet, "replaced", tmp_path) as worker:
        for number in range(6):
            app.send_task("pools.identify", (str(log), str(number)), queue="replaced")
        processes = [line.split()[2] for line in lines(log, 6)]
        assert worker.stop() == 0
    assert processes[0::2] == processes[1::2]
    assert len(set(processes)) == 3
    app.close()


def test_a_worker_takes_as_many_messages_ahead_as_it_may(declared_fleet: DeclaredFleet, tmp_path: Path) -> None:
    """Two slots that hold three messages each: six are unacknowledged, two run, the rest stay in the queue."""
    vhost, log, app = declared_fleet.plan.topology.vhost, tmp_path / "events", sender(declared_fleet)
    for number in range(10):
        app.send_task("pools.hold", (str(log), str(number), HOLD_SECONDS), queue="ahead")

    def counts() -> tuple[int, int]:
        found = declared_fleet.broker.api.get(f"/queues/{vhost}/ahead").json()
        return found.get("messages_unacknowledged", 0), found.get("messages_ready", 0)

    with working(declared_fleet, "ahead", tmp_path):
        assert lines(log, 2)[:2] == ["started 0", "started 1"]
        eventually(
            lambda: True if counts() == (6, 4) else None, within_seconds=30, waiting_for="six unacknowledged messages"
        )
        time.sleep(STATISTICS_SECONDS)
        assert counts() == (6, 4)
        assert len(lines(log, 2)) == 2
    app.close()


def test_of_what_waits_the_highest_priority_goes_first(declared_fleet: DeclaredFleet, tmp_path: Path) -> None:
    """The caller's own, then the catalogue's, then the others; on one level in the order of arrival, and what kombu would send as 0 is not last."""
    log, app = tmp_path / "events", sender(declared_fleet)
    for number in range(3):
        for kind in ("bulk", "plain", "urgent"):
            app.send_task(f"pools.ordered.{kind}", (str(log), f"{kind}-{number}"))
    app.send_task("pools.ordered.bulk", (str(log), "asked-for"), priority=31)
    with working(declared_fleet, "ordered", tmp_path) as worker:
        seen = lines(log, 10)
        assert worker.stop() == 0
    assert seen == [
        "ran asked-for",
        *(f"ran urgent-{number}" for number in range(3)),
        *(f"ran plain-{number}" for number in range(3)),
        *(f"ran bulk-{number}" for number in range(3)),
    ]
    app.close()
