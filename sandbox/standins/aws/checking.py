"""Inputs compared with what the package says of them: unknown, missing, of the wrong type, or a value AWS does not know.

The invariant: every problem of a resource is told at once, each with the path of its property; what is not known yet is
taken to be right.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from sandbox.standins.aws.allowed_values import problems_of
from sandbox.standins.aws.package_types import (
    ListOf,
    MapOf,
    ObjectOf,
    OneOf,
    ResourceType,
    Scalar,
    Shape,
    Type,
    object_shape,
    provider_inputs,
)
from sandbox.standins.property_values import Properties, Unknown, Value

DEFAULTS_KEY: Final = "__defaults"
"""Names of inputs that the provider filled in; the real plugin keeps them under the same key."""

VERSION_KEY: Final = "version"
"""The engine's own entry among a provider's inputs."""

_WORDS: Final = {
    "string": "a string", "boolean": "true or false", "integer": "a whole number", "number": "a number",
    "list": "a list", "object": "an object",
}  # fmt: skip
_CLASSES: Final[dict[str, type | tuple[type, ...]]] = {
    "string": str, "boolean": bool, "integer": int, "number": (int, float), "list": list, "object": dict, "any": object,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with one property."""

    path: str
    reason: str


def check_inputs(resource: ResourceType, inputs: Properties) -> list[Problem]:
    """Everything that is wrong with the inputs of a resource."""
    stated = {key: value for key, value in inputs.items() if key != DEFAULTS_KEY}
    problems = list(_check_object(stated, resource.inputs, ""))
    # A rule may take a property's type for granted.
    return problems or [Problem(path, reason) for path, reason in problems_of(resource.token, stated)]


def check_provider(inputs: Properties) -> list[Problem]:
    """Everything that is wrong with the provider's own settings; what is no string travels as JSON."""
    shape = provider_inputs()
    read = {key: _decoded(value, key, shape) for key, value in inputs.items() if key != VERSION_KEY}
    return list(_check_object(read, shape, ""))


def _decoded(value: Value, key: str, shape: Shape) -> Value:
    if not isinstance(value, str) or key not in shape or shape[key].type == Scalar("string"):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def _check_object(values: Properties, shape: Shape, path: str) -> Iterator[Problem]:
    for name, value in values.items():
        if name not in shape:
            near = difflib.get_close_matches(name, shape, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"known are: {', '.join(sorted(shape))}"
            yield Problem(_joined(path, name), f"there is no such property; {hint}")
        elif value is not None:
            yield from _check(value, shape[name].type, _joined(path, name))
    for name, described in shape.items():
        if described.required and values.get(name) is None:
            yield Problem(_joined(path, name), "is required and missing")


def _check(value: Value, wanted: Type, path: str) -> Iterator[Problem]:
    if isinstance(value, Unknown):
        return
    if isinstance(wanted, OneOf):
        found = [list(_check(value, option, path)) for option in wanted.options]
        yield from min(found, key=len)
        return
    expected = _expected(wanted)
    if not _is_a(value, expected):
        yield Problem(path, f"is to be {_WORDS[expected]}, not {_kind(value)}")
        return
    match wanted:
        case ListOf(item):
            for index, element in enumerate(value):
                yield from _check(element, item, f"{path}[{index}]")
        case MapOf(item):
            for key, element in value.items():
                yield from _check(element, item, f'{path}["{key}"]')
        case ObjectOf():
            yield from _check_object(value, object_shape(wanted), path)


def _expected(wanted: Type) -> str:
    """The key of `_WORDS` for a type."""
    if isinstance(wanted, Scalar):
        return wanted.kind
    return "list" if isinstance(wanted, ListOf) else "object"


def _is_a(value: Value, kind: str) -> bool:
    # Python takes True for a number; AWS does not.
    if isinstance(value, bool):
        return kind in ("boolean", "any")
    return isinstance(value, _CLASSES[kind])


def _kind(value: Value) -> str:
    """What a value is; never the value itself, which may be a secret."""
    return next((word for kind, word in _WORDS.items() if _is_a(value, kind)), "nothing")


def _joined(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
