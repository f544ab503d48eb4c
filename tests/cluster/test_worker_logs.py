"""What a worker writes with a real broker, in each pool: children, threads and greenlets included."""

import json
from pathlib import Path

import pytest

from tests.cluster.brokers import DeclaredFleet
from tests.cluster.pools import POOLS
from tests.cluster.workers import lines, sender, working

pytestmark = pytest.mark.cluster


@pytest.mark.parametrize("pool", POOLS)
def test_every_line_that_a_worker_writes_is_an_object(pools: DeclaredFleet, tmp_path: Path, pool: str) -> None:
    """From its start to its end, with a task that ends well and one that fails between them."""
    log, app = tmp_path / "events", sender(pools)
    with working(pools, pool, tmp_path) as worker:
        app.send_task("pools.fail", (str(log), "failing"), queue=pool)
        app.send_task("pools.mark", (str(log), "last"), queue=pool, countdown=2)
        lines(log, 2)
        assert worker.stop() == 0
    said = [json.loads(line) for line in worker.output.read_text(encoding="utf-8").splitlines()]
    ends = {line["task_name"]: line for line in said if "outcome" in line}
    assert ends["pools.mark"]["outcome"] == "succeeded"
    assert ends["pools.fail"]["outcome"] == "failed"
    assert "ConnectionError: failing" in ends["pools.fail"]["exception"]
    assert all(line["queue"] == line["shard"] == pool for line in said)
    app.close()
