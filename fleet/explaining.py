"""A Pydantic error in the words of the catalogue: what is wrong, and what to write instead.

Invariant: a misspelt key or word gets the nearest right one, and a value is shown as it is written in YAML.
"""

import difflib
import re
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from fleet.catalogue import Model
from fleet.docstrings import field_docstrings
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


def mistakes(model: type[BaseModel], details: Iterable[ErrorDetails]) -> list[ErrorDetails]:
    """The errors without those that another one explains: a key that is missing because it is misspelt."""
    listed = list(details)
    meant = {
        (*location[:-1], near)
        for detail in listed
        if detail["type"] == "extra_forbidden"
        and (location := error_location(detail))
        and (near := _near(str(location[-1]), _keys_of(_model_at(model, location[:-1]))))
    }
    return [detail for detail in listed if detail["type"] != "missing" or error_location(detail) not in meant]


def error_location(detail: ErrorDetails) -> KeyPath:
    """Where an error is, as keys of the data."""
    return tuple(part for part in detail["loc"] if part != "[key]")


def suggest(word: str, known: Iterable[str]) -> str:
    """The nearest of the words that are known here, and all of them."""
    words = list(known)
    return f"{_nearest(word, words)}Known here: {', '.join(words)}."


def _nearest(word: str, known: list[str]) -> str:
    """A question for the word that was probably meant; empty where none is near."""
    near = _near(word, known)
    return f"Did you mean `{near}`? " if near else ""


def _near(word: str, known: list[str]) -> str | None:
    by_lower = {choice.lower(): choice for choice in reversed(known)}
    close = difflib.get_close_matches(word.lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[close[0]] if close else None


def _words(model: type[BaseModel], location: KeyPath, detail: ErrorDetails) -> tuple[str, str]:
    kind, given = detail["type"], show_value(detail["input"])
    message = detail["msg"].removeprefix("Value error, ")
    meaning = _describe(model, location)
    if kind == "extra_forbidden":
        words = _unknown_key(_model_at(model, location[:-1]), str(location[-1]))
    elif kind == "missing":
        words = "is missing", f"Add it: {meaning}"
    elif kind == "string_pattern_mismatch":
        words = f"is {given}, which does not have the right form", f"It has to match {detail['ctx']['pattern']}"
    elif kind == "model_type":
        words = (
            f"is {given}, no mapping",
            f"Write keys under it: {', '.join(_keys_of(_model_at(model, location)))}. {meaning}",
        )
    elif kind in ("literal_error", "enum"):
        choices = re.findall(r"'([^']*)'", detail["ctx"]["expected"])
        words = f"is {given}", f"{_nearest(str(detail['input']), choices)}{message}. {meaning}"
    elif kind == "value_error":
        words = f"is wrong: {message}", meaning
    else:
        words = f"is {given}", f"{message}. {meaning}".strip()
    return words


def _unknown_key(model: type[BaseModel], key: str) -> tuple[str, str]:
    """What the model says of a key that it does not take, else the nearest that it does."""
    refusal = model.refusal(key) if issubclass(model, Model) else None
    if refusal is not None:
        return "cannot be set here", refusal
    return "is no known key", suggest(key, _keys_of(model))


def submodel(annotation: Any) -> type[BaseModel] | None:
    """The model inside an annotation such as `list[VolumeSpec]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in getattr(annotation, "__args__", ()):
        if (found := submodel(argument)) is not None:
            return found
    return None


def _model_at(model: type[BaseModel], location: KeyPath) -> type[BaseModel]:
    current = model
    for part in location:
        name = _field(current, part)
        found = submodel(current.model_fields[name].annotation) if name is not None else None
        current = found or current
    return current


def _keys_of(model: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]


def _field(model: type[BaseModel], part: str | int) -> str | None:
    """The name of the field that a key names."""
    return next((name for name, field in model.model_fields.items() if part in (name, field.alias)), None)


def _describe(model: type[BaseModel], location: KeyPath) -> str:
    """The docstring of the field that a location names."""
    current: type[BaseModel] = model
    text = show_path(location)
    for part in location:
        name = _field(current, part)
        if name is None:
            continue
        text = field_docstrings(current).get(name, text)
        current = submodel(current.model_fields[name].annotation) or current
    return text
