"""The promise of a queue, and the runtime that it was planned with.

The share of tasks that may start late is the error budget: 5 % where 95 % are promised. How fast it is used up is told over two windows at once,
so that an alert neither fires for a moment nor goes on long after.
Source: Google, "The Site Reliability Workbook", chapter 5, "Multiwindow, Multi-Burn-Rate Alerts". There the budget is one of 30 days and 0.1 %; a
promise of a queue is one of a day, and its budget is large, so the factors are smaller.
"""

from collections.abc import Iterator

from fleet.alerts.alert import Alert, Severity
from fleet.plan import Promise, QueuePlan
from fleet.records import Record
from fleet.series import TASK_RUN, TASK_WAIT, bucket_bound, series
from fleet.units import format_duration, format_number

PERIOD_SECONDS = 86_400
"""The budget is a day's."""

LATE_AT_LEAST = 5
"""Late tasks in the long window below which nothing is told: fewer are an anecdote, whatever share of a quiet queue they are."""

RUNTIME_ABOVE = 1.5
"""Measured mean over the declared one. At 2 a promise shorter than the reaction is broken on most bursts (docs/designs/scaling.md)."""

RUNTIME_BELOW = 0.5
"""At half, the fleet pays up to 1.4 times what it needs (docs/designs/scaling.md)."""

RUNTIME_WINDOW_SECONDS = 6 * 3600
RUNTIME_TASKS_AT_LEAST = 100
"""The mean of a hundred runtimes is right within a fifth at the variation that catalogues have."""


class Burn(Record, frozen=True, kw_only=True):
    """One pace at which a budget is used up, and how it is told."""

    pace: str
    severity: Severity
    budget_share: float
    """Part of the day's budget that is gone within the long window."""
    long_seconds: int
    short_seconds: int
    """A twelfth: the alert ends soon after the trouble has."""

    @property
    def factor(self) -> float:
        """How many times faster than what the promise allows."""
        return self.budget_share * PERIOD_SECONDS / self.long_seconds


BURNS = (
    Burn(pace="fast", severity=Severity.CRITICAL, budget_share=0.25, long_seconds=3600, short_seconds=300),
    Burn(pace="slow", severity=Severity.WARNING, budget_share=0.5, long_seconds=21_600, short_seconds=1800),
)


def error_budget(percentile: float) -> float:
    """The share of tasks that may start late."""
    return 1 - percentile / 100


def late_threshold(burn: Burn, percentile: float) -> float:
    """The share of late tasks above which a budget burns so fast.

    Half way between the budget and all tasks at most: six times a budget of half the tasks would never be reached.
    """
    budget = error_budget(percentile)
    return min(burn.factor * budget, (1 + budget) / 2)


def _counted(fleet: str, queue: str, suffix: str, function: str, seconds: int, **labels: str) -> str:
    chosen = series(f"{TASK_WAIT}_{suffix}", fleet, queue=queue, **labels)
    return f"sum({function}({chosen}[{format_duration(seconds)}]))"


def late_share(fleet: str, queue: str, promise: Promise, seconds: int) -> str:
    """Share of the tasks of a window that started late; no number where none started."""
    in_time = _counted(fleet, queue, "bucket", "rate", seconds, le=bucket_bound(promise.wait_seconds))
    return f"(1 - {in_time} / {_counted(fleet, queue, 'count', 'rate', seconds)})"


def promise_alerts(fleet: str, queue: QueuePlan) -> Iterator[Alert]:
    """The promise is being broken: one alert a pace."""
    promise = queue.promise
    wait = format_duration(promise.wait_seconds)
    for burn in BURNS:
        threshold = late_threshold(burn, promise.percentile)
        late = _late(fleet, queue.name, promise, burn.long_seconds)
        yield Alert(
            name="FleetPromiseAtRisk",
            severity=burn.severity,
            queue=queue.name,
            labels={"pace": burn.pace},
            expression=(
                f"{late_share(fleet, queue.name, promise, burn.long_seconds)} > {format_number(threshold)}\n"
                f"and {late_share(fleet, queue.name, promise, burn.short_seconds)} > {format_number(threshold)}\n"
                f"and {late} >= {LATE_AT_LEAST}"
            ),
            for_seconds=0,
            summary=(
                f"{{{{ $value | humanizePercentage }}}} of the tasks of {queue.name} started later than {wait}"
                f" in the last {format_duration(burn.long_seconds)}"
            ),
            means=(
                f"Promised is {format_number(promise.percentile)} % within {wait}. At more than {format_number(100 * threshold)} %"
                f" late, {format_number(100 * burn.budget_share)} % or more of what a whole day may have is gone in {format_duration(burn.long_seconds)}."
            ),
            action=f"See what holds {queue.name} up: its pods against its maximum, its backlog, its runtimes. Then `fleet why {queue.name}`.",
        )


def _late(fleet: str, queue: str, promise: Promise, seconds: int) -> str:
    """Late tasks in a window."""
    in_time = {"le": bucket_bound(promise.wait_seconds)}
    every = _counted(fleet, queue, "count", "increase", seconds)
    return f"({every} - {_counted(fleet, queue, 'bucket', 'increase', seconds, **in_time)})"


def runtime_alert(fleet: str, queue: QueuePlan) -> Alert:
    """The measured mean is far from the declared one, from which minimum, maximum and backlog were derived."""
    window = format_duration(RUNTIME_WINDOW_SECONDS)
    declared = queue.promise.mean_seconds
    total, count = (series(f"{TASK_RUN}_{suffix}", fleet, queue=queue.name) for suffix in ("sum", "count"))
    mean = f"(sum(rate({total}[{window}])) / sum(rate({count}[{window}])))"
    low, high = format_number(RUNTIME_BELOW * declared), format_number(RUNTIME_ABOVE * declared)
    return Alert(
        name="FleetRuntimeAwayFromDeclared",
        severity=Severity.WARNING,
        queue=queue.name,
        expression=f"({mean} > {high} or {mean} < {low})\nand sum(increase({count}[{window}])) >= {RUNTIME_TASKS_AT_LEAST}",
        for_seconds=1800,
        summary=f"The tasks of {queue.name} take {{{{ $value | humanizeDuration }}}} on average; the catalogue says {format_duration(declared)}",
        means=(
            f"Minimum, maximum and the autoscaler's backlog of {queue.name} are derived from its mean: above {high} s it gets too few pods to keep"
            f" its promise, below {low} s it pays for pods that it does not need."
        ),
        action=f"`fleet measure` proposes the figures of queues.{queue.name}.runtime with what follows from them; `--write`, then deploy.",
    )
