"""What workers count into the minutes of their queue, and what the page reads there."""

import time

import pytest

from app.minutes import Minute, MinuteCounters, minute_key, minute_of, read_minute
from app.worker.outcomes import TaskOutcome
from fleet.metrics import FinishedOutcome
from tests.app.count_store import CountStore, without_writer
from tests.app.documents import worker_document

TASK = "shop.orders.confirm"


@pytest.fixture
def store() -> CountStore:
    return CountStore()


def counted(store: CountStore, monkeypatch: pytest.MonkeyPatch) -> tuple[MinuteCounters, Minute]:
    """A worker counts two tasks, and names that publishers made up."""
    monkeypatch.setattr(time, "time", lambda: 1_800_000_059.5)
    counts = without_writer(store)
    counters = MinuteCounters(counts, worker_document(), [TASK])
    counters.started(TASK, 0.7)
    counters.started(TASK, 99.0)
    counters.started(TASK, None)
    counters.ended(TASK, TaskOutcome.SUCCEEDED, 0.25)
    counters.ended(TASK, TaskOutcome.TIMED_OUT, 5.0)
    for number in range(1000):
        counters.ended(f"made.up:{number}", TaskOutcome.REJECTED, None)
    counts.flush()
    key = "fleet:shop:queue:high:minute:30000000"
    return counters, read_minute(30_000_000, {name: str(value) for name, value in store.hashes[key].items()})


def test_a_minute_has_the_waits_the_runs_and_how_they_ended(store: CountStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bounds are the document's; a task that nobody said was due has started all the same."""
    _, minute = counted(store, monkeypatch)
    assert minute.started == 3
    assert minute.waits == {1.0: 1, float("inf"): 1}
    assert (minute.runs, minute.run_seconds) == (2, 5.25)
    assert minute.ended == {
        (TASK, FinishedOutcome.SUCCEEDED): 1,
        (TASK, FinishedOutcome.FAILED): 1,
        ("unregistered", FinishedOutcome.REJECTED): 1000,
    }


def test_a_minute_is_bounded_and_goes(store: CountStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand names that publishers made up are one field."""
    counted(store, monkeypatch)
    (fields,) = store.hashes.values()
    assert len(fields) == 8
    assert set(store.expiries.values()) == {7200}


def test_what_the_broker_said_stands_beside_it() -> None:
    minute = read_minute(5, {"ready:default-0": "7", "ready:default-1": "2", "pods:default-0": "1"})
    assert minute == Minute(number=5, ready={"default-0": 7, "default-1": 2}, pods={"default-0": 1})


def test_a_minute_begins_with_its_first_second() -> None:
    assert [minute_of(seconds) for seconds in (59.999, 60.0, 119.9)] == [0, 1, 1]
    assert minute_key("shop", "high", 1) == "fleet:shop:queue:high:minute:1"
