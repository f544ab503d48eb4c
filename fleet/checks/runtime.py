"""Runtimes: the order of mean, 99th percentile and limit, and what a limit means for where a task may run."""

from collections.abc import Iterator

from fleet.catalogue import QueueSpec
from fleet.errors import Finding
from fleet.sizing import SPOT_NOTICE_SECONDS
from fleet.source import Source
from fleet.units import format_duration


def check_runtime(name: str, spec: QueueSpec, source: Source) -> Iterator[Finding]:
    """mean <= p99 <= limit, and a limit that Celery can keep."""
    runtime = spec.runtime
    if runtime.mean > runtime.p99:
        yield source.finding(
            ("queues", name, "runtime", "mean"),
            f"is {format_duration(runtime.mean)}, above runtime.p99 ({format_duration(runtime.p99)})",
            "A mean above the 99th percentile makes every size wrong. Lower mean or raise p99.",
        )
    if runtime.p99 > runtime.limit:
        yield source.finding(
            ("queues", name, "runtime", "p99"),
            f"is {format_duration(runtime.p99)}, above runtime.limit ({format_duration(runtime.limit)})",
            f"One task in a hundred would be killed at {format_duration(runtime.limit)} and start again from nothing."
            " Raise limit above p99, or correct p99 (`fleet measure` shows what was seen).",
        )
    if runtime.limit < 1:
        yield source.finding(
            ("queues", name, "runtime", "limit"),
            f"is {format_duration(runtime.limit)}, below 1s",
            "Celery's limits are enforced about once a second. Write at least 1s.",
        )


def check_spot(name: str, spec: QueueSpec, source: Source) -> Iterator[Finding]:
    """Spot only where the limit fits the notice or the tasks may run twice."""
    if spec.capacity == "spot" and not spec.idempotent and spec.runtime.limit > SPOT_NOTICE_SECONDS:
        yield source.finding(
            ("queues", name, "capacity"),
            f"is spot, but a task may run {format_duration(spec.runtime.limit)} and is not idempotent",
            f"A spot node goes away {SPOT_NOTICE_SECONDS} s after its notice and the task would run twice."
            " Use on-demand, lower runtime.limit to 2m, or declare the tasks idempotent.",
        )
