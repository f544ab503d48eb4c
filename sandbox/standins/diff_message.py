"""Differences as the engine's protocol spells them.

Source: pulumi v3.259 `sdk/proto/pulumi/provider.proto` (PropertyDiff).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pulumi.runtime.proto import provider_pb2

from sandbox.standins.diffing import Change, FieldChange
from sandbox.standins.plugin_server import Message

_KINDS: Final = {
    (Change.ADD, False): provider_pb2.PropertyDiff.ADD,
    (Change.ADD, True): provider_pb2.PropertyDiff.ADD_REPLACE,
    (Change.DELETE, False): provider_pb2.PropertyDiff.DELETE,
    (Change.DELETE, True): provider_pb2.PropertyDiff.DELETE_REPLACE,
    (Change.UPDATE, False): provider_pb2.PropertyDiff.UPDATE,
    (Change.UPDATE, True): provider_pb2.PropertyDiff.UPDATE_REPLACE,
}


def detailed_diff(fields: Mapping[str, FieldChange], *, of_inputs: bool = False) -> dict[str, Message]:
    """One message for each field; `of_inputs` when the fields are those of the inputs alone, not of the state."""
    return {
        path: provider_pb2.PropertyDiff(
            kind=_KINDS[change.change, change.replaces], inputDiff=of_inputs or change.change is Change.DELETE
        )
        for path, change in fields.items()
    }
