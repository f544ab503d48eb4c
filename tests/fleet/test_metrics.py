"""The bounds in which workers count: what people ask for is one of them."""

import itertools
import math
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given

from fleet.documents import worker_document
from fleet.metrics import MetricsPlan, derive_metrics
from tests.fleet.strategies import catalogues, load_from


def test_bounds_are_close_around_the_promise_and_around_p99() -> None:
    """In the figures of the shipped queue `high`."""
    bounds = derive_metrics(promise_seconds=1, mean_seconds=0.08, p99_seconds=0.4, limit_seconds=5)
    assert bounds == MetricsPlan(
        wait_bounds_seconds=(0.05, 0.1, 0.25, 0.5, 0.75, 1, 1.5, 2, 4, 8, 16),
        run_bounds_seconds=(0.02, 0.04, 0.08, 0.164, 0.205, 0.256, 0.32, 0.4, 0.5, 0.625, 0.781, 0.977, 5),
    )


def test_no_run_is_counted_beyond_its_limit() -> None:
    """A task that is ended at its limit is the one that falls past the last bound."""
    bounds = derive_metrics(promise_seconds=60, mean_seconds=2, p99_seconds=6, limit_seconds=7).run_bounds_seconds
    assert bounds[-3:] == (4.8, 6, 7)


@given(catalogues())
def test_every_queue_counts_by_its_promise_and_its_limit(raw: dict[str, Any]) -> None:
    """Whatever the catalogue says: each is a bound as it was stated, bounds rise, and there are not many."""
    with tempfile.TemporaryDirectory() as folder:
        plan = load_from(raw, Path(folder))
    for queue in plan.queues:
        bounds = worker_document(plan, queue, queue.topology.shards[0]).metrics
        assert queue.promise.wait_seconds in bounds.wait_bounds_seconds
        assert {queue.promise.mean_seconds, queue.promise.p99_seconds} <= set(bounds.run_bounds_seconds)
        assert bounds.run_bounds_seconds[-1] == queue.promise.limit_seconds
        for found in (bounds.wait_bounds_seconds, bounds.run_bounds_seconds):
            assert found[0] > 0
            assert all(lower < upper for lower, upper in itertools.pairwise(found))
            assert math.isfinite(found[-1])
            assert len(found) <= 14
