"""What real workers of each pool count of what a real broker gives them, read over HTTP as Prometheus does."""

import signal
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families

from fleet.documents import WorkerDocument
from tests.cluster.brokers import DeclaredFleet
from tests.cluster.pools import LIMIT_SECONDS, POOLS
from tests.cluster.running_fleet import eventually
from tests.cluster.workers import lines, sender, working

pytestmark = pytest.mark.cluster


class Shown:
    """What a worker shows on its port."""

    def __init__(self) -> None:
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            self._port = int(found.getsockname()[1])
        self.variables = {"FLEET_METRICS_PORT": str(self._port)}

    def busy(self) -> Mapping[str, Any]:
        """Its slots."""
        answer: dict[str, Any] = httpx.get(f"http://127.0.0.1:{self._port}/busy").json()
        return answer

    def samples(self) -> dict[str, float]:
        """`name{labels}` -> value, without the label `queue`, of what is not zero."""
        found = {}
        for family in text_string_to_metric_families(httpx.get(f"http://127.0.0.1:{self._port}/metrics").text):
            for sample in family.samples:
                labels = "/".join(value for name, value in sorted(sample.labels.items()) if name != "queue")
                if sample.value:
                    found[f"{sample.name} {labels}".strip()] = sample.value
        return found

    def finished(self, at_least: int) -> dict[str, float]:
        """Outcome and task -> count, once so many have ended."""

        def look() -> dict[str, float] | None:
            name = "fleet_tasks_finished_total "
            found = {key.removeprefix(name): count for key, count in self.samples().items() if key.startswith(name)}
            return found if sum(found.values()) >= at_least else None

        return eventually(look, within_seconds=30, waiting_for=f"{at_least} ended deliveries", every_seconds=0.1)


def _long(document: WorkerDocument) -> WorkerDocument:
    """Tasks may take a minute."""
    worker = msgspec.structs.replace(document.worker, hard_limit_seconds=60, soft_limit_seconds=None)
    return msgspec.structs.replace(document, worker=worker)


@pytest.mark.parametrize("pool", POOLS)
def test_a_worker_counts_what_becomes_of_its_tasks(pools: DeclaredFleet, tmp_path: Path, pool: str) -> None:
    """Whatever its pool: once each, by the names of its application alone, with the memory of what ran them. A slot is busy also while the worker stops."""
    log, app, shown = tmp_path / "events", sender(pools), Shown()
    with working(pools, pool, tmp_path, _long, more=shown.variables) as worker:
        for number in range(3):
            app.send_task("pools.mark", (str(log), str(number)), queue=pool)
        app.send_task("pools.fail", (str(log), "always"), queue=pool)
        app.send_task("pools.again", (str(log), "later", 1), queue=pool)
        app.send_task("pools.reject_once", (str(log), "never"), queue=pool)
        app.send_task("no.such.task", queue=pool)
        assert shown.finished(8) == {
            "succeeded/pools.mark": 3,
            "failed/pools.fail": 1,
            "retried/pools.again": 1,
            "succeeded/pools.again": 1,
            "rejected/pools.reject_once": 1,
            "rejected/unregistered": 1,
        }
        samples, before = shown.samples(), len(lines(log, 1))
        assert shown.busy()["busy"] == 0
        app.send_task("pools.hold", (str(log), "on", 4.0), queue=pool)
        assert lines(log, before + 1)[-1] == "started on"
        worker.process.send_signal(signal.SIGTERM)
        assert (shown.busy()["queue"], shown.busy()["busy"]) == (pool, 1)
        assert worker.process.wait(30) == 0
    assert lines(log, before + 2)[-1] == "ran on"
    app.close()
    assert samples["fleet_task_wait_seconds_count pools.mark"] == 3
    assert samples["fleet_task_run_seconds_count pools.mark"] == 3
    assert samples["fleet_task_run_seconds_count pools.fail"] == 1
    assert samples["fleet_task_retries_total pools.again"] == 1
    assert 20 * 2**20 < samples["fleet_worker_peak_resident_bytes"] < 2**30
    assert 0 < samples["fleet_worker_startup_seconds"] < 60


def test_a_message_that_comes_back_is_counted_where_it_arrives(pools: DeclaredFleet, tmp_path: Path) -> None:
    """The worker that held it was killed; the next one counts a redelivery."""
    log, app, shown = tmp_path / "events", sender(pools), Shown()
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    with working(pools, "prefork", first, more={"FLEET_METRICS_PORT": "off"}) as worker:
        app.send_task("pools.hold", (str(log), "on", 1.0), queue="prefork")
        lines(log, 1)
        worker.process.kill()
        worker.process.wait(30)
    with working(pools, "prefork", second, more=shown.variables) as worker:
        assert shown.finished(1) == {"succeeded/pools.hold": 1}
        assert shown.samples()["fleet_task_redeliveries_total pools.hold"] == 1
        assert worker.stop() == 0
    app.close()


def test_a_prefork_task_over_its_limit_is_one_failure(pools: DeclaredFleet, tmp_path: Path) -> None:
    """It is told twice; its run is beyond the last bound."""
    log, app, shown = tmp_path / "events", sender(pools), Shown()
    with working(pools, "prefork", tmp_path, more=shown.variables) as worker:
        app.send_task("pools.stubborn", (str(log), "on", 60.0), queue="prefork")
        assert shown.finished(1) == {"failed/pools.stubborn": 1}
        samples = shown.samples()
        assert worker.stop() == 0
    app.close()
    assert samples["fleet_task_run_seconds_sum pools.stubborn"] >= LIMIT_SECONDS
    assert f"fleet_task_run_seconds_bucket {LIMIT_SECONDS}.0/pools.stubborn" not in samples
