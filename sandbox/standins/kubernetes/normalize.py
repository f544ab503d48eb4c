"""Inputs in the form in which the API server gives them back, so that an unchanged program shows no change.

The invariant: normalising never changes what an object means; it only chooses between spellings of the same object.
Custom resources are left as they are written, because their spelling is their own definition's business.

Source: pulumi-kubernetes v4.32 `provider/pkg/clients/unstructured.go` (Normalize), `provider/pkg/provider/provider.go`
(normalizeInputs) and `util.go` (pruneMap, pruneSlice); quantities from Kubernetes 1.36
`apimachinery/pkg/api/resource/quantity.go` (CanonicalizeBytes).
"""

from __future__ import annotations

import base64
import binascii
from decimal import Decimal, InvalidOperation
from typing import Final

from sandbox.standins.kubernetes.naming import kind_of
from sandbox.standins.kubernetes.values import Manifest
from sandbox.standins.property_values import Value, has_unknown

READ_ONLY_METADATA: Final = (
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generation",
    "managedFields",
    "resourceVersion",
    "uid",
)

BUILT_IN_GROUPS: Final = frozenset({"", "apps", "autoscaling", "batch", "extensions", "policy"})
"""Besides these, every group of Kubernetes itself ends in `.k8s.io`, as do a few CustomResourceDefinitions'."""

CUSTOM_K8S_IO_GROUPS: Final = frozenset({"gateway.networking.k8s.io", "snapshot.storage.k8s.io", "metrics.k8s.io"})

QUANTITY_MAPS: Final = frozenset({"requests", "limits", "capacity", "hard", "overhead", "max", "min", "default"})
"""Mappings from a resource's name to a quantity; `default*` and ratios of a LimitRange are spelled the same way."""

QUANTITY_FIELDS: Final = frozenset({"sizeLimit", "divisor", "averageValue"})

DECIMAL_SUFFIXES: Final = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
BINARY_SUFFIXES: Final = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}


def is_built_in(manifest: Manifest) -> bool:
    """Whether Kubernetes itself defines the object's kind."""
    group = kind_of(manifest).group
    return group in BUILT_IN_GROUPS or (group.endswith(".k8s.io") and group not in CUSTOM_K8S_IO_GROUPS)


def canonical_quantity(text: str) -> str:
    """A quantity as the API server writes it: `1000m` is `1`, `1024Mi` is `1Gi`; anything else unchanged."""
    if text[-2:] in BINARY_SUFFIXES:
        number, base, exponents = text[:-2], 1024, BINARY_SUFFIXES
        exponent = BINARY_SUFFIXES[text[-2:]]
    else:
        suffix = text[-1:] if text[-1:] in DECIMAL_SUFFIXES else ""
        number, base, exponents = text[: len(text) - len(suffix)], 10, DECIMAL_SUFFIXES
        exponent = DECIMAL_SUFFIXES[suffix]
    try:
        amount = Decimal(number) * Decimal(base) ** exponent
    except InvalidOperation:
        return text
    if amount == 0:
        return "0"
    for suffix, power in sorted(exponents.items(), key=lambda entry: -entry[1]):
        scaled = amount / Decimal(base) ** power
        if scaled == scaled.to_integral_value():
            return f"{int(scaled)}{suffix}"
    return str(int(amount)) if amount == amount.to_integral_value() else text


def normalized(manifest: Manifest) -> Manifest:
    """A copy of the inputs in the API server's spelling, without metadata that only the server may write."""
    result = dict(manifest)
    if is_built_in(manifest) and not has_unknown(manifest):
        kind = kind_of(manifest)
        if kind.kind == "Secret" and not kind.group:
            result = _normalized_secret(result)
        elif kind.kind == "CustomResourceDefinition":
            result = _normalized_definition(result)
        else:
            result = {key: _respelled(key, value) for key, value in result.items() if value is not None}
    metadata = result.get("metadata")
    if isinstance(metadata, dict):
        result["metadata"] = {key: value for key, value in metadata.items() if key not in READ_ONLY_METADATA}
    return result


