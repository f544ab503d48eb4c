"""The peak that was seen: sustained, and not the luckiest minute of a quiet queue."""

from collections.abc import Sequence

import pytest

from fleet.measure.arrivals import by_hour, find_peak
from fleet.measure.observation import Arrivals

MIDNIGHT = 1_700_006_400.0
"""A whole hour in UTC."""


def stretches(tasks: Sequence[float], *, seconds: float = 300) -> list[Arrivals]:
    return [
        Arrivals(ended_at=MIDNIGHT + (index + 1) * seconds, seconds=seconds, tasks=count)
        for index, count in enumerate(tasks)
    ]


@pytest.mark.parametrize(
    ("tasks", "seconds", "peak"),
    [
        pytest.param([500, 9000, 600], 300, 30.0, id="five-minutes-where-they-hold-enough"),
        pytest.param([20, 60, 300, 300, 60, 20], 300, 660 / 900, id="a-quarter-of-an-hour-where-five-minutes-do-not"),
        pytest.param([10] * 11 + [300] + [10] * 11, 300, 410 / 3600, id="an-hour-where-that-does-not-either"),
        pytest.param([1, 2, 1], 300, 4 / 900, id="the-longest-there-is-where-nothing-is-enough"),
        pytest.param([100, 200, 100, 100, 100, 5], 60, 600 / 300, id="five-shorter-stretches-are-five-minutes"),
        pytest.param([1200], 600, 2.0, id="one-stretch-is-itself"),
    ],
)
def test_the_busiest_stretch_that_holds_enough(tasks: list[float], seconds: float, peak: float) -> None:
    found = find_peak(stretches(tasks, seconds=seconds))
    assert found is not None
    assert found.tasks / found.seconds == pytest.approx(peak)


def test_nothing_counted_has_no_peak() -> None:
    assert find_peak([]) is None


def test_each_hour_has_the_rate_of_its_busiest_stretch() -> None:
    """Twelve stretches of five minutes belong to the first hour, the thirteenth to the next."""
    found = by_hour(stretches([30, 60, *[0] * 10, 300]))
    assert [(hour.begins_at, hour.per_second) for hour in found] == [(MIDNIGHT, 0.2), (MIDNIGHT + 3600, 1.0)]
