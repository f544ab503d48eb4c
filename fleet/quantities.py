"""Pydantic types for what people write with a unit: the model holds the number, the JSON Schema asks for the text."""

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema

from fleet.units import parse_cpu_millicores, parse_duration_seconds, parse_rate_per_second, parse_size_bytes


def _text_only(parse: Callable[[str], float], example: str, *, least: str, most: str) -> Callable[[Any], Any]:
    def parse_text(value: Any) -> Any:
        if isinstance(value, str):
            if not parse(least) <= (number := parse(value)) <= parse(most):
                raise ValueError(f"{value!r} is out of range; write something from {least} to {most}")
            return number
        if isinstance(value, int | float) and not isinstance(value, bool):
            raise ValueError(f"{value!r} has no unit; write for example {example}")
        raise ValueError(f"{value!r} is no text with a unit; write for example {example}")

    return parse_text


def _schema(pattern: str, examples: list[str]) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": pattern, "examples": examples})


Duration = Annotated[
    float,
    Field(gt=0, allow_inf_nan=False),
    BeforeValidator(_text_only(parse_duration_seconds, "30s", least="0.1ms", most="90d")),
    _schema(r"^\s*(\d+(\.\d+)?\s*(ms|s|m|h|d)\s*)+$", ["80ms", "30s", "4m", "1h30m"]),
]
"""Seconds, written as `80ms`, `30s`, `4m`."""

Rate = Annotated[
    float,
    Field(gt=0, allow_inf_nan=False),
    BeforeValidator(_text_only(parse_rate_per_second, "20/s", least="0.01/d", most="1000000/s")),
    _schema(r"^\s*\d+(\.\d+)?\s*/\s*(s|m|min|h|d)\s*$", ["120/s", "20/min", "500/h"]),
]
"""Events a second, written as `120/s`, `20/min`."""

Size = Annotated[
    int,
    Field(gt=0),
    BeforeValidator(_text_only(parse_size_bytes, "60Mi", least="1", most="16Ti")),
    _schema(r"^\s*\d+(\.\d+)?(Ki|Mi|Gi|Ti|k|M|G|T)?\s*$", ["60Mi", "2Gi"]),
]
"""Bytes, written as a Kubernetes quantity such as `60Mi`."""

Cpu = Annotated[
    int,
    Field(gt=0),
    BeforeValidator(_text_only(parse_cpu_millicores, "500m", least="1m", most="512")),
    _schema(r"^\s*(\d+m|\d+(\.\d+)?)\s*$", ["250m", "1.5"]),
]
"""Thousandths of a core, written as Kubernetes does: `250m`, `1.5`."""
