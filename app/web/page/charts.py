"""The page's small charts: an hour, a bar a minute, as SVG.

Invariant: numbers and constants alone go into the markup; what a chart says stands beside it as text, and in its label for those who do not see it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

HEIGHT = 40
STEP = 4
BAR = 3
LEAST_BAR = 1.5
"""Something is more than nothing."""

WAIT_LOWEST, WAIT_HIGHEST = 1 / 16, 16.0
"""Ends of the scale of waits, as shares of the promise: logarithmic, so that the promise stands in the middle and both sides can be read."""


@dataclass(frozen=True, kw_only=True)
class Bars:
    """Bars of one look."""

    look: str
    """A class of the style sheet."""
    path: str
    """What goes into `d`."""


@dataclass(frozen=True, kw_only=True)
class Chart:
    """One chart; the template draws it."""

    width: int
    bars: tuple[Bars, ...]
    line_y: float | None
    """Where the promise or the maximum stands, from the top."""
    label: str
    height: int = HEIGHT


@dataclass(frozen=True, kw_only=True)
class WaitBar:
    """One minute's wait."""

    ratio: float | None
    """At the promised percentile, over the promise; None where nothing started."""
    late: bool
    """Whether fewer tasks than promised started in time."""
    stalled: bool = False
    """Whether tasks waited and none started."""


def wait_chart(minutes: Sequence[WaitBar], *, label: str) -> Chart:
    """Waits against the promise, which is the line."""
    heights = [None if minute.ratio is None else HEIGHT * _wait_share(minute.ratio) for minute in minutes]
    return Chart(
        width=STEP * len(minutes),
        bars=(
            Bars(
                look="kept",
                path=_bars([None if at.late else height for height, at in zip(heights, minutes, strict=True)]),
            ),
            Bars(
                look="late",
                path=_bars([height if at.late else None for height, at in zip(heights, minutes, strict=True)]),
            ),
            Bars(look="stalled", path=_bars([float(HEIGHT) if minute.stalled else None for minute in minutes])),
        ),
        line_y=round(HEIGHT * (1 - _wait_share(1.0)), 1),
        label=label,
    )


def level_chart(values: Sequence[int | None], *, highest: float, line: float | None = None, label: str) -> Chart:
    """Numbers from zero up, None where nobody knows; with `line`, a level that means something."""
    scale = HEIGHT / max(highest, line or 0, 1)
    heights = [None if not value else scale * value for value in values]
    return Chart(
        width=STEP * len(values),
        bars=(Bars(look="level", path=_bars(heights)),),
        line_y=None if line is None else round(HEIGHT - scale * line, 1),
        label=label,
    )


def _wait_share(ratio: float) -> float:
    within = min(max(ratio, WAIT_LOWEST), WAIT_HIGHEST)
    return math.log(within / WAIT_LOWEST) / math.log(WAIT_HIGHEST / WAIT_LOWEST)


def _bars(heights: Sequence[float | None]) -> str:
    return "".join(
        f"M{STEP * place} {HEIGHT}v-{_short(max(height, LEAST_BAR))}h{BAR}V{HEIGHT}z"
        for place, height in enumerate(heights)
        if height is not None
    )


def _short(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")
