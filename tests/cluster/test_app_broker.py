"""The worker in each of its pools against a real broker: what runs once, what is ended for its time, and what a signal does."""

from pathlib import Path

import msgspec
import pytest

from app.enqueuing import TaskCall
from app.web.publishing import BrokerUnavailableError, Publisher
from fleet.documents import WorkerDocument
from fleet.sizing import Shutdown
from tests.cluster.brokers import DeclaredFleet, new_name
from tests.cluster.pools import LIMIT_SECONDS, POOLS
from tests.cluster.running_fleet import eventually
from tests.cluster.workers import lines, sender, working

pytestmark = pytest.mark.cluster


@pytest.mark.parametrize("pool", POOLS)
def test_tasks_run_once_each_in_every_pool(pools: DeclaredFleet, tmp_path: Path, pool: str) -> None:
    """At once, after a delay, and after retries that ask for less than the broker's second."""
    log, app = tmp_path / "events", sender(pools)
    with working(pools, pool, tmp_path) as worker:
        for number in range(5):
            app.send_task("pools.mark", (str(log), f"direct-{number}"), queue=pool)
            app.send_task("pools.mark", (str(log), f"delayed-{number}"), queue=pool, countdown=1)
            app.send_task("pools.again", (str(log), f"retried-{number}", 2), queue=pool)
        seen = lines(log, 15)
        assert worker.probe("live")
        assert worker.stop() == 0
    assert sorted(seen) == sorted(
        f"ran {kind}-{number}" for kind in ("direct", "delayed", "retried") for number in range(5)
    )
    app.close()


@pytest.mark.parametrize(
    ("pool", "task", "events"),
    [
        pytest.param("gevent", "pools.hold", ["started long"], id="gevent-ends-it"),
        pytest.param("prefork", "pools.hold", ["started long"], id="prefork-warns-and-the-task-ends"),
        pytest.param(
            "prefork", "pools.stubborn", ["started long", "warned long"], id="prefork-kills-what-does-not-listen"
        ),
    ],
)
def test_a_task_over_its_limit_is_ended_and_frees_its_slot(
    pools: DeclaredFleet, tmp_path: Path, pool: str, task: str, events: list[str]
) -> None:
    """It does not run to its end, it does not come back, and the next task runs."""
    log, app = tmp_path / "events", sender(pools)
    with working(pools, pool, tmp_path) as worker:
        app.send_task(task, (str(log), "long", 60.0), queue=pool)
        lines(log, 1)
        for number in range(8):
            app.send_task("pools.mark", (str(log), f"next-{number}"), queue=pool, countdown=LIMIT_SECONDS + 2)
        seen = lines(log, len(events) + 8, within_seconds=40)
        assert worker.stop() == 0
    assert [line for line in seen if line.endswith("long")] == events
    app.close()


@pytest.mark.parametrize("pool", POOLS)
def test_a_worker_that_is_told_to_stop_finishes_what_it_has(pools: DeclaredFleet, tmp_path: Path, pool: str) -> None:
    """Warm: the running task ends well, nothing else is taken up, nothing is done twice."""
    log, app = tmp_path / "events", sender(pools)
    with working(pools, pool, tmp_path) as worker:
        app.send_task("pools.hold", (str(log), "held", 1.5), queue=pool)
        lines(log, 1)
        assert worker.stop() == 0
        assert not worker.probe("ready")
    assert lines(log, 2) == ["started held", "ran held"]
    app.close()


def test_a_task_whose_child_is_killed_runs_again_however_short_its_limit(pools: DeclaredFleet, tmp_path: Path) -> None:
    """Celery (5.7) looks for lost children every five seconds; the limit of four would have taken it for a task over its time, and acknowledged it."""
    log, app = tmp_path / "events", sender(pools)
    names = [f"task-{number}" for number in range(6)]
    with working(pools, "prefork", tmp_path) as worker:
        for name in names:
            app.send_task("pools.vanish_once", (str(log), name), queue="prefork")
        seen = lines(log, 2 * len(names))
        assert worker.stop() == 0
    assert sorted(seen) == sorted(f"{what} {name}" for name in names for what in ("vanished", "ran"))
    app.close()


@pytest.mark.parametrize("pool", ["gevent", "prefork"])
def test_on_spot_a_long_task_goes_back_to_its_queue(pools: DeclaredFleet, tmp_path: Path, pool: str) -> None:
    """Soft: what does not end within its share of the notice is cancelled and done by another worker."""

    def on_spot(document: WorkerDocument) -> WorkerDocument:
        worker = msgspec.structs.replace(
            document.worker,
            shutdown=Shutdown.SOFT,
            soft_shutdown_seconds=1.0,
            hard_limit_seconds=30.0,
            soft_limit_seconds=25.0,
        )
        return msgspec.structs.replace(document, worker=worker)

    log, app = tmp_path / "events", sender(pools)
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    with working(pools, pool, first, on_spot) as worker:
        app.send_task("pools.hold", (str(log), "long", 6.0), queue=pool)
        lines(log, 1)
        assert worker.stop() == 0
    assert lines(log, 1) == ["started long"]
    with working(pools, pool, second, on_spot):
        assert lines(log, 3) == ["started long", "started long", "ran long"]
    app.close()


def test_a_full_queue_is_told_to_whoever_sends(pools: DeclaredFleet) -> None:
    """The broker refuses with a nack; without confirms the message would be lost and the client told that it was accepted."""
    vhost, app = pools.plan.topology.vhost, sender(pools)
    app.task(name="pools.gevent.never", shared=False)(_work)
    app.finalize()
    pools.refuse_beyond("gevent", 1)
    publisher = Publisher(app)
    refused: list[str] = []

    def send_one() -> bool | None:
        try:
            publisher.enqueue(TaskCall(id=new_name(), name="pools.gevent.never"), before=lambda: None)
        except BrokerUnavailableError as error:
            refused.append(str(error))
        return True if refused else None

    try:
        # A quorum queue refuses from a message or a few beyond its length on, once the policy has reached it.
        eventually(send_one, within_seconds=20, waiting_for="a refusal", every_seconds=0.05)
        assert refused == ["the queue is full and refuses messages"]
    finally:
        publisher.close()
        app.close()
        pools.broker.delete(f"/policies/{vhost}/full")
        pools.broker.delete(f"/queues/{vhost}/gevent/contents")


def _work() -> None:
    """Never run."""
