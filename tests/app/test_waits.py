"""What is counted about tasks."""

import time
from typing import Any

import pytest
from celery import signals

from app.counting import StoredCounts
from app.waits import DUE_HEADER, QueueCounters, bucket, read_counters, stamp_due_times
from app.worker.outcomes import TaskOutcome
from tests.app.count_store import CountStore, without_writer

TASK = "shop.orders.confirm"


@pytest.fixture
def store() -> CountStore:
    return CountStore()


@pytest.fixture
def counts(store: CountStore) -> StoredCounts:
    return without_writer(store)


@pytest.fixture
def counters(counts: StoredCounts) -> QueueCounters:
    return QueueCounters(counts, "queue")


@pytest.mark.parametrize(
    ("seconds", "bound"),
    [
        pytest.param(0, "0.05", id="at-once"),
        pytest.param(0.05, "0.05", id="a-bound-belongs-to-its-bucket"),
        pytest.param(0.7, "1", id="within-a-second"),
        pytest.param(45, "60", id="within-a-minute"),
        pytest.param(99999, "inf", id="longer-than-any-promise"),
    ],
)
def test_a_wait_falls_into_the_bucket_of_its_bound(seconds: float, bound: str) -> None:
    assert bucket(seconds) == bound


def test_counts_reach_the_store(store: CountStore, counts: StoredCounts, counters: QueueCounters) -> None:
    counters.started(TASK, 0.3)
    counters.started(TASK, None)
    counters.ended(TASK, TaskOutcome.SUCCEEDED, 0.1)
    counters.ended(TASK, TaskOutcome.FAILED, 0.1)
    assert counts.flush()
    assert store.hashes["queue"] == {"started": 2, "wait:0.5": 1, "done": 1, "failed": 1}


def test_what_the_store_holds_is_shown_with_its_histogram() -> None:
    assert read_counters({"started": "3", "done": "2", "wait:0.5": "2", "wait:inf": "1"}) == {
        "started": 3,
        "done": 2,
        "failed": 0,
        "wait_buckets": {"0.5": 2, "inf": 1},
    }


@pytest.mark.parametrize(
    ("headers", "due_in_seconds"),
    [
        pytest.param({"eta": None}, 0, id="now"),
        pytest.param({"eta": "2100-01-01T00:00:00+00:00"}, None, id="when-its-countdown-ends"),
    ],
)
def test_a_publish_says_when_its_task_is_due(headers: dict[str, Any], due_in_seconds: int | None) -> None:
    stamp_due_times()
    signals.before_task_publish.send(sender="task", headers=headers)
    if due_in_seconds is None:
        assert headers[DUE_HEADER] == 4102444800
    else:
        assert abs(headers[DUE_HEADER] - time.time()) < 5


@pytest.mark.parametrize(
    ("outcome", "counted"),
    [
        pytest.param(TaskOutcome.SUCCEEDED, "done", id="it-ended-well"),
        pytest.param(TaskOutcome.FAILED, "failed", id="it-raised-for-good"),
        pytest.param(TaskOutcome.TIMED_OUT, "failed", id="it-was-killed-for-its-time"),
        pytest.param(TaskOutcome.REVOKED, "failed", id="it-was-cancelled"),
        pytest.param(TaskOutcome.RETRIED, None, id="a-retry-has-not-ended"),
        pytest.param(TaskOutcome.LOST, None, id="nor-has-what-runs-again"),
    ],
)
def test_a_task_is_counted_by_how_it_ended(
    store: CountStore, counts: StoredCounts, counters: QueueCounters, outcome: TaskOutcome, counted: str | None
) -> None:
    counters.ended(TASK, outcome, 0.1)
    counts.flush()
    assert store.hashes == ({"queue": {counted: 1}} if counted else {})
