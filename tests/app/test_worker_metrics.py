"""What Prometheus is shown of a worker: the series of its tasks and of no other name."""

import os
import time
from typing import Any

import pytest
from celery.worker import state
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from app.worker.metrics import WorkerMetrics
from app.worker.outcomes import FINISHED, TaskOutcome
from tests.app.documents import GEVENT, SPOT_PREFORK, worker_document
from tests.app.observing import Deliveries

OWN = ("app.tasks.orders.confirm", "app.tasks.orders.charge")
"""Two tasks that the document's routes send to `high`."""

ELSEWHERE = "app.tasks.mail.send"
CELERYS = "celery.chord_unlock"
TASKS = (*OWN, ELSEWHERE, CELERYS)

OF_A_TASK = 4 + 2 + 4 + 2 + 5 + 1 + 1
"""Of the document's three bounds: two histograms with their infinity, sum and count; five outcomes; retries and redeliveries."""

OF_A_WORKER = 4
"""Busy slots, slots, memory, start-up."""


def made() -> WorkerMetrics:
    return WorkerMetrics(worker_document(), TASKS)


def samples(registry: CollectorRegistry) -> dict[tuple[str, ...], float]:
    """(name, label values by label name) -> value."""
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in registry.collect()
        for sample in family.samples
    }


def test_a_worker_shows_its_tasks_before_the_first_has_run() -> None:
    """As zero: a rate over what was not there yet is nothing. Tasks of other queues have no series, and no series says when it was made."""
    found = samples(made().registry)
    assert len(found) == 2 * OF_A_TASK + OF_A_WORKER
    assert {key[-1] for key in found} == {*OWN, "high"}
    assert found["fleet_worker_slots", "high"] == 8


def test_series_are_bounded_by_the_tasks_of_the_application() -> None:
    """Each task that ran has its series; a thousand names that publishers made up have one together."""
    metrics = made()
    for number in range(1000):
        for outcome in TaskOutcome:
            metrics.ended(f"x{number}", outcome, None)
        metrics.started(f"x{number}", 1.0)
        metrics.redelivered(f"x{number}")
    metrics.started(ELSEWHERE, 1.0)
    found = samples(metrics.registry)
    assert len(found) == 3 * OF_A_TASK + OF_A_WORKER + len(set(FINISHED.values()))
    assert found["fleet_tasks_finished_total", "rejected", "high", "unregistered"] == 2000


@given(st.lists(st.tuples(st.text(), st.sampled_from(TaskOutcome))))
def test_no_name_makes_more_series(ended: list[tuple[str, TaskOutcome]]) -> None:
    """Whatever publishers write."""
    metrics = made()
    for name, outcome in ended:
        metrics.ended(name, outcome, None)
    names = {key[-1] for key in samples(metrics.registry) if key[0] == "fleet_tasks_finished_total"}
    assert names <= {*OWN, "unregistered"}


@pytest.mark.parametrize(
    ("outcome", "shown"),
    [
        pytest.param(TaskOutcome.SUCCEEDED, "succeeded", id="well"),
        pytest.param(TaskOutcome.IGNORED, "succeeded", id="as-it-asked"),
        pytest.param(TaskOutcome.FAILED, "failed", id="it-raised"),
        pytest.param(TaskOutcome.TIMED_OUT, "failed", id="over-its-limit"),
        pytest.param(TaskOutcome.RETRIED, "retried", id="to-be-tried-again"),
        pytest.param(TaskOutcome.REJECTED, "rejected", id="it-gave-up"),
        pytest.param(TaskOutcome.REVOKED, "rejected", id="cancelled"),
        pytest.param(TaskOutcome.LOST, "lost", id="its-process-died"),
        pytest.param(TaskOutcome.INTERRUPTED, "lost", id="its-worker-had-to-go"),
    ],
)
def test_a_run_is_counted_by_how_it_ended(outcome: TaskOutcome, shown: str) -> None:
    metrics = made()
    metrics.ended(OWN[0], outcome, 0.2)
    found = samples(metrics.registry)
    counted = {key[1]: value for key, value in found.items() if key[0] == "fleet_tasks_finished_total" and value}
    assert counted == {shown: 1}
    assert found["fleet_task_retries_total", "high", OWN[0]] == (1 if shown == "retried" else 0)
    assert found["fleet_task_run_seconds_sum", "high", OWN[0]] == 0.2


def test_waits_are_counted_by_the_bounds_of_the_plan() -> None:
    """One at the promise is within it."""
    metrics = made()
    for wait_seconds in (0.1, 1.0, 1.01, None):
        metrics.started(OWN[0], wait_seconds)
    metrics.redelivered(OWN[0])
    found = samples(metrics.registry)
    counts = [found["fleet_task_wait_seconds_bucket", bound, "high", OWN[0]] for bound in ("0.5", "1.0", "2.0", "+Inf")]
    assert counts == [1, 2, 3, 3]
    assert found["fleet_task_redeliveries_total", "high", OWN[0]] == 1


def test_a_slot_is_busy_from_its_start_to_its_end() -> None:
    metrics, deliveries = made(), Deliveries()
    request = deliveries.start()
    try:
        assert metrics.busy_slots() == 1
        request.on_success((0, None, 0.1))
        assert metrics.busy_slots() == 0
    finally:
        deliveries.close()
        state.reset_state()


class Pool:
    """A prefork pool whose only child is this process."""

    active = True
    info = {"processes": [os.getpid()]}


@pytest.mark.parametrize("pool", [pytest.param(None, id="before-the-start"), pytest.param(Pool(), id="while-it-runs")])
@pytest.mark.parametrize("worker", [pytest.param(GEVENT, id="gevent"), pytest.param(SPOT_PREFORK, id="prefork")])
def test_a_worker_shows_memory_whatever_its_pool(worker: Any, pool: Any) -> None:
    metrics = WorkerMetrics(worker_document(worker=worker), TASKS)
    metrics.watch(type("Worker", (), {"pool": pool}))
    assert samples(metrics.registry)["fleet_worker_peak_resident_bytes", "high"] > (
        0 if worker is GEVENT or pool else -1
    )


def test_a_start_is_measured_from_where_the_pod_began() -> None:
    metrics = made()
    metrics.started_up(time.time() - 7)
    assert samples(metrics.registry)["fleet_worker_startup_seconds", "high"] == pytest.approx(7, abs=0.5)
