"""Means and percentiles from buckets: how near they are to the runtimes that were counted."""

import math
from statistics import NormalDist

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.measure.histograms import Histogram, from_buckets
from fleet.metrics import derive_metrics

TASKS = 1_000_000.0


def counted(mean: float, sigma: float, bounds: tuple[float, ...]) -> Histogram:
    """A million lognormal runtimes of a mean and a sigma, without chance."""
    log = NormalDist(math.log(mean) - sigma**2 / 2, sigma)
    up_to = [TASKS * log.cdf(math.log(bound)) for bound in bounds]
    counts = [after - before for before, after in zip([0.0, *up_to], [*up_to, TASKS], strict=True)]
    return Histogram(bounds_seconds=bounds, counts=tuple(counts), total_seconds=TASKS * mean)


@given(
    mean=st.floats(0.01, 60), sigma=st.floats(0.1, 1.5),
    declared_mean=st.floats(0.5, 2), declared_p99=st.floats(0.5, 2),
)  # fmt: skip
def test_the_buckets_of_a_catalogue_that_is_wrong_by_two_measure_the_truth(
    mean: float, sigma: float, declared_mean: float, declared_p99: float
) -> None:
    """The mean exactly, p99 within a fourth, whichever of both was declared at half or at twice the truth."""
    p99 = mean * math.exp(NormalDist().inv_cdf(0.99) * sigma - sigma**2 / 2)
    bounds = derive_metrics(
        promise_seconds=1, mean_seconds=declared_mean * mean, p99_seconds=declared_p99 * p99, limit_seconds=100 * p99
    ).run_bounds_seconds
    histogram = counted(mean, sigma, bounds)
    found = histogram.quantile(0.99)
    assert histogram.mean_seconds == pytest.approx(mean)
    assert found is not None
    assert 0.8 <= found.seconds / p99 <= 1.25
    assert found.low_seconds <= p99 * (1 + 1e-9)
    assert found.high_seconds is not None
    assert p99 <= found.high_seconds * (1 + 1e-9)


@pytest.mark.parametrize(
    ("counts", "share", "seconds", "low", "high"),
    [
        pytest.param((0, 100, 0), 0.5, 2.0, 1.0, 4.0, id="half-way-through-a-bucket-by-its-logarithm"),
        pytest.param((0, 100, 0), 1.0, 4.0, 1.0, 4.0, id="all-of-a-bucket-is-its-bound"),
        pytest.param((100, 0, 0), 0.5, 0.5, 0.0, 1.0, id="the-first-bucket-begins-at-nothing"),
        pytest.param((50, 0, 50), 0.99, 4.0, 4.0, None, id="past-the-last-bound-it-is-that-bound-at-least"),
        pytest.param((50, 0, 50), 0.5, 1.0, 0.0, 1.0, id="an-empty-bucket-holds-no-percentile"),
    ],
)
def test_a_percentile_lies_in_its_bucket(
    counts: tuple[float, ...], share: float, seconds: float, low: float, high: float | None
) -> None:
    """Bounds 1 s and 4 s."""
    found = Histogram(bounds_seconds=(1.0, 4.0), counts=counts, total_seconds=1).quantile(share)
    assert found is not None
    assert found.seconds == pytest.approx(seconds)
    assert (found.low_seconds, found.high_seconds) == (low, high)


def test_nothing_counted_is_nothing_known() -> None:
    empty = Histogram(bounds_seconds=(1.0,), counts=(0, 0), total_seconds=0)
    assert (empty.mean_seconds, empty.quantile(0.99), empty.share_within(1.0)) == (None, None, None)


@pytest.mark.parametrize(
    ("seconds", "share"),
    [
        pytest.param(1.0, 0.25, id="the-first-bound"),
        pytest.param(4.0, 0.75, id="the-last-bound"),
        pytest.param(2.0, None, id="no-bound-is-no-guess"),
    ],
)
def test_a_share_is_a_division_of_two_counts(seconds: float, share: float | None) -> None:
    assert Histogram(bounds_seconds=(1.0, 4.0), counts=(1, 2, 1), total_seconds=9).share_within(seconds) == share


def test_bounds_that_only_some_workers_had_are_left_out() -> None:
    """Two pods with the bounds 1 and 4; a third, of the catalogue before, with 1 and 3."""
    histogram = from_buckets(
        {1.0: 30.0, 3.0: 9.0, 4.0: 50.0, math.inf: 70.0}, {1.0: 3, 3.0: 1, 4.0: 2, math.inf: 3}, 100.0
    )
    assert histogram == Histogram(bounds_seconds=(1.0,), counts=(30.0, 40.0), total_seconds=100.0, mixed=True)


def test_counts_that_extrapolation_put_out_of_order_are_never_negative() -> None:
    histogram = from_buckets({1.0: 10.0001, 4.0: 10.0, math.inf: 10.0}, {1.0: 1, 4.0: 1, math.inf: 1}, 5.0)
    assert histogram is not None
    assert histogram.counts == (10.0001, 0.0, 0.0)
