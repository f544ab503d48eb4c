"""The change of the catalogue that the measured figures ask for, in its own files and as a unified diff.

A mean and its p99 belong together: where only the mean has enough tasks behind it, p99 keeps its ratio to it, because a mean alone would declare the
runtimes to vary less.
"""

import difflib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fleet.catalogue import QueueSpec
from fleet.editing import read_exactly, set_value
from fleet.errors import FleetError
from fleet.files import parts_folder
from fleet.measure.figures import Figure, Verdict
from fleet.measure.judging import Measured
from fleet.reading import stated_fields
from fleet.records import Record
from fleet.source import Source
from fleet.units import format_duration, format_number, parse_rate_per_second

ROUNDED = 0.02
"""A proposed figure has two digits where that is as near as this, else three."""

MEBIBYTE = 2**20


class Change(Record, frozen=True, kw_only=True):
    """A value that the catalogue should have."""

    queue: str
    path: str
    before: str | None
    """As it is written; None where it is not."""
    after: str
    why: str


class Refusal(Record, frozen=True, kw_only=True):
    """A change that a person has to make."""

    queue: str
    path: str
    after: str
    where: str
    problem: str


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """All changes, in the files of the catalogue."""

    changes: tuple[Change, ...]
    refusals: tuple[Refusal, ...]
    texts: Mapping[str, str]
    """Every file of the catalogue as it would be, by the name that findings call it; the main one first."""
    files: Mapping[Path, tuple[str, str]]
    """Files that change -> before and after."""
    diff: str


def propose(path: Path, source: Source, queues: Mapping[str, QueueSpec], measured: Sequence[Measured]) -> Proposal:
    """What to write into the catalogue at `path`, of which `source` was read.

    Raises: FleetError when one of its files cannot be read any more.
    """
    paths = {
        part.file: path if part is source else parts_folder(path) / Path(part.file).name for part in source.sources
    }
    before = {name: read_exactly(file) for name, file in paths.items()}
    texts = dict(before)
    changes, refusals = [], []
    for one in measured:
        stated = stated_fields(source, one.queue)
        for change in _changes(one, queues[one.queue], stated):
            keys = ("queues", one.queue, *change.path.split("."))
            name = source.place(("queues", one.queue))[0]
            try:
                texts[name] = set_value(texts[name], name, keys, change.after)
                changes.append(change)
            except FleetError as error:
                refusals.append(
                    Refusal(
                        queue=one.queue, path=change.path, after=change.after, where=error.where, problem=error.problem
                    )
                )
    return Proposal(
        changes=tuple(changes),
        refusals=tuple(refusals),
        texts=texts,
        files={paths[name]: (before[name], text) for name, text in texts.items() if text != before[name]},
        diff="".join(_diff(before, texts)),
    )  # fmt: skip


def _diff(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[str]:
    for name, text in after.items():
        for line in difflib.unified_diff(
            before[name].splitlines(keepends=True), text.splitlines(keepends=True), f"a/{name}", f"b/{name}"
        ):
            yield line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"


def _changes(measured: Measured, spec: QueueSpec, stated: Mapping[str, Any]) -> Iterator[Change]:
    by_path = {figure.path: figure for figure in measured.figures}
    yield from _runtime_changes(measured.queue, by_path, spec, stated)
    for path, write in (("load.peak", _rate), ("memory", _size)):
        figure = by_path[path]
        if figure.verdict is Verdict.DIFFERS and figure.measured is not None:
            before = _stated(stated, path)
            yield Change(
                queue=measured.queue, path=path, before=before, after=write(figure.measured, before), why=figure.why
            )


def _runtime_changes(
    queue: str, by_path: Mapping[str, Figure], spec: QueueSpec, stated: Mapping[str, Any]
) -> Iterator[Change]:
    mean, p99 = by_path["runtime.mean"], by_path["runtime.p99"]
    runtime, new_mean, new_p99, why = spec.runtime, spec.runtime.mean, spec.runtime.p99, p99.why
    if mean.verdict is Verdict.DIFFERS and mean.measured is not None:
        new_mean = min(mean.measured, runtime.limit)
        yield Change(
            queue=queue, path=mean.path, before=_stated(stated, mean.path), after=_duration(new_mean), why=mean.why
        )
        if p99.verdict is Verdict.TOO_FEW:
            new_p99, why = (
                runtime.p99 * new_mean / runtime.mean,
                f"keeps its ratio to the mean; its own {p99.why} tasks",
            )
    if p99.verdict is Verdict.DIFFERS and p99.measured is not None:
        new_p99 = p99.measured
    if new_p99 < new_mean:
        new_p99, why = new_mean, "is never below the mean"
    after = _duration(new_p99) if _digits(new_p99) < runtime.limit else format_duration(runtime.limit)
    if after != _duration(runtime.p99):
        yield Change(queue=queue, path=p99.path, before=_stated(stated, p99.path), after=after, why=why)


def _stated(stated: Mapping[str, Any], path: str) -> str | None:
    found: Any = stated
    for key in path.split("."):
        found = found.get(key) if isinstance(found, Mapping) else None
    return None if found is None else str(found)


def _digits(number: float) -> float:
    short = float(f"{number:.2g}")
    return short if abs(short / number - 1) <= ROUNDED else float(f"{number:.3g}")


def _duration(seconds: float) -> str:
    return format_duration(_digits(seconds))


def _rate(per_second: float, before: str | None) -> str:
    """In the unit that stands there."""
    unit = (before or "1/s").partition("/")[2].strip()
    return f"{format_number(_digits(per_second / parse_rate_per_second(f'1/{unit}')))}/{unit}"


def _size(size_bytes: float, _before: str | None) -> str:
    return f"{max(1, math.ceil(size_bytes / MEBIBYTE))}Mi"
