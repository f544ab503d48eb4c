"""From the files of a catalogue to a Catalogue: every finding in one run, each at its place.

Each queue is validated for itself, so that a mistake in one does not hide the mistakes in the others; and a queue with a mistake in one field is checked
further with that field left out, so that it does not hide what is wrong with the rest of the queue.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from fleet.catalogue import QUEUE_NAME_LENGTH_MAX, QUEUE_NAME_PATTERN, Catalogue, QueueSpec
from fleet.errors import CatalogueError, Finding
from fleet.explaining import error_location, explain, mistakes, suggest
from fleet.files import read_catalogue
from fleet.source import KeyPath, Source

Raw = dict[str, Any]

PART_KEYS = ("queues", "defaults")
"""What a file beside the main one may hold."""

_SMALLEST: Raw = {
    "tasks": ["-"],
    "profile": "io",
    "runtime": {"mean": "1ms", "p99": "1ms", "limit": "1s", "cooperative": True},
    "load": {"peak": "0.01/d"},
}
"""A queue that no rule objects to."""

_STAND_INS: dict[str, Raw] = {
    **{field: {field: value} for field, value in _SMALLEST.items()},
    "wait": {"wait": {"promise": "90d"}},
    "memory": {"memory": "1Mi"},
    "idempotent": {"idempotent": True},
    "shards": {"load": _SMALLEST["load"]},
    "concurrency": {"load": _SMALLEST["load"]},
    # Arguments are judged with the pool that they are of.
    "pool": {"args": {}},
    "profile": {"profile": "io", "args": {}},
}
"""Field with a mistake -> what stands in for it while the others are checked: values that no rule objects to. Other fields are left out."""


def load_catalogue(path: Path, *, shown_as: str | None = None) -> Catalogue:
    """Reads a catalogue whose fields are right one by one; `fleet.loading.load_plan` also checks them against each other.

    Raises: CatalogueError with every finding, in file order.
    """
    source = read_catalogue(path, shown_as=shown_as)
    catalogue, findings = validate_catalogue(source)
    if findings or catalogue is None:
        raise CatalogueError(findings, files=source.files)
    return catalogue


def validate_catalogue(source: Source) -> tuple[Catalogue | None, list[Finding]]:
    """The catalogue of parsed files and what is wrong with it.

    With findings the catalogue is good for one thing, further checks: stand-ins take the place of what is wrong. None when there is nothing to check.
    """
    findings = [finding for part in source.sources for finding in part.findings]
    if source.data is None and source.findings:
        # Without the main file's defaults the other files cannot be judged.
        return None, findings
    shared = _Defaults(fields={}, refused=frozenset())
    queues: dict[str, QueueSpec] = {}
    for part in source.sources:
        findings += _check_shape(source, part)
        defaults, refused = _read_defaults(source, part, shared)
        findings += refused
        if part is source:
            shared = defaults
        for name, raw in part.queues.items():
            spec, wrong = _read_queue(source, part, name, raw, defaults)
            findings += wrong
            if spec is not None:
                queues.setdefault(name, spec)
    if source.whole and not any(part.queues for part in source.sources) and not findings:
        fix = "Write `queues:` and under it one entry a queue."
        findings.append(source.finding(("queues",), "has no queues", fix))
    catalogue = _read_whole(source, queues, findings)
    return (catalogue if queues else None), findings


def merge_defaults(defaults: Raw, own: Raw) -> Raw:
    """What a queue states laid over the defaults, mapping by mapping; a list replaces a list."""
    merged = dict(defaults)
    for key, value in own.items():
        below = merged.get(key)
        merged[key] = merge_defaults(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return merged


def stated_fields(source: Source, name: str) -> Raw:
    """What the files say of a queue as it is written there, the defaults of both files under it; empty where there is no such queue."""
    for part in source.sources:
        own = part.queues.get(name)
        if isinstance(own, dict):
            shared = merge_defaults(source.defaults, part.defaults) if part is not source else source.defaults
            return merge_defaults(shared, own)
    return {}


def _check_shape(source: Source, part: Source) -> list[Finding]:
    """What is wrong with a file before any queue is looked at."""
    if part.data is None and (part is not source or source.parts):
        return []
    if not isinstance(part.data, dict):
        fix = "Write `queues:` and under it one entry a queue."
        return [source.finding((), "has no queues", fix, within=part)]
    findings = []
    queues = part.data.get("queues")
    if not isinstance(queues, dict) and (queues is not None or (part is source and not source.parts)):
        problem = "is missing or is no mapping of queue names"
        fix = "Write `queues:` and under it one entry a queue."
        findings.append(source.finding(("queues",), problem, fix, within=part))
    for key in part.data if part is not source else ():
        if key in PART_KEYS:
            continue
        if key in Catalogue.model_fields:
            problem, fix = f"may stand only in {source.file}", "Move it there: there is one for the whole catalogue."
        else:
            problem, fix = "is no known key", suggest(key, PART_KEYS)
        findings.append(source.finding((key,), problem, fix, within=part))
    return findings


@dataclass(frozen=True, kw_only=True)
class _Defaults:
    """What queues of one file take unless they state it."""

    fields: Raw
    refused: frozenset[KeyPath]
    """Places in them that already have a finding."""


def _read_defaults(source: Source, part: Source, shared: _Defaults) -> tuple[_Defaults, list[Finding]]:
    """The defaults of one file, laid over those of the main one, and what is wrong with them."""
    stated = (part.data.get("defaults") if isinstance(part.data, dict) else None) or {}
    if not isinstance(stated, dict):
        fix = "Write fields of a queue, such as `wait: {promise: 30s}`."
        return shared, [source.finding(("defaults",), "is no mapping", fix, within=part)]
    known = [name for name in QueueSpec.model_fields if name != "tasks"]
    findings = [
        source.finding(("defaults", key), "is no field that can have a default", suggest(key, known), within=part)
        for key in stated
        if key not in known
    ]
    usable = {key: value for key, value in stated.items() if key in known}
    details = [detail for detail in _errors(merge_defaults(_SMALLEST, usable)) if _is_of(usable, detail)]
    findings += [explain(source, ("defaults",), QueueSpec, detail, within=part) for detail in details]
    kept = frozenset(path for path in shared.refused if not _stated(usable, path))
    refused = kept | {error_location(detail) for detail in details}
    return _Defaults(fields=merge_defaults(shared.fields, usable), refused=refused), findings


def _errors(raw: Raw) -> list[ErrorDetails]:
    try:
        QueueSpec.model_validate(raw)
    except ValidationError as error:
        return error.errors(include_url=False)
    return []


def _is_of(stated: Raw, detail: ErrorDetails) -> bool:
    """Whether an error is the defaults' own: a key that is missing may still be added by a queue, unless it is missing in a list's item."""
    location = error_location(detail)
    if detail["type"] == "missing":
        return any(isinstance(part, int) for part in location) and _stated(stated, location[:-1])
    return _stated(stated, location)


def _stated(data: Any, path: KeyPath) -> bool:
    """Whether something stands at a path."""
    for part in path:
        try:
            data = data[part]
        except (LookupError, TypeError):
            return False
    return True


def _read_queue(
    source: Source, part: Source, name: str, raw: Any, defaults: _Defaults
) -> tuple[QueueSpec | None, list[Finding]]:
    """One queue, with stand-ins for what is wrong with it, and its findings."""
    path: KeyPath = ("queues", name)
    findings = []
    if re.fullmatch(QUEUE_NAME_PATTERN, name) is None or len(name) > QUEUE_NAME_LENGTH_MAX:
        findings.append(source.finding(path, "is no valid queue name", _NAME_FIX, within=part))
    file, line, column = source.place(path)
    if file != part.file:
        problem = f"stands in {file}:{line}:{column} already"
        fix = "A queue is stated once. Rename one of the two, or delete it."
        findings.append(source.finding(path, problem, fix, within=part))
    if not isinstance(raw, dict):
        fix = "Write the queue's fields under its name: tasks, profile, runtime, load."
        return None, [*findings, source.finding(path, "is no mapping", fix, within=part)]
    merged = merge_defaults(defaults.fields, raw)
    try:
        return QueueSpec.model_validate(merged), findings
    except ValidationError as error:
        details = error.errors(include_url=False)
    told = [
        detail
        for detail in mistakes(QueueSpec, details)
        if error_location(detail) not in defaults.refused or _stated(raw, error_location(detail))
    ]
    findings += [explain(source, path, QueueSpec, detail, within=part) for detail in told]
    return _repaired(merged, details), findings


def _repaired(raw: Raw, details: Iterable[ErrorDetails]) -> QueueSpec | None:
    """The queue with stand-ins for the fields that are wrong; None where even that is no queue."""
    wrong = {str(detail["loc"][0]) for detail in details if detail["loc"]}
    patched = {key: value for key, value in raw.items() if key not in wrong and key in QueueSpec.model_fields}
    for field in sorted(wrong):
        patched |= _STAND_INS.get(field, {})
    try:
        spec = QueueSpec.model_validate(patched)
    except ValidationError:
        return None
    # No pattern at all meets no other, and no priority can name a task of none.
    return spec.model_copy(update={"tasks": [], "priority": {}}) if "tasks" in wrong else spec


def _read_whole(source: Source, queues: dict[str, QueueSpec], findings: list[Finding]) -> Catalogue:
    """The catalogue around queues that were validated already, and what is wrong with the main file's other keys."""
    data = source.data if isinstance(source.data, dict) else {}
    defaults = data.get("defaults")
    head = {**data, "defaults": defaults if isinstance(defaults, dict) else {}, "queues": queues}
    try:
        return Catalogue.model_validate(head)
    except ValidationError as error:
        # Queues and their names were judged above, each for itself.
        details = [
            detail
            for detail in mistakes(Catalogue, error.errors(include_url=False))
            if detail["loc"][:1] != ("queues",)
        ]
    if isinstance(source.data, dict):
        findings += [explain(source, (), Catalogue, detail) for detail in details]
    return Catalogue.model_construct(application=_application(data, details), defaults={}, queues=queues)


def _application(data: Raw, details: Iterable[ErrorDetails]) -> str:
    """The application, empty where it is wrong: nobody has to ask one that cannot be."""
    return "" if any(detail["loc"] == ("application",) for detail in details) else str(data["application"])


_NAME_FIX = (
    "Use lower-case letters, digits and hyphens, beginning with a letter, 40 characters at most: a dot would deliver"
    " delayed tasks twice, a leading digit would match the bits of their delay."
)
