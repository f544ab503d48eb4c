"""Pydantic types for what people write with a unit: the model holds the number, its JSON and the JSON Schema the text in its canonical unit."""

import contextlib
import datetime
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema

from fleet.units import (
    format_cpu,
    format_duration,
    format_size,
    parse_cpu_millicores,
    parse_duration_seconds,
    parse_rate_per_second,
    parse_size_bytes,
)

SHOWN_CHARACTERS_MAX = 60
"""Of a wrong value, what is shown: enough to find it."""


def show_value(value: Any) -> str:
    """A value as YAML writes it, for a message: `true`, `null`, `'text'`, `[a, b]`; the beginning of a long one."""
    if value is None or isinstance(value, bool):
        text = str(value).lower() if value is not None else "null"
    elif isinstance(value, datetime.date):
        text = value.isoformat()
    else:
        text = repr(value)
    return text if len(text) <= SHOWN_CHARACTERS_MAX else f"{text[:SHOWN_CHARACTERS_MAX]}…"


_TIMES = {
    **dict.fromkeys(("msec", "msecs", "millis", "millisecond", "milliseconds"), "ms"),
    **dict.fromkeys(("sec", "secs", "second", "seconds"), "s"),
    **dict.fromkeys(("min", "mins", "minute", "minutes"), "m"),
    **dict.fromkeys(("hr", "hrs", "hour", "hours"), "h"),
    **dict.fromkeys(("day", "days"), "d"),
}
_SIZES = {
    **{f"{letter}b": letter.upper() for letter in "mgt"},
    **{f"{letter}{end}": f"{letter.upper()}i" for letter in "kmgt" for end in ("i", "ib")},
    "kb": "k",
    "b": "",
    "byte": "",
    "bytes": "",
}
_CORES = dict.fromkeys(("core", "cores", "cpu", "cpus", "vcpu", "vcpus"), "")
_WRITTEN = re.compile(r"(?P<number>\d+(?:\.\d+)?\s*/?)\s*(?:per\s+)?(?P<unit>[A-Za-z]+)")


def _meant(text: str, units: Mapping[str, str], parse: Callable[[str], float]) -> str:
    """What was probably meant by a quantity with another unit, as a part of a message; empty where nothing is near."""
    match = _WRITTEN.fullmatch(text.strip())
    if match is None:
        return ""
    unit = match["unit"].lower()
    number = match["number"].replace(" ", "")
    candidates = (
        [f"{number}{units[unit]}"] if unit in units else [f"{number}{unit}", f"{number}/{units.get(unit, unit)}"]
    )
    for candidate in candidates:
        with contextlib.suppress(ValueError):
            parse(candidate)
            return f"; did you mean `{candidate}`?"
    return ""


def _text_only(
    parse: Callable[[str], float], example: str, *, least: str, most: str, units: Mapping[str, str]
) -> Callable[[Any], Any]:
    def parse_text(value: Any) -> Any:
        shown = show_value(value)
        if isinstance(value, str) and len(value) > SHOWN_CHARACTERS_MAX:
            raise ValueError(f"{shown} is too long for a quantity; write for example {example}")
        if isinstance(value, str):
            try:
                number = parse(value)
            except ValueError as error:
                raise ValueError(f"{error}{_meant(value, units, parse)}") from None
            if not parse(least) <= number <= parse(most):
                raise ValueError(f"{shown} is out of range; write something from {least} to {most}")
            return number
        if isinstance(value, int | float) and not isinstance(value, bool):
            raise ValueError(f"{shown} has no unit; write for example {example}")
        raise ValueError(f"{shown} is no text with a unit; write for example {example}")

    return parse_text


def _schema(pattern: str, examples: list[str]) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": pattern, "examples": examples})


def _write_duration(seconds: float) -> str:
    text = format_duration(seconds)
    return text if parse_duration_seconds(text) == seconds else f"{_digits(seconds)}s"


def _write_rate(per_second: float) -> str:
    """A second, or else the first of minute, hour and day in which it is a whole number."""
    for unit, seconds in (("s", 1), ("min", 60), ("h", 3600), ("d", 86400)):
        text = f"{round(per_second * seconds)}/{unit}"
        if parse_rate_per_second(text) == per_second:
            return text
    return f"{_digits(per_second)}/s"


def _digits(number: float) -> str:
    """Every digit of a number, without an exponent."""
    return format(Decimal(repr(number)), "f")


Duration = Annotated[
    float,
    Field(gt=0, allow_inf_nan=False),
    BeforeValidator(_text_only(parse_duration_seconds, "30s", least="0.1ms", most="90d", units=_TIMES)),
    _schema(r"^\s*(\d+(\.\d+)?\s*(ms|s|m|h|d)\s*)+$", ["80ms", "30s", "4m", "1h30m"]),
    PlainSerializer(_write_duration, when_used="json"),
]
"""Seconds, written as `80ms`, `30s`, `4m`."""

Rate = Annotated[
    float,
    Field(gt=0, allow_inf_nan=False),
    BeforeValidator(_text_only(parse_rate_per_second, "20/s", least="0.01/d", most="1000000/s", units=_TIMES)),
    _schema(r"^\s*\d+(\.\d+)?\s*/\s*(s|m|min|h|d)\s*$", ["120/s", "20/min", "500/h"]),
    PlainSerializer(_write_rate, when_used="json"),
]
"""Events a second, written as `120/s`, `20/min`."""

Size = Annotated[
    int,
    Field(gt=0),
    BeforeValidator(_text_only(parse_size_bytes, "60Mi", least="1", most="16Ti", units=_SIZES)),
    _schema(r"^\s*\d+(\.\d+)?(Ki|Mi|Gi|Ti|k|M|G|T)?\s*$", ["60Mi", "2Gi"]),
    PlainSerializer(format_size, when_used="json"),
]
"""Bytes, written as a Kubernetes quantity such as `60Mi`."""

Cpu = Annotated[
    int,
    Field(gt=0),
    BeforeValidator(_text_only(parse_cpu_millicores, "500m", least="1m", most="512", units=_CORES)),
    _schema(r"^\s*(\d+m|\d+(\.\d+)?)\s*$", ["250m", "1.5"]),
    PlainSerializer(format_cpu, when_used="json"),
]
"""Thousandths of a core, written as Kubernetes does: `250m`, `1.5`."""
