"""Property values as plugins and the engine exchange them: plain objects, with what is secret or not yet known marked.

The invariant: what is written to a message is read back from it unchanged, marks included.

Source: the markers from pulumi v3.259 `sdk/go/common/resource/plugin/rpc.go`; who inherits a secret mark from
pulumi-kubernetes v4.32 `provider/pkg/provider/provider.go` (annotateSecrets).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from google.protobuf import struct_pb2

Value: TypeAlias = Any
"""What JSON can hold, and the two markers below."""

Properties: TypeAlias = dict[str, Value]
"""A resource's inputs or outputs."""

SIGNATURE_KEY: Final = "4dabf18193072939515e22adb298388d"
SECRET_SIGNATURE: Final = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - a type's mark, the same everywhere
UNKNOWN_STRING: Final = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
UNKNOWN_MARKS: Final = frozenset(
    {
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",  # bool
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",  # number
        UNKNOWN_STRING,
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",  # array
        "030794c1-ac77-496b-92df-f27374a8bd58",  # asset
        "e48ece36-62e2-4504-bad9-02848725956a",  # archive
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",  # object
    }
)


@dataclass(frozen=True, slots=True)
class SecretValue:
    """A value the engine encrypts in its state and hides in its display."""

    value: Value


@dataclass(frozen=True, slots=True)
class Unknown:
    """A value that only exists once another resource has been created."""


UNKNOWN: Final = Unknown()


def unmarshal(struct: struct_pb2.Struct) -> Properties:
    """The properties of a message as plain objects, whole numbers as `int`, secrets and unknowns as their markers."""
    return {key: _unmarshal_value(value) for key, value in struct.fields.items()}


def _unmarshal_value(value: struct_pb2.Value) -> Value:
    kind = value.WhichOneof("kind")
    match kind:
        case "string_value":
            found: Value = UNKNOWN if value.string_value in UNKNOWN_MARKS else value.string_value
        case "number_value":
            found = int(value.number_value) if value.number_value.is_integer() else value.number_value
        case "bool_value":
            found = value.bool_value
        case "list_value":
            found = [_unmarshal_value(item) for item in value.list_value.values]
        case "struct_value":
            found = unmarshal(value.struct_value)
            if found.get(SIGNATURE_KEY) == SECRET_SIGNATURE:
                found = SecretValue(found.get("value"))
        case _:
            found = None
    return found


def marshal(properties: Properties) -> struct_pb2.Struct:
    """The inverse of `unmarshal`."""
    struct = struct_pb2.Struct()
    struct.update(_encode(properties))
    return struct


def _encode(value: Value) -> Value:
    if isinstance(value, dict):
        return {key: _encode(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_encode(item) for item in value]
    if isinstance(value, SecretValue):
        return {SIGNATURE_KEY: SECRET_SIGNATURE, "value": _encode(value.value)}
    if isinstance(value, Unknown):
        return UNKNOWN_STRING
    return value


def without_secrets(value: Value) -> Value:
    """A copy without secret marks; unknowns stay marked."""
    if isinstance(value, SecretValue):
        return without_secrets(value.value)
    if isinstance(value, dict):
        return {key: without_secrets(item) for key, item in value.items()}
    if isinstance(value, list):
        return [without_secrets(item) for item in value]
    return value


def has_unknown(value: Value) -> bool:
    """Whether anything inside is not known yet."""
    if isinstance(value, Unknown):
        return True
    if isinstance(value, SecretValue):
        return has_unknown(value.value)
    if isinstance(value, dict):
        return any(has_unknown(item) for item in value.values())
    return isinstance(value, list) and any(has_unknown(item) for item in value)


def has_secret(value: Value) -> bool:
    """Whether anything inside is secret."""
    if isinstance(value, SecretValue):
        return True
    if isinstance(value, dict):
        return any(has_secret(item) for item in value.values())
    return isinstance(value, list) and any(has_secret(item) for item in value)


def with_secrets_of(outputs: Properties, inputs: Properties) -> Properties:
    """`outputs` with secret marks wherever `inputs` has one; a list with one secret element is secret as a whole."""
    marked = dict(outputs)
    for key, given in inputs.items():
        if key not in outputs:
            continue
        found = outputs[key]
        if isinstance(found, dict) and isinstance(given, dict):
            marked[key] = with_secrets_of(found, given)
        elif not isinstance(found, SecretValue) and has_secret(given):
            marked[key] = SecretValue(found)
    return marked
