"""A Pydantic error in the words of the catalogue: what is wrong, and what to write instead.

Invariant: a misspelt key or word gets the nearest right one, and a value is shown as it is written in YAML.
"""

import difflib
import re
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from fleet.errors import Finding
from fleet.quantities import show_value
from fleet.source import KeyPath, Source, show_path


def explain(
    source: Source, prefix: KeyPath, model: type[BaseModel], detail: ErrorDetails, *, within: Source | None = None
) -> Finding:
    """The finding of one error of `model`, whose data stands under `prefix`."""
    location = error_location(detail)
    problem, fix = _words(model, location, detail)
    return source.finding((*prefix, *location), problem, fix, within=within)


def error_location(detail: ErrorDetails) -> KeyPath:
    """Where an error is, as keys of the data."""
    return tuple(part for part in detail["loc"] if part != "[key]")


def suggest(word: str, known: Iterable[str]) -> str:
    """The nearest of the words that are known here, and all of them."""
    words = list(known)
    return f"{_nearest(word, words)}Known here: {', '.join(words)}."


def _nearest(word: str, known: list[str]) -> str:
    """A question for the word that was probably meant; empty where none is near."""
    by_lower = {choice.lower(): choice for choice in reversed(known)}
    close = difflib.get_close_matches(word.lower(), by_lower, n=1, cutoff=0.6)
    return f"Did you mean `{by_lower[close[0]]}`? " if close else ""


def _words(model: type[BaseModel], location: KeyPath, detail: ErrorDetails) -> tuple[str, str]:
    kind, given = detail["type"], show_value(detail["input"])
    message = detail["msg"].removeprefix("Value error, ")
    meaning = _describe(model, location)
    if kind == "extra_forbidden":
        words = "is no known key", suggest(str(location[-1]), _keys_at(model, location[:-1]))
    elif kind == "missing":
        words = "is missing", f"Add it: {meaning}"
    elif kind == "string_pattern_mismatch":
        words = f"is {given}, which does not have the right form", f"It has to match {detail['ctx']['pattern']}"
    elif kind == "model_type":
        words = f"is {given}, no mapping", f"Write keys under it: {', '.join(_keys_at(model, location))}. {meaning}"
    elif kind in ("literal_error", "enum"):
        choices = re.findall(r"'([^']*)'", detail["ctx"]["expected"])
        words = f"is {given}", f"{_nearest(str(detail['input']), choices)}{message}. {meaning}"
    elif kind == "value_error":
        words = f"is wrong: {message}", meaning
    else:
        words = f"is {given}", f"{message}. {meaning}".strip()
    return words


def submodel(annotation: Any) -> type[BaseModel] | None:
    """The model inside an annotation such as `list[VolumeSpec]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in getattr(annotation, "__args__", ()):
        if (found := submodel(argument)) is not None:
            return found
    return None


def _keys_at(model: type[BaseModel], location: KeyPath) -> list[str]:
    current = model
    for part in location:
        field = _field(current, part)
        found = submodel(field.annotation) if field is not None else None
        current = found or current
    return [field.alias or name for name, field in current.model_fields.items()]


def _field(model: type[BaseModel], part: str | int) -> Any:
    for name, field in model.model_fields.items():
        if part in (name, field.alias):
            return field
    return None


def _describe(model: type[BaseModel], location: KeyPath) -> str:
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
