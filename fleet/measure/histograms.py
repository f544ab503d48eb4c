"""Counts in buckets, as Prometheus keeps them: mean, percentiles and shares, and how exact each is.

The mean is exact: the sum is counted beside the buckets. A percentile is known to lie in a bucket; inside it the tasks are taken to be spread evenly
over the logarithm of their time, as Prometheus does in histograms with exponential buckets (docs, "Query functions", `histogram_quantile()`).
"""

import math
from collections.abc import Mapping
from itertools import pairwise

from fleet.records import Record


class Quantile(Record, frozen=True, kw_only=True):
    """A percentile, and the bounds of the bucket that it lies in."""

    seconds: float
    low_seconds: float
    high_seconds: float | None
    """None past the last bound."""

    @property
    def exactness(self) -> float:
        """How many times the truth the estimate is at most, or the other way round; infinite in the first bucket and past the last."""
        if self.high_seconds is None or self.low_seconds <= 0:
            return math.inf
        return self.high_seconds / self.low_seconds


class Histogram(Record, frozen=True, kw_only=True):
    """How many observations fell between bounds."""

    bounds_seconds: tuple[float, ...]
    """Rising; an observation counts in the first bucket whose bound it does not exceed."""
    counts: tuple[float, ...]
    """In each bucket; the last one is past the last bound."""
    total_seconds: float
    """Of all observations together."""
    mixed: bool = False
    """Whether bounds were left out because only some of the series have them."""

    @property
    def count(self) -> float:
        """Observations; Prometheus extrapolates to the edges of its window, so it may be no whole number."""
        return math.fsum(self.counts)

    @property
    def mean_seconds(self) -> float | None:
        """None where there was nothing."""
        return self.total_seconds / self.count if self.count else None

    def quantile(self, share: float) -> Quantile | None:
        """The time that this share (0 to 1) of the observations did not exceed; None where there was nothing."""
        wanted = share * self.count
        if not self.count:
            return None
        below = 0.0
        for low, high, count in zip((0.0, *self.bounds_seconds), self.bounds_seconds, self.counts, strict=False):
            if count and below + count >= wanted:
                part = (wanted - below) / count
                seconds = low * (high / low) ** part if low else high * part
                return Quantile(seconds=seconds, low_seconds=low, high_seconds=high)
            below += count
        last = self.bounds_seconds[-1] if self.bounds_seconds else 0.0
        return Quantile(seconds=last, low_seconds=last, high_seconds=None)

    def share_within(self, seconds: float) -> float | None:
        """Share of the observations up to a bound; None where there was nothing, or where `seconds` is no bound: it would be a guess."""
        for index, bound in enumerate(self.bounds_seconds):
            if math.isclose(bound, seconds) and self.count:
                return math.fsum(self.counts[: index + 1]) / self.count
        return None


def from_buckets(
    counted: Mapping[float, float], having: Mapping[float, float], total_seconds: float
) -> Histogram | None:
    """One histogram of many series; None where there are none.

    `counted` is bound -> observations up to it (infinity is a bound), `having` is bound -> series that have it. A bound that only some have, because the
    catalogue changed meanwhile, tells nothing of the others and is left out: what stays is coarser, and right.
    """
    if math.inf not in counted:
        return None
    everywhere = sorted(bound for bound in counted if having.get(bound) == having.get(math.inf))
    up_to, highest = [], 0.0
    for bound in everywhere:
        highest = max(highest, counted[bound])
        up_to.append(highest)
    return Histogram(
        bounds_seconds=tuple(everywhere[:-1]),
        counts=tuple(after - before for before, after in pairwise([0.0, *up_to])),
        total_seconds=total_seconds,
        mixed=len(everywhere) < len(counted),
    )
