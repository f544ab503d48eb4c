"""The worker in each of its pools against a real broker: what runs once, what is ended for its time, and what a signal does."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from celery import Celery

from app.settings import configure
from app.web.publishing import BrokerUnavailableError, Publisher, TaskCall
from fleet.deriving import load_plan
from fleet.documents import WorkerDocument, dump_document, producer_document, worker_document
from fleet.environment import default_environment
from fleet.plan import Plan
from fleet.sizing import Shutdown
from tests.cluster.brokers import Broker, DeclaredFleet, broker_at, broker_of, declared, named_broker, new_name
from tests.cluster.running_fleet import ROOT, eventually

pytestmark = pytest.mark.cluster

LIMIT_SECONDS = 4
START_SECONDS = 60.0
POOLS = ("gevent", "threads", "prefork")


@pytest.fixture(scope="module")
def broker(request: pytest.FixtureRequest) -> Iterator[Broker]:
    address = named_broker()
    opened = broker_at(address) if address else broker_of(request.getfixturevalue("fleet"))
    with opened as found:
        yield found


def plan_of(folder: Path) -> Plan:
    """A fleet with one queue for each pool."""
    queues = {
        pool: {
            "tasks": [f"pools.{pool}.*"],
            "profile": "cpu" if pool == "prefork" else "io",
            **({} if pool == "prefork" else {"pool": pool}),
            "runtime": {
                "mean": "300ms",
                "p99": "1s",
                "limit": f"{LIMIT_SECONDS}s",
                **({"cooperative": True} if pool == "threads" else {}),
            },
            "load": {"peak": "1/s"},
            "memory": "40Mi",
        }
        for pool in POOLS
    }
    path = folder / "queues.yaml"
    path.write_text(yaml.safe_dump({"application": "tests.cluster.pool_tasks:app", "queues": queues}), encoding="utf-8")
    return load_plan(path, default_environment("dev"), fleet=new_name(), shown_as="queues.yaml")


@pytest.fixture(scope="module")
def pools(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeclaredFleet]:
    """Its queues in the broker."""
    with declared(broker, plan_of(tmp_path_factory.mktemp("pools"))) as fleet:
        yield fleet


@dataclass(kw_only=True)
class Worker:
    """A worker process of one queue."""

    process: "subprocess.Popen[bytes]"
    folder: Path
    output: Path

    def probe(self, question: str) -> bool:
        """What the pod's probe says."""
        command = [sys.executable, "-I", "-S", str(ROOT / "app/worker/health.py"), question]
        environment = {"FLEET_RUN_DIR": str(self.folder)}
        return (
            subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, timeout=30, check=False).returncode == 0
        )

    def stop(self) -> int:
        """Tell it as Kubernetes does and wait; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)


@contextmanager
def working(
    fleet: DeclaredFleet,
    pool: str,
    folder: Path,
    change: Callable[[WorkerDocument], WorkerDocument] = lambda same: same,
) -> Iterator[Worker]:
    """A worker of a pool's queue, ready."""
    queue = next(queue for queue in fleet.plan.queues if queue.name == pool)
    document = folder / "document.json"
    document.write_text(dump_document(change(worker_document(fleet.plan, queue, pool))), encoding="utf-8")
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "FLEET_DOCUMENT": str(document),
        "FLEET_RUN_DIR": str(folder),
        "FLEET_POD_NAME": new_name(),
        **fleet.environment("worker"),
    }
    output = folder / "worker.log"
    with output.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "app.worker"], cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT
        )
    worker = Worker(process=process, folder=folder, output=output)
    try:
        eventually(
            lambda: True if worker.probe("ready") else None,
            within_seconds=START_SECONDS,
            waiting_for=f"a ready worker; {output} says why",
            every_seconds=0.2,
        )
        yield worker
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def sender(fleet: DeclaredFleet) -> Any:
    """A publisher, configured as the web layer."""
    app = Celery("sender", set_as_current=False)
    configure(app, producer_document(fleet.plan), fleet.environment("producer"))
    return app


def lines(log: Path, at_least: int, within_seconds: float = 30) -> list[str]:
    """The events in the file, once there are so many."""

    def look() -> list[str] | None:
        found = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
        return found if len(found) >= at_least else None

    return eventually(look, within_seconds=within_seconds, waiting_for=f"{at_least} events in {log}", every_seconds=0.1)


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


def test_on_spot_a_long_task_goes_back_to_its_queue(pools: DeclaredFleet, tmp_path: Path) -> None:
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
    with working(pools, "prefork", first, on_spot) as worker:
        app.send_task("pools.hold", (str(log), "long", 6.0), queue="prefork")
        lines(log, 1)
        worker.stop()
    assert lines(log, 1) == ["started long"]
    with working(pools, "prefork", second, on_spot):
        assert lines(log, 3) == ["started long", "started long", "ran long"]
    app.close()


def test_a_full_queue_is_told_to_whoever_sends(pools: DeclaredFleet) -> None:
    """The broker refuses with a nack; without confirms the message would be lost and the client told that it was accepted."""
    vhost, app = pools.plan.topology.vhost, sender(pools)
    app.task(name="pools.gevent.never", shared=False)(_work)
    app.finalize()
    policy = {"pattern": "^gevent$", "priority": 99, "apply-to": "quorum_queues"}
    pools.broker.put(
        f"/policies/{vhost}/full", {**policy, "definition": {"max-length": 1, "overflow": "reject-publish"}}
    )
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
