"""From a file to a catalogue: every finding of a file in one run, each at its place.

Each queue is validated for itself, so that a mistake in one does not hide the mistakes in the others.
"""

import difflib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from fleet.catalogue import QUEUE_NAME_LENGTH_MAX, QUEUE_NAME_PATTERN, Catalogue, Model, QueueSpec
from fleet.errors import CatalogueError, Finding
from fleet.source import KeyPath, Source, read_source, show_path


def load_catalogue(path: Path, *, shown_as: str | None = None) -> Catalogue:
    """Reads a catalogue whose fields are right one by one; `fleet.deriving.load_plan` also checks them against each other.

    Raises: CatalogueError with every finding, in file order.
    """
    catalogue, findings = validate_catalogue(read_source(path, shown_as=shown_as))
    if findings or catalogue is None:
        raise CatalogueError(findings)
    return catalogue


def validate_catalogue(source: Source) -> tuple[Catalogue | None, list[Finding]]:
    """The catalogue of a parsed file and what is wrong with it.

    With findings the catalogue holds the queues that are right, so that they can be checked further; None when there is none.
    """
    findings = list(source.findings)
    data = source.data
    if not isinstance(data, dict) or not isinstance(data.get("queues"), dict):
        problem = "has no queues" if not isinstance(data, dict) else "is missing or is no mapping of queue names"
        path: KeyPath = ("queues",) if isinstance(data, dict) else ()
        findings.append(source.finding(path, problem, "Write `queues:` and under it one entry a queue."))
        return None, findings
    defaults = data.get("defaults") or {}
    if not isinstance(defaults, dict):
        findings.append(
            source.finding(("defaults",), "is no mapping", "Write fields of a queue, such as `wait: {promise: 30s}`.")
        )
        defaults = {}
    findings += _unknown_defaults(source, defaults)
    queues: dict[str, QueueSpec] = {}
    for name, raw in data["queues"].items():
        spec, queue_findings = _validate_queue(source, name, raw, defaults)
        findings += queue_findings
        if spec is not None:
            queues[name] = spec
    catalogue = _validate_whole(source, {**data, "defaults": defaults}, queues, findings)
    return catalogue, findings


