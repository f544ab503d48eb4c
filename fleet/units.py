"""Durations, rates and sizes as people write them, parsed once.

Inside the project time is in seconds, size in bytes and rate per second; the units below exist only at this edge and in what is printed.
"""

import math
import re

_DURATION = re.compile(r"(?P<number>\d+(?:\.\d+)?)(?P<unit>ms|s|m|h|d)", re.ASCII)
_DURATION_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_RATE = re.compile(r"(?P<number>\d+(?:\.\d+)?)\s*/\s*(?P<unit>s|m|min|h|d)", re.ASCII)
_RATE_SECONDS = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_SIZE = re.compile(r"(?P<number>\d{1,15}(?:\.\d{1,9})?)(?P<unit>Ki|Mi|Gi|Ti|k|M|G|T)?", re.ASCII)
_CPU = re.compile(r"(?P<millicores>\d{1,7})m|(?P<cores>\d{1,4}(?:\.\d{1,3})?)", re.ASCII)
_SIZE_BYTES = {
    None: 1, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12,
}  # fmt: skip


def parse_duration_seconds(text: str) -> float:
    """Seconds of a duration such as `80ms`, `30s`, `4m`, `1h30m`.

    Raises: ValueError, with the forms that are right, for anything else.
    """
    compact = text.strip().replace(" ", "")
    matches = list(_DURATION.finditer(compact))
    if not matches or "".join(match.group() for match in matches) != compact:
        raise ValueError(f"{text!r} is no duration; write a number with a unit: 80ms, 30s, 4m, 1h30m, 7d")
    return sum(float(match["number"]) * _DURATION_SECONDS[match["unit"]] for match in matches)


def parse_rate_per_second(text: str) -> float:
    """Events a second of a rate such as `120/s`, `20/min`, `500/h`.

    Raises: ValueError, with the forms that are right, for anything else.
    """
    match = _RATE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is no rate; write a number over a time: 120/s, 20/min, 500/h")
    return float(match["number"]) / _RATE_SECONDS[match["unit"]]


def parse_size_bytes(text: str) -> int:
    """Bytes of a Kubernetes quantity such as `60Mi`, `2Gi`, `500M`.

    Raises: ValueError, with the forms that are right, for anything else.
    """
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is no size; write a Kubernetes quantity: 60Mi, 2Gi, 500M")
    return math.ceil(float(match["number"]) * _SIZE_BYTES[match["unit"]])


def parse_cpu_millicores(text: str) -> int:
    """Thousandths of a core of a Kubernetes CPU quantity such as `250m`, `2`, `1.5`.

    Raises: ValueError, with the forms that are right, for anything else.
    """
    match = _CPU.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is no CPU quantity; write cores or thousandths of one: 2, 1.5, 250m")
    return int(match["millicores"]) if match["millicores"] else round(float(match["cores"]) * 1000)


def format_number(value: float) -> str:
    """A number without noise: at most six significant digits, no exponent for the sizes met here."""
    text = f"{value:.6g}"
    return f"{value:.0f}" if "e" in text and value >= 1 else text


def format_duration(seconds: float) -> str:
    """A duration in the unit that reads best: `80ms`, `30s`, `4m`, `1h30m`; parses back to the same number of milliseconds."""
    if seconds < 1:
        return f"{format_number(seconds * 1000)}ms"
    if seconds % 60 or seconds < 60:
        return f"{format_number(seconds)}s"
    minutes = int(seconds // 60)
    if minutes < 60:
        return f"{minutes}m"
    hours, rest = divmod(minutes, 60)
    return f"{hours}h{rest}m" if rest else f"{hours}h"


def format_size(size_bytes: int) -> str:
    """A size as a Kubernetes quantity in the largest binary unit that divides it."""
    for unit in ("Gi", "Mi", "Ki"):
        if size_bytes and size_bytes % _SIZE_BYTES[unit] == 0:
            return f"{size_bytes // _SIZE_BYTES[unit]}{unit}"
    return str(size_bytes)


def format_mebibytes(size_bytes: float) -> str:
    """A size in `Mi`, whether or not that divides it: sizes that are compared stand in one unit."""
    return f"{format_number(size_bytes / _SIZE_BYTES['Mi'])}Mi"


def format_promise(percentile: float, wait_seconds: float) -> str:
    """What a queue promises, `95 % in 30s`."""
    return f"{format_number(percentile)} % in {format_duration(wait_seconds)}"


def format_rate(per_second: float) -> str:
    """A rate per second, `120/s`."""
    return f"{format_number(per_second)}/s"


def format_cpu(millicores: int) -> str:
    """CPU as Kubernetes writes it: `250m`, `2`."""
    return str(millicores // 1000) if millicores % 1000 == 0 else f"{millicores}m"
