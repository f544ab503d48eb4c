"""What the workers count of themselves: where it is read, the values of labels, and the bounds of histograms; `fleet.series` has the names.

Invariant: the promise of a queue and its hard limit are bounds, so the share of tasks within either is a division of two counts, never an estimate.
"""

from enum import StrEnum

from fleet.records import Record

METRICS_PORT = 9464
"""Of a worker's pod. Source: OpenTelemetry specification, "Prometheus exporter", the default port of an application that serves its own metrics."""

METRICS_PORT_NAME = "metrics"

UNREGISTERED = "unregistered"
"""Value of the label `task` for every name that the application has no task of: publishers choose names, and each would be series for good."""


class FinishedOutcome(StrEnum):
    """Value of the label `outcome`: how a delivery ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    """It raised for good, or was ended at its hard limit."""
    RETRIED = "retried"
    """It raised, and a message to try it again is confirmed."""
    REJECTED = "rejected"
    """It was given up: the task rejected its message, it was cancelled, had expired, or its name is of no task."""
    LOST = "lost"
    """It was cut short and its message goes back: its process was lost, the connection was, or the worker had to go."""


class MetricsPlan(Record, frozen=True, kw_only=True):
    """Upper bounds of a queue's histograms, rising; whatever is longer counts as infinite."""

    wait_bounds_seconds: tuple[float, ...]
    run_bounds_seconds: tuple[float, ...]


WAIT_SHARES = (0.05, 0.1, 0.25, 0.5, 0.75, 1.5, 2.0, 4.0, 8.0, 16.0)
"""Bounds of waits beside the promise, as shares of it: close around it, where alerts look, and wide where a wait is good or hopeless."""

MEAN_SHARES = (0.25, 0.5)
P99_STEP = 1.25
"""Bounds of runs around p99, each so many times the one before: a percentile read from the histogram is off by less than this."""

P99_STEPS = (-4, -3, -2, -1, 1, 2, 3, 4)
"""From 0.4 to 2.4 times the declared p99: what was declared at half or at twice the truth can still be measured."""

BOUND_DIGITS = 3


def derive_metrics(
    *, promise_seconds: float, mean_seconds: float, p99_seconds: float, limit_seconds: float
) -> MetricsPlan:
    """The bounds from what the catalogue says of a queue; promise, mean, p99 and hard limit are among them as stated."""
    waits = {_rounded(promise_seconds * share) for share in WAIT_SHARES} | {promise_seconds}
    stated = {mean_seconds, p99_seconds, limit_seconds}
    runs = {_rounded(mean_seconds * share) for share in MEAN_SHARES}
    runs |= {_rounded(p99_seconds * P99_STEP**step) for step in P99_STEPS}
    return MetricsPlan(
        wait_bounds_seconds=tuple(sorted(waits)),
        run_bounds_seconds=tuple(sorted({bound for bound in runs if bound < limit_seconds} | stated)),
    )


def _rounded(seconds: float) -> float:
    return float(f"{seconds:.{BOUND_DIGITS}g}")