def merge_defaults(defaults: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """What a queue states laid over the defaults, mapping by mapping; a list replaces a list."""
    merged = dict(defaults)
    for key, value in own.items():
        below = merged.get(key)
        merged[key] = merge_defaults(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return merged


def _unknown_defaults(source: Source, defaults: dict[str, Any]) -> list[Finding]:
    known = [name for name in QueueSpec.model_fields if name != "tasks"]
    return [
        source.finding(("defaults", key), "is no field that can have a default", _suggest(key, known))
        for key in defaults
        if key not in known
    ]


def _validate_queue(
    source: Source, name: str, raw: Any, defaults: dict[str, Any]
) -> tuple[QueueSpec | None, list[Finding]]:
    if re.fullmatch(QUEUE_NAME_PATTERN, name) is None or len(name) > QUEUE_NAME_LENGTH_MAX:
        _, findings = _validate_fields(source, name, raw, defaults)
        return None, [source.finding(("queues", name), "is no valid queue name", _NAME_FIX), *findings]
    return _validate_fields(source, name, raw, defaults)


def _validate_fields(
    source: Source, name: str, raw: Any, defaults: dict[str, Any]
) -> tuple[QueueSpec | None, list[Finding]]:
    if not isinstance(raw, dict):
        return None, [
            source.finding(
                ("queues", name),
                "is no mapping",
                "Write the queue's fields under its name: tasks, profile, runtime, load.",
            )
        ]
    usable = {key: value for key, value in defaults.items() if key in QueueSpec.model_fields}
    try:
        return QueueSpec.model_validate(merge_defaults(usable, raw)), []
    except ValidationError as error:
        return None, _unique(explain(source, ("queues", name), QueueSpec, detail) for detail in error.errors())


def _validate_whole(
    source: Source, data: dict[str, Any], queues: dict[str, QueueSpec], findings: list[Finding]
) -> Catalogue | None:
    """The catalogue around queues that were validated already; with findings it still carries those queues, for the checks across fields."""
    try:
        catalogue = Catalogue.model_validate({**data, "queues": queues})
    except ValidationError as error:
        # An empty mapping that is not empty in the file: its queues were refused above, each with its own finding.
        refused = {("queues",)} if data["queues"] else set()
        findings += [
            explain(source, (), Catalogue, detail) for detail in error.errors() if detail["loc"] not in refused
        ]
        catalogue = Catalogue.model_construct(application="", defaults={}, queues=queues)
    return catalogue if queues else None


def explain(source: Source, prefix: KeyPath, model: type[BaseModel], detail: ErrorDetails) -> Finding:
    """A Pydantic error in the words of the catalogue."""
    location = tuple(part for part in detail["loc"] if part != "[key]")
    path = (*prefix, *location)
    look_at = ("defaults", *location)
    kind = detail["type"]
    if kind == "extra_forbidden":
        known, refusal = _fields_at(model, location[:-1]), _refusal_at(model, location)
        if refusal is not None:
            return source.finding(path, "cannot be set here", refusal, look_at=look_at)
        return source.finding(path, "is no known key", _suggest(str(location[-1]), known), look_at=look_at)
    if kind == "missing":
        return source.finding(path, "is missing", f"Add it: {_describe(model, location)}", look_at=look_at)
    if kind == "string_pattern_mismatch":
        return source.finding(
            path,
            f"is {detail['input']!r}, which does not have the right form",
            f"It has to match {detail['ctx']['pattern']}",
            look_at=look_at,
        )
    message = detail["msg"].removeprefix("Value error, ")
    given = detail["input"]
    if kind == "value_error":
        return source.finding(path, f"is wrong: {message}", _describe(model, location), look_at=look_at)
    return source.finding(path, f"is {given!r}", f"{message}. {_describe(model, location)}".strip(), look_at=look_at)


_NAME_FIX = (
    "Use lower-case letters, digits and hyphens, beginning with a letter, 40 characters at most: a dot would deliver"
    " delayed tasks twice, a leading digit would match the bits of their delay."
)


def _unique(findings: Iterable[Finding]) -> list[Finding]:
    return list(dict.fromkeys(findings))


def _suggest(key: str, known: list[str]) -> str:
    close = difflib.get_close_matches(key, known, n=1, cutoff=0.6)
    hint = f"Did you mean `{close[0]}`? " if close else ""
    return f"{hint}Known here: {', '.join(known)}."


def submodel(annotation: Any) -> type[BaseModel] | None:
    """The model inside an annotation such as `list[VolumeSpec]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in getattr(annotation, "__args__", ()):
        if (found := submodel(argument)) is not None:
            return found
    return None


def _model_at(model: type[BaseModel], location: tuple[str | int, ...]) -> type[BaseModel]:
    current = model
    for part in location:
        field = _field(current, part)
        found = submodel(field.annotation) if field is not None else None
        current = found or current
    return current


def _fields_at(model: type[BaseModel], location: tuple[str | int, ...]) -> list[str]:
    return [field.alias or name for name, field in _model_at(model, location).model_fields.items()]


def _refusal_at(model: type[BaseModel], location: tuple[str | int, ...]) -> str | None:
    """What the model says of a key that it does not take."""
    found = _model_at(model, location[:-1])
    return found.refusal(str(location[-1])) if issubclass(found, Model) else None


def _field(model: type[BaseModel], part: str | int) -> Any:
    for name, field in model.model_fields.items():
        if part in (name, field.alias):
            return field
    return None


def _describe(model: type[BaseModel], location: tuple[str | int, ...]) -> str:
    """The docstring of the field that a location names."""
    current: type[BaseModel] = model
    text = show_path(location)
    for part in location:
        field = _field(current, part)
        if field is None:
            continue
        text = field.description or text
        current = submodel(field.annotation) or current
    return text
