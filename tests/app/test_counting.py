"""Counts reach the results store, and counting costs no task."""

import time

import pytest

from app import counting
from tests.app.count_store import CountStore, without_writer


def test_what_is_added_to_a_field_is_added_up() -> None:
    store = CountStore()
    counts = without_writer(store)
    counts.add("queue", [("started", 1), ("run_us", 250)])
    counts.add("queue", [("run_us", 50)])
    counts.add("minute", [("started", 1)], expire_seconds=60)
    assert counts.flush()
    assert store.hashes == {"queue": {"started": 1, "run_us": 300}, "minute": {"started": 1}}
    assert store.expiries == {"minute": 60}


def test_a_store_that_is_away_loses_no_count() -> None:
    store = CountStore()
    counts = without_writer(store)
    store.away = True
    counts.add("minute", [("done", 1)], expire_seconds=60)
    assert not counts.flush()
    counts.add("minute", [("done", 1)], expire_seconds=60)
    store.away = False
    assert counts.flush()
    assert (store.hashes, store.expiries) == ({"minute": {"done": 2}}, {"minute": 60})


def test_what_waits_for_a_store_that_stays_away_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """What would not stay anyway is given up; what is cumulative is not."""
    monkeypatch.setattr(counting, "PENDING_AT_MOST", 10)
    store = CountStore()
    counts = without_writer(store)
    store.away = True
    for minute in range(12):
        counts.add("queue", [("done", 1)])
        counts.add(f"minute:{minute}", [("done", 1)], expire_seconds=60)
        counts.flush()
    store.away = False
    counts.flush()
    assert store.hashes["queue"] == {"done": 12}
    assert set(store.hashes) == {"queue", "minute:10", "minute:11"}


def test_the_writer_writes_by_itself() -> None:
    store = CountStore()
    counting.StoredCounts(lambda: store).add("queue", [("done", 1)])
    end = time.monotonic() + 10
    while "queue" not in store.hashes and time.monotonic() < end:
        time.sleep(0.01)
    assert store.hashes["queue"] == {"done": 1}
