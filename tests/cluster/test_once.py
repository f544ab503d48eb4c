"""`@once` with a real broker and a real Valkey: prefork children that are killed, threads and greenlets that are asked twice.

The store is the running fleet's, reached at its Service's address, or the one that `FLEET_TEST_RESULTS` names (`host:port`, no password), for working on
these tests without a cluster.
"""

import base64
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest
import redis

from app.connections import ResultsAddress, Secret
from app.once.leases import KEPT, Done, Held, Lease, Leases
from app.store import connect_store
from fleet.documents import WorkerDocument
from tests.cluster.brokers import DeclaredFleet
from tests.cluster.pools import POOLS
from tests.cluster.running_fleet import RunningFleet, eventually
from tests.cluster.workers import Worker, lines, sender, working

pytestmark = pytest.mark.cluster

RESULTS_VARIABLE = "FLEET_TEST_RESULTS"


def _address(fleet: RunningFleet) -> ResultsAddress:
    host = fleet.kubectl("get", "service", "results", "-o", "jsonpath={.spec.clusterIP}")
    for item in fleet.objects("secrets"):
        if "valkey.conf" in item.get("data", {}):
            password = base64.b64decode(item["data"]["password"]).decode()
            return ResultsAddress(host=host, port=6379, password=Secret(password))
    raise AssertionError("the fleet has no Secret of its results store")


@pytest.fixture(scope="module")
def address(request: pytest.FixtureRequest) -> ResultsAddress:
    """Where the results store is."""
    if named := os.environ.get(RESULTS_VARIABLE):
        host, port = named.split(":")
        return ResultsAddress(host=host, port=int(port), password=None)
    return _address(request.getfixturevalue("fleet"))


@pytest.fixture(scope="module")
def store(address: ResultsAddress) -> Iterator["redis.Redis"]:
    """A client of it."""
    with connect_store(address) as client:
        yield client


def _results(address: ResultsAddress) -> dict[str, str]:
    password = {"FLEET_RESULTS_PASSWORD": str(address.password)} if address.password else {}
    return {"FLEET_RESULTS_HOST": address.host, "FLEET_RESULTS_PORT": str(address.port), **password}


LEASE_SECONDS = 3.0
"""Long enough that a process which waits for its turn on a busy machine does not lose its lease between two lines."""


def test_the_scripts_mean_the_same_in_valkey(store: "redis.Redis") -> None:
    """One round through every transition."""
    leases, key = Leases(lambda: store), f"test:once:{uuid.uuid4().hex}"

    def claim(by: str) -> Lease | Held | Done:
        return leases.claim(key, by=by, lease_seconds=LEASE_SECONDS, keep_seconds=60)

    try:
        first = claim("first")
        assert isinstance(first, Lease)
        held = claim("second")
        assert isinstance(held, Held)
        assert 0 < held.seconds <= LEASE_SECONDS
        assert leases.renew(first, lease_seconds=LEASE_SECONDS, keep_seconds=60)
        second = eventually(
            lambda: found if isinstance(found := claim("second"), Lease) else None,
            within_seconds=30, waiting_for="the end of a lease", every_seconds=0.05,
        )  # fmt: skip
        assert second.fence > first.fence
        assert not leases.renew(first, lease_seconds=LEASE_SECONDS, keep_seconds=60)
        assert leases.finish(first, ended=KEPT, result="1", keep_seconds=60) is None
        leases.release(second)
        third = claim("third")
        assert isinstance(third, Lease)
        assert third.fence > second.fence
        done = Done(fence=third.fence, by="third", ended=KEPT, result="3")
        assert leases.finish(third, ended=KEPT, result="3", keep_seconds=60) == done
        assert claim("fourth") == done
        assert 0 < int(str(store.pttl(key))) <= 60_000
    finally:
        store.delete(key)


@pytest.mark.parametrize("pool", POOLS)
def test_many_messages_of_one_key_run_once(
    pools: DeclaredFleet, address: ResultsAddress, tmp_path: Path, pool: str
) -> None:
    """Those that come while the first runs wait in the broker and end without running."""
    log, app, order = tmp_path / "events", sender(pools), uuid.uuid4().hex
    with working(pools, pool, tmp_path, more=_results(address)) as worker:
        for _ in range(10):
            app.send_task("pools.charge", (str(log), order, 1.0), queue=pool)
        lines(log, 2)
        app.send_task("pools.mark", (str(log), "last"), queue=pool, countdown=20)
        seen = lines(log, 3, within_seconds=60)
        assert worker.stop() == 0
    assert [line.split()[0] for line in seen if order in line] == ["started", "charged"]
    app.close()


def _kill_children(worker: Worker) -> None:
    for child in psutil.Process(worker.process.pid).children():
        child.kill()


def _with_time(document: WorkerDocument) -> WorkerDocument:
    """Celery 5.7 looks for lost children every five seconds and gives one up ten seconds later, at the next look.

    With a limit of less the task would be over its limit before it is missed, and be acknowledged.
    """
    worker = msgspec.structs.replace(document.worker, hard_limit_seconds=30.0, soft_limit_seconds=25.0)
    return msgspec.structs.replace(document, worker=worker)


def test_a_killed_childs_task_runs_again_after_its_lease_under_a_higher_fence(
    pools: DeclaredFleet, address: ResultsAddress, tmp_path: Path
) -> None:
    """Its message comes back at once and waits; a sink that checks the fence has one effect."""
    log, app, order = tmp_path / "events", sender(pools), uuid.uuid4().hex
    with working(pools, "prefork", tmp_path, _with_time, more=_results(address)) as worker:
        app.send_task("pools.charge", (str(log), order, 1.5), queue="prefork")
        lines(log, 1)
        _kill_children(worker)
        seen = lines(log, 3, within_seconds=120)
        assert worker.stop() == 0
    words: list[Any] = [line.split() for line in seen if order in line]
    assert [word[0] for word in words] == ["started", "started", "charged"]
    fences = [int(word[2]) for word in words]
    assert fences[0] < fences[1] == fences[2]
    app.close()