def _respelled(key: str, value: Value) -> Value:
    if isinstance(value, dict):
        if key in QUANTITY_MAPS:
            return {name: _quantity(amount) for name, amount in value.items()}
        return {name: _respelled(name, item) for name, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_respelled(key, item) for item in value]
    return _quantity(value) if key in QUANTITY_FIELDS else value


def _quantity(value: Value) -> Value:
    if isinstance(value, bool):
        return value
    return canonical_quantity(str(value)) if isinstance(value, str | int | float) else _respelled("", value)


def _normalized_secret(manifest: Manifest) -> Manifest:
    """`stringData` becomes `data`, which it overrides; `data` is encoded the way the server encodes it."""
    data = dict(manifest.get("data") or {})
    strings = manifest.get("stringData") or {}
    for key, value in data.items():
        try:
            data[key] = base64.b64encode(base64.b64decode(value)).decode()
        except (binascii.Error, TypeError, ValueError):
            continue  # The server refuses it with a better sentence than any here.
    data.update({key: base64.b64encode(str(value).encode()).decode() for key, value in strings.items()})
    rest = {key: value for key, value in manifest.items() if key not in ("data", "stringData") and value is not None}
    return {**rest, "data": data} if data else rest


def _normalized_definition(manifest: Manifest) -> Manifest:
    """Without `status`, and without the deprecated `preserveUnknownFields: false` that the server drops."""
    result = {key: value for key, value in manifest.items() if key != "status" and value is not None}
    spec = result.get("spec")
    if isinstance(spec, dict) and spec.get("preserveUnknownFields") is False:
        result["spec"] = {key: value for key, value in spec.items() if key != "preserveUnknownFields"}
    return result


def is_empty(value: Value) -> bool:
    """Whether a built-in kind leaves the value out when it writes the field (Go's `omitempty`)."""
    return value is None or value is False or (not isinstance(value, bool) and value in ("", 0, [], {}))


def without_omitted(inputs: Manifest, live: Manifest) -> Manifest:
    """The inputs without the empty values that the server left out of the live object.

    Writing `hostNetwork: false` and not writing it are the same object, and the server gives back the second.
    """
    result: Manifest = {}
    for key, value in inputs.items():
        if key not in live:
            if not is_empty(value):
                result[key] = value
            continue
        found = live[key]
        if isinstance(value, dict) and isinstance(found, dict):
            result[key] = without_omitted(value, found)
        elif isinstance(value, list) and isinstance(found, list):
            result[key] = [
                without_omitted(item, found[index])
                if index < len(found) and isinstance(item, dict) and isinstance(found[index], dict)
                else item
                for index, item in enumerate(value)
            ]
        else:
            result[key] = value
    return result


def pruned(live: Manifest, shape: Manifest) -> Manifest:
    """What of the live object the inputs speak about: defaults, status and others' fields are left out."""
    result: Manifest = {}
    for key, value in live.items():
        if key not in shape:
            continue
        wanted = shape[key]
        if isinstance(value, dict) and isinstance(wanted, dict):
            result[key] = pruned(value, wanted)
        elif isinstance(value, list) and isinstance(wanted, list):
            result[key] = _pruned_list(value, wanted)
        else:
            result[key] = value
    return result


def _pruned_list(live: list[Value], shape: list[Value]) -> list[Value]:
    if not live or not shape:
        return []
    if type(live[0]) is not type(shape[0]):
        return list(live)
    result: list[Value] = []
    for value, wanted in zip(live, shape, strict=False):
        if isinstance(value, dict) and isinstance(wanted, dict):
            result.append(pruned(value, wanted))
        elif isinstance(value, list) and isinstance(wanted, list):
            result.append(_pruned_list(value, wanted))
        else:
            result.append(value)
    return result
