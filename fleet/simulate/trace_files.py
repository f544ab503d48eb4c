"""Traces of the user's own: a CSV file with the time of each arrival and, where it is known, how long the task ran.

The first column (or the one headed `time`, `timestamp` or `arrival`) holds seconds or ISO 8601 timestamps, the second (or `runtime`) seconds; a header
line may be there or not. Rows may be in any order.
"""

import csv
import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

from fleet.errors import FleetError
from fleet.simulate.model import SimulatedQueue, Workload
from fleet.simulate.traces import draw_runtimes

TIME_NAMES = ("time", "timestamp", "arrival")
RUNTIME_NAME = "runtime"
_FORMS = "Write seconds (12.5) or an ISO 8601 timestamp (2026-03-01T08:00:00Z), the same in every row."


@dataclass(frozen=True, kw_only=True)
class RecordedTasks:
    """What a file says."""

    arrivals: tuple[float, ...]
    """Seconds after the first, ascending."""
    runtimes: tuple[float, ...] | None
    """In the order of the arrivals; None where the file has no such column."""


def read_trace(path: Path) -> RecordedTasks:
    """The tasks of a CSV file.

    Raises: FleetError with line and column of the first value that is none.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise FleetError(str(path), f"cannot be read: {reason}", "Name a CSV file with one arrival a line.") from None
    rows = [(number, row) for number, row in _rows(text) if any(cell.strip() for cell in row)]
    time_column, runtime_column, body = _columns(str(path), rows)
    if not body:
        raise FleetError(str(path), "has no arrival", f"One line for each task. {_FORMS}")
    arrivals = _times(str(path), body, time_column)
    runtimes = (
        None if runtime_column is None else [_runtime(str(path), line, row, runtime_column) for line, row in body]
    )
    order = sorted(range(len(arrivals)), key=arrivals.__getitem__)
    first = arrivals[order[0]]
    return RecordedTasks(
        arrivals=tuple(arrivals[index] - first for index in order),
        runtimes=None if runtimes is None else tuple(runtimes[index] for index in order),
    )


def recorded_workload(tasks: RecordedTasks, queue: SimulatedQueue, name: str, *, seed: int) -> Workload:
    """The recorded tasks on a queue; runtimes that were not recorded are drawn as declared, and a shard gets its part at random."""
    random = np.random.default_rng(seed)
    arrivals = np.array(tasks.arrivals)
    known = draw_runtimes(queue, len(arrivals), random) if tasks.runtimes is None else np.array(tasks.runtimes)
    runtimes = np.minimum(known, queue.limit_seconds)
    mine = random.integers(queue.shards, size=len(arrivals)) == 0
    return Workload(
        trace=name, arrivals=arrivals[mine], runtimes=runtimes[mine], duration_seconds=float(arrivals[-1]) + 1.0
    )


def _rows(text: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(text.splitlines())
    for row in reader:
        yield reader.line_num, row


def _columns(
    path: str, rows: list[tuple[int, list[str]]]
) -> tuple[int, int | None, list[tuple[int, list[str]]]]:  # fmt: skip
    """Columns of time and runtime, and the rows below the header."""
    if not rows:
        return 0, None, []
    first = [cell.strip().lower() for cell in rows[0][1]]
    if not any(name in first for name in (*TIME_NAMES, RUNTIME_NAME)):
        if _is_time(first[0]):
            return 0, 1 if len(first) > 1 else None, rows
        raise FleetError(
            f"{path}:{rows[0][0]}:1",
            f"{rows[0][1][0]!r} is neither a time nor a heading",
            f"Head it `time`, or: {_FORMS}",
        )
    times = [first.index(name) for name in TIME_NAMES if name in first]
    if not times:
        raise FleetError(
            f"{path}:{rows[0][0]}",
            f"has no column of times among {', '.join(first)}",
            "Head one `time`, `timestamp` or `arrival`.",
        )
    return times[0], first.index(RUNTIME_NAME) if RUNTIME_NAME in first else None, rows[1:]


def _is_time(text: str) -> bool:
    return _seconds(text) is not None or _timestamp(text) is not None


def _seconds(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _timestamp(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _times(path: str, rows: list[tuple[int, list[str]]], column: int) -> list[float]:
    """Seconds of every row; the first row decides whether times are seconds or timestamps, with or without an offset."""
    begin = _timestamp(_cell(rows[0][1], column)) if _seconds(_cell(rows[0][1], column)) is None else None
    found: list[float] = []
    for line, row in rows:
        text = _cell(row, column)
        value = _seconds(text)
        if begin is not None:
            when = _timestamp(text) if value is None else None
            same = when is not None and (when.tzinfo is None) == (begin.tzinfo is None)
            value = (when - begin).total_seconds() if when is not None and same else None
        if value is None:
            like = f" like {_cell(rows[0][1], column)!r} in line {rows[0][0]}" if line != rows[0][0] else ""
            raise FleetError(f"{path}:{line}:{_place(row, column)}", f"{text!r} is no time{like}", _FORMS)
        found.append(value)
    return found


def _runtime(path: str, line: int, row: list[str], column: int) -> float:
    text = _cell(row, column)
    value = _seconds(text)
    if value is None or value < 0:
        raise FleetError(
            f"{path}:{line}:{_place(row, column)}",
            f"{text!r} is no runtime",
            "Write seconds, such as 0.35, in every row or in none.",
        )
    return value


def _cell(row: list[str], column: int) -> str:
    return row[column].strip() if column < len(row) else ""


def _place(row: list[str], column: int) -> int:
    """Column of the file, 1-based, at which a cell begins; quotes are not counted."""
    return sum(len(cell) + 1 for cell in row[:column]) + 1
