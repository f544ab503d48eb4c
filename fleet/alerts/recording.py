"""What of the plan stands beside the measured in a Prometheus: the promise of each queue, its slots, and the share of late tasks.

A dashboard shows any queue by one query with these; without them the promise of each would have to stand in it.
Source: Prometheus docs, "Recording rules" (names `level:metric:operations`).
"""

from collections.abc import Iterator

from fleet.alerts.promise import late_share
from fleet.alerts.queues import slots_at_maximum
from fleet.plan import QueuePlan
from fleet.records import Record
from fleet.series import LATE_SHARE, PLANNED_MEAN, PLANNED_SLOTS, PLANNED_WAIT, PROMISED_SHARE
from fleet.units import format_duration, format_number

WINDOWS_SECONDS = (300, 3600)
"""Of the share of late tasks: what happens now, and what somebody who looks wants to know."""


class Recording(Record, frozen=True, kw_only=True):
    """One series that Prometheus makes of others."""

    name: str
    queue: str
    labels: dict[str, str] = {}
    expression: str


def queue_recordings(fleet: str, queue: QueuePlan) -> Iterator[Recording]:
    """The series of one queue."""
    promise = queue.promise
    for name, value in (
        (PLANNED_WAIT, promise.wait_seconds),
        (PROMISED_SHARE, promise.percentile / 100),
        (PLANNED_MEAN, promise.mean_seconds),
        (PLANNED_SLOTS, slots_at_maximum(queue)),
    ):
        yield Recording(name=name, queue=queue.name, expression=f"vector({format_number(value)})")
    for seconds in WINDOWS_SECONDS:
        window = {"window": format_duration(seconds)}
        expression = late_share(fleet, queue.name, promise, seconds)
        yield Recording(name=LATE_SHARE, queue=queue.name, labels=window, expression=expression)
