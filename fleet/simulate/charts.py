"""Charts as inline SVG: a line, a step or an area over time, drawn by CSS classes so that the page decides the colours."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 760, 96
LEFT, BOTTOM, TOP = 54, 16, 18


@dataclass(frozen=True, kw_only=True)
class Series:
    """One line of a chart."""

    name: str
    style: str
    """CSS class: `one`, `two` or `limit`."""
    times: Sequence[float]
    values: Sequence[float | None]
    """None leaves a gap."""
    step: bool = False
    """A value holds until the next time."""


def chart(title: str, unit: str, series: Sequence[Series], *, end_seconds: float) -> str:
    """One panel; the values' axis begins at zero and ends at the highest of them."""
    values = [value for line in series for value in line.values if value is not None]
    top = max(values, default=0.0) or 1.0
    across, down = (WIDTH - LEFT - 6) / max(end_seconds, 1.0), (HEIGHT - TOP - BOTTOM) / top
    base = HEIGHT - BOTTOM

    def place(time: float, value: float) -> str:
        return f"{LEFT + time * across:.1f} {base - value * down:.1f}"

    legend = " ".join(f'<tspan class="{line.style}">{escape(line.name)}</tspan>' for line in series)
    paths = "".join(f'<path class="{line.style}" d="{_path(line, place)}"/>' for line in series)
    ticks = "".join(
        f'<text x="{LEFT + share * (WIDTH - LEFT - 6):.0f}" y="{HEIGHT - 3}" text-anchor="{anchor}">{_clock(share * end_seconds)}</text>'
        for share, anchor in ((0, "middle"), (0.25, "middle"), (0.5, "middle"), (0.75, "middle"), (1, "end"))
    )
    label = f"{title}: {', '.join(line.name for line in series)}; highest {_short(top)} {unit}"
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(label, quote=True)}">'
        f'<text x="{LEFT}" y="11" class="name">{escape(title)} <tspan class="soft">({escape(unit)})</tspan> {legend}</text>'
        f'<text x="{LEFT - 6}" y="{TOP + 8}" text-anchor="end">{_short(top)}</text>'
        f'<text x="{LEFT - 6}" y="{base}" text-anchor="end">0</text>'
        f'<path class="axis" d="M{LEFT} {TOP}V{base}H{WIDTH - 6}"/>{paths}{ticks}</svg>\n'
    )


def _path(line: Series, place: Callable[[float, float], str]) -> str:
    parts: list[str] = []
    before: float | None = None
    for time, value in zip(line.times, line.values, strict=True):
        if value is not None:
            if before is not None and line.step:
                parts.append(f"L{place(time, before)}")
            parts.append(f"{'M' if before is None else 'L'}{place(time, value)}")
        before = value
    return "".join(parts)


def _clock(seconds: float) -> str:
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours}:{minutes:02d}"


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
