"""Percentiles and shares from the workers' histograms."""

from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app import waits as counted
from ops.waits import BOUNDS_SECONDS, Counters, percentile, read_counters, share_within

BOUNDS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, inf)
HISTOGRAMS = st.dictionaries(st.sampled_from(BOUNDS), st.integers(0, 1000), max_size=len(BOUNDS))


@pytest.mark.parametrize(
    ("waits", "percent", "seconds"),
    [
        pytest.param({1.0: 10}, 50, 0.75, id="in-the-middle-of-its-bucket"),
        pytest.param({1.0: 90, 5.0: 10}, 95, 3.5, id="buckets-between-that-are-empty-are-not-listed"),
        pytest.param({1.0: 95, 5.0: 5}, 95, 1.0, id="exactly-at-a-bound"),
        pytest.param({0.05: 10}, 50, 0.025, id="the-first-bucket-begins-at-zero"),
        pytest.param({1.0: 1, inf: 99}, 95, 1800.0, id="beyond-the-last-bound-counts-as-the-bound"),
    ],
)
def test_percentiles(waits: dict[float, int], percent: float, seconds: float) -> None:
    """The table's p50 and p95 are what the histogram can say."""
    assert percentile(waits, percent) == pytest.approx(seconds)


@pytest.mark.parametrize("waits", [{}, {1.0: 0}])
def test_nothing_counted_says_nothing(waits: dict[float, int]) -> None:
    """A queue without tasks has no wait, not one of zero."""
    assert percentile(waits, 95) is None
    assert share_within(waits, 1) is None


@pytest.mark.parametrize(
    ("seconds", "share"),
    [
        pytest.param(1.0, 0.8, id="at-a-bound"),
        pytest.param(1.5, 0.85, id="inside-a-bucket"),
        pytest.param(5.0, 0.9, id="between-buckets"),
    ],
)
def test_share_of_tasks_in_time(seconds: float, share: float) -> None:
    """Whether a promise was kept is counted, not guessed from a percentile."""
    assert share_within({1.0: 80, 2.0: 10, inf: 10}, seconds) == pytest.approx(share)


# No deadline: what is timed here is the machine, not the arithmetic.
@settings(deadline=None)
@given(HISTOGRAMS, st.floats(1, 99), st.floats(1, 99))
def test_a_higher_percentile_is_never_a_shorter_wait(waits: dict[float, int], one: float, other: float) -> None:
    """Percentiles rise."""
    low, high = (percentile(waits, percent) for percent in sorted((one, other)))
    assert (low is None and high is None) or (low is not None and high is not None and low <= high + 1e-9)


@settings(deadline=None)
@given(HISTOGRAMS, st.floats(0.01, 10), st.floats(0.01, 10))
def test_more_time_never_keeps_fewer(waits: dict[float, int], one: float, other: float) -> None:
    """Shares rise with the promised wait and stay between none and all."""
    shares = [share_within(waits, seconds) for seconds in sorted((one, other))]
    if None not in shares:
        assert 0 <= shares[0] <= shares[1] + 1e-9 <= 1 + 2e-9  # type: ignore[operator]


def test_counters_are_read_and_counted_from_a_start() -> None:
    """A demo counts its own tasks, not those of the day before."""
    before = read_counters({"queues": {"high": {"started": 5, "done": 4, "failed": 1, "wait_buckets": {"0.5": 5}}}})
    after = read_counters(
        {"queues": {"high": {"started": 9, "done": 8, "failed": 1, "wait_buckets": {"1.0": 2, "0.5": 7}}}}
    )
    assert after["high"].since(before["high"]) == Counters(started=4, done=4, failed=0, waits={0.5: 2, 1.0: 2})


def test_a_results_store_that_began_anew_counts_from_zero() -> None:
    """A restarted store never gives negative numbers."""
    now = Counters(started=2, done=2, waits={0.5: 2})
    assert now.since(Counters(started=50, done=50, waits={0.5: 50})) == now


def test_the_buckets_are_those_that_the_workers_fill() -> None:
    """The two rooms meet over HTTP alone; what they take for granted of each other is held together here."""
    assert BOUNDS_SECONDS == counted.WAIT_BOUNDS_SECONDS
    document = {"queues": {"high": counted.read_counters({"started": "2", "wait:0.5": "1", "wait:inf": "1"})}}
    assert read_counters(document)["high"].waits == {0.5: 1, inf: 1}
