"""What is counted about tasks, and that counting costs none."""

import time
from types import SimpleNamespace
from typing import Any

import pytest
from celery import Celery, signals, states
from celery.exceptions import TimeLimitExceeded

from app.waits import DUE_HEADER, QueueCounters, bucket, count_tasks, read_counters, stamp_due_times


class Store:
    """A results store that may be away."""

    def __init__(self) -> None:
        self.hashes: dict[str, dict[str, int]] = {}
        self.away = False

    def pipeline(self, transaction: bool = True) -> Any:
        commands: list[tuple[str, str, int]] = []

        def execute() -> None:
            if self.away:
                raise ConnectionError("away")
            for key, name, count in commands:
                fields = self.hashes.setdefault(key, {})
                fields[name] = fields.get(name, 0) + count

        return SimpleNamespace(hincrby=lambda *command: commands.append(command), execute=execute)


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def counters(store: Store, monkeypatch: pytest.MonkeyPatch) -> QueueCounters:
    made = QueueCounters(lambda: store, "queue")
    # The test writes when it wants to; the thread is tested by itself.
    monkeypatch.setattr(made, "_writer", object())
    return made


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


def test_counts_reach_the_store(store: Store, counters: QueueCounters) -> None:
    counters.started(0.3)
    counters.started(None)
    counters.done()
    counters.failed()
    assert counters.flush()
    assert store.hashes["queue"] == {"started": 2, "wait:0.5": 1, "done": 1, "failed": 1}


def test_a_store_that_is_away_loses_no_count(store: Store, counters: QueueCounters) -> None:
    store.away = True
    counters.done()
    assert not counters.flush()
    counters.done()
    store.away = False
    assert counters.flush()
    assert store.hashes["queue"] == {"done": 2}


def test_the_writer_writes_by_itself(store: Store) -> None:
    made = QueueCounters(lambda: store, "queue")
    made.done()
    end = time.monotonic() + 10
    while "queue" not in store.hashes and time.monotonic() < end:
        time.sleep(0.01)
    assert store.hashes["queue"] == {"done": 1}


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


def test_each_task_is_counted_once_by_how_it_ended(store: Store, counters: QueueCounters) -> None:
    """A retry has not ended; a task killed for its time is told by the main process alone, of prefork twice."""
    count_tasks(counters)
    try:
        request = SimpleNamespace(**{DUE_HEADER: time.time() - 0.3})
        signals.task_prerun.send(sender=None, task=SimpleNamespace(request=request))
        for state in (states.SUCCESS, states.FAILURE, states.RETRY, None):
            signals.task_postrun.send(sender=None, state=state)
        task = Celery("waits", set_as_current=False).tasks["celery.chord"]
        signals.task_failure.send(sender=task, task_id="7", exception=ValueError())
        task.push_request(id="7")
        signals.task_failure.send(sender=task, task_id="7", exception=TimeLimitExceeded(5))
        task.pop_request()
        signals.task_failure.send(sender=task, task_id="7", exception=TimeLimitExceeded(5))
        signals.task_revoked.send(sender=None)
        counters.flush()
    finally:
        for signal, name in (
            (signals.task_prerun, "started"),
            (signals.task_postrun, "ended"),
            (signals.task_failure, "killed"),
            (signals.task_revoked, "cancelled"),
            (signals.worker_process_shutdown, "child-exit"),
            (signals.worker_shutdown, "exit"),
        ):
            signal.disconnect(dispatch_uid=f"fleet.{name}")
    assert store.hashes["queue"] == {"started": 1, "wait:0.5": 1, "done": 1, "failed": 3}
