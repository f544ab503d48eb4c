"""When tasks arrive: the peak as the catalogue means it, and the busiest stretch of each hour."""

import math
from collections.abc import Iterable

from fleet.measure.observation import Arrivals
from fleet.records import Record

SPANS_SECONDS = (300, 900, 3600)
"""A peak is sustained: the busiest stretch of the first of these lengths that holds enough tasks."""

TASKS_AT_LEAST = 400
"""So many arrive at random within 5 % of their mean, so that the busiest of a day's stretches is busy and not lucky."""

HOUR_SECONDS = 3600


class Hour(Record, frozen=True, kw_only=True):
    """One hour, and the rate of its busiest stretch."""

    begins_at: float
    """Seconds since the epoch, a whole hour."""
    per_second: float


def find_peak(arrivals: Iterable[Arrivals]) -> Arrivals | None:
    """The busiest stretch: of the shortest length with enough tasks in it, else of the longest that there is; None where nothing was counted."""
    stretches = list(arrivals)
    best = None
    for span in SPANS_SECONDS:
        found = _busiest(stretches, span)
        if found is None:
            break
        best = found
        if found.tasks >= TASKS_AT_LEAST:
            break
    return best


def _busiest(stretches: list[Arrivals], span: float) -> Arrivals | None:
    """The busiest of about a length; all of it where what was seen is shorter than the shortest."""
    if not stretches:
        return None
    length = max(1, round(span / stretches[0].seconds))
    if span == SPANS_SECONDS[0]:
        length = min(length, len(stretches))
    joined = [
        Arrivals(
            ended_at=part[-1].ended_at,
            seconds=math.fsum(one.seconds for one in part),
            tasks=math.fsum(one.tasks for one in part),
        )
        for part in (stretches[at : at + length] for at in range(len(stretches) - length + 1))
    ]
    return max(joined, key=lambda one: one.tasks / one.seconds, default=None)


def by_hour(arrivals: Iterable[Arrivals]) -> tuple[Hour, ...]:
    """Each hour of which something was seen."""
    busiest: dict[float, float] = {}
    for stretch in arrivals:
        hour = (stretch.ended_at - stretch.seconds / 2) // HOUR_SECONDS * HOUR_SECONDS
        busiest[hour] = max(busiest.get(hour, 0.0), stretch.tasks / stretch.seconds)
    return tuple(Hour(begins_at=hour, per_second=rate) for hour, rate in sorted(busiest.items()))
