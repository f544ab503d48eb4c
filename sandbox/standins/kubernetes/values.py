"""The state of a Kubernetes resource as the engine keeps it, and the spelling of its keys.

The invariant: the state holds the inputs beside the live object, each can be taken out again, and what the program
marked secret is secret in both.

Source: pulumi-kubernetes v4.32 `provider/pkg/provider/provider.go` (checkpointObject, parseCheckpointObject,
annotateSecrets, the dash and underscore maps).
"""

from __future__ import annotations

from typing import Final, TypeAlias

from sandbox.standins.property_values import Properties, SecretValue, Value, without_secrets
from sandbox.standins.property_values import with_secrets_of as marked_like

Manifest: TypeAlias = Properties
"""An object as the Kubernetes API writes it."""

UNDERSCORED: Final = {
    f"x_kubernetes_{word.replace('-', '_')}": f"x-kubernetes-{word}"
    for word in (
        "embedded-resource",
        "int-or-string",
        "list-map-keys",
        "list-type",
        "map-type",
        "preserve-unknown-fields",
        "validations",
    )
}
"""Keys of a CustomResourceDefinition's schema that a Python keyword argument cannot spell."""

DASHED: Final = {dashed: underscored for underscored, dashed in UNDERSCORED.items()}

INPUTS_KEY: Final = "__inputs"
INITIAL_API_VERSION_KEY: Final = "__initialApiVersion"
FIELD_MANAGER_KEY: Final = "__fieldManager"


def plain(value: Value) -> Value:
    """A copy without secret marks, keys spelled as the API spells them; unknowns stay marked."""
    return _respelled(without_secrets(value), UNDERSCORED)


def underscored(value: Value) -> Value:
    """A copy with keys spelled as the Python SDK spells them."""
    return _respelled(value, DASHED)


def _respelled(value: Value, spellings: dict[str, str]) -> Value:
    if isinstance(value, dict):
        return {spellings.get(key, key): _respelled(item, spellings) for key, item in value.items()}
    if isinstance(value, list):
        return [_respelled(item, spellings) for item in value]
    return value


def with_secrets_of(outputs: Manifest, inputs: Manifest) -> Manifest:
    """`outputs` with secret marks wherever `inputs` has one.

    The `data` and `stringData` of a Secret are secret, wherever they came from.
    """
    if outputs.get("kind") == "Secret":
        return {
            key: SecretValue(value) if key in ("data", "stringData") and not isinstance(value, SecretValue) else value
            for key, value in outputs.items()
        }
    return marked_like(outputs, inputs)


def checkpoint(
    inputs: Manifest, live: Manifest, given: Manifest, *, initial_api_version: str, field_manager: str
) -> Manifest:
    """The state the engine keeps: the live object, with the inputs and the provider's own notes beside it."""
    state: Manifest = with_secrets_of(underscored(live), given)
    state[INPUTS_KEY] = with_secrets_of(underscored(inputs), given)
    state[INITIAL_API_VERSION_KEY] = initial_api_version
    state[FIELD_MANAGER_KEY] = field_manager
    return state


def parse_checkpoint(state: Manifest) -> tuple[Manifest, Manifest]:
    """The inputs and the live object of a state, both plain."""
    live: Manifest = plain(state)
    inputs = live.pop(INPUTS_KEY, None)
    live.pop(INITIAL_API_VERSION_KEY, None)
    live.pop(FIELD_MANAGER_KEY, None)
    return (inputs if isinstance(inputs, dict) else {}), live
