"""Numbers, times and durations as people read them."""

import re
from datetime import UTC, datetime

from fleet.units import format_duration, format_number


def number(count: int) -> str:
    """A count, with commas between the thousands."""
    return f"{count:,}"


def percent(share: float) -> str:
    """A share in percent, rounded down: what is short of all is never called all."""
    return f"{int(share * 10) / 10:g} %"


def at_time(seconds: float) -> str:
    """A time since the epoch as a time of the day."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%H:%M:%S UTC")


def clock(minute: int) -> str:
    """A minute since the epoch as a time of the day, in UTC."""
    return f"{minute // 60 % 24:02d}:{minute % 60:02d}"


def age(seconds: float, old_seconds: float) -> str:
    """How old something is, where that is worth a word."""
    return "" if seconds < old_seconds else f"{about(seconds)} old"


def exactly(seconds: float) -> str:
    """A duration that somebody stated: `30 s`, `10 min`, `1 h 30 min`."""
    parts = re.findall(r"([\d.]+)([a-z]+)", format_duration(seconds))
    return " ".join(f"{amount} {'min' if unit == 'm' else unit}" for amount, unit in parts)


def about(seconds: float) -> str:
    """A duration that nobody means to the millisecond."""
    if seconds >= 7200:
        return f"{format_number(float(f'{seconds / 3600:.2g}'))} h"
    if seconds >= 120:
        return f"{seconds / 60:.0f} min"
    if seconds >= 1:
        return f"{format_number(float(f'{seconds:.2g}'))} s"
    return f"{format_number(float(f'{seconds * 1000:.2g}'))} ms"
