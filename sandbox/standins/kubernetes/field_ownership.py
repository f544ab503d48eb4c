"""Who owns which field of a live object, as far as an update by this provider has to know.

The invariant: an object that was created by a plain POST becomes owned by the resource's own apply manager at its first
update, and a field of `ignoreChanges` stays with whoever owns it.

Source: pulumi-kubernetes v4.32 `provider/pkg/await/await.go` (fixCSAFieldManagers, handleSSAIgnoreFields, patchForce).
"""

from __future__ import annotations

import copy
from typing import Final

from sandbox.standins.diffing import Path, parse_path
from sandbox.standins.kubernetes.naming import annotation, metadata_of
from sandbox.standins.kubernetes.values import Manifest
from sandbox.standins.property_values import Value

CREATE_MANAGER: Final = "pulumi-kubernetes"
"""The name under which objects are created; the first update moves its fields to the resource's own manager."""

PROVIDER_MANAGERS: Final = ("pulumi-kubernetes", "pulumi-kubernetes.exe", "pulumi-resource-kubernetes")

_TAKEN_OVER: Final = frozenset(
    {
        ("kubectl", "Apply"),
        ("kubectl", "Update"),
        ("before-first-apply", "Update"),
        *((manager, "Update") for manager in PROVIDER_MANAGERS),
    }
)


def managed_fields(live: Manifest) -> list[Manifest]:
    """The object's record of who owns what."""
    found = metadata_of(live).get("managedFields")
    return found if isinstance(found, list) else []


def takeover_patch(live: Manifest, manager: str) -> list[Manifest]:
    """The JSON patch that hands the fields of earlier managers of ours to `manager`; empty when there are none."""
    entries = managed_fields(live)
    taken = [entry for entry in entries if _is_taken_over(entry)]
    if not taken:
        return []
    own = next((entry for entry in entries if _is_own(entry, manager)), None)
    fields: Manifest = copy.deepcopy(own.get("fieldsV1", {})) if own else {}
    for entry in taken:
        _merge(fields, entry.get("fieldsV1") or {})
    merged = {**(own or taken[0]), "manager": manager, "operation": "Apply", "fieldsV1": fields}
    kept = [entry for entry in entries if not _is_taken_over(entry) and not _is_own(entry, manager)]
    return [
        {"op": "replace", "path": "/metadata/managedFields", "value": [*kept, merged]},
        # Refused by the server if somebody wrote the object meanwhile, so that no entry of theirs is lost.
        {"op": "replace", "path": "/metadata/resourceVersion", "value": metadata_of(live).get("resourceVersion")},
    ]


def _is_taken_over(entry: Manifest) -> bool:
    # A subresource's entry (status, scale) belongs to a controller even under one of our names.
    return (entry.get("manager"), entry.get("operation")) in _TAKEN_OVER and not entry.get("subresource")


def _is_own(entry: Manifest, manager: str) -> bool:
    return (entry.get("manager"), entry.get("operation"), entry.get("subresource") or "") == (manager, "Apply", "")


def _merge(into: Manifest, more: Manifest) -> None:
    for key, value in more.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = copy.deepcopy(value)


def must_force(inputs: Manifest, live: Manifest, *, always: bool, preview: bool) -> bool:
    """Whether an apply may take fields from other managers without being asked.

    Only when the user says so, when nobody is recorded as an owner, or in a preview of an object whose fields would be
    taken over before the real update.
    """
    if always or annotation(inputs, "pulumi.com/patchForce") == "true" or not managed_fields(live):
        return True
    return preview and any(
        entry.get("operation") == "Update" and entry.get("manager") in PROVIDER_MANAGERS
        for entry in managed_fields(live)
    )


def without_ignored(inputs: Manifest, live: Manifest, ignored: list[str], manager: str) -> Manifest:
    """The inputs for an apply that leaves the paths of `ignoreChanges` as they are.

    A path another manager owns alone is left out; one that we own keeps its live value; one that does not exist yet
    keeps the declared value.
    """
    result = copy.deepcopy(inputs)
    for text in ignored:
        path = parse_path(text)
        ours = any(_owns(entry, path) for entry in managed_fields(live) if entry.get("manager") == manager)
        theirs = any(_owns(entry, path) for entry in managed_fields(live) if entry.get("manager") != manager)
        if theirs and not ours:
            _set(result, path, None)
            continue
        found = _find(live, path)
        if found is not None:
            _set(result, path, found)
    return result


def _owns(entry: Manifest, path: Path) -> bool:
    fields: Value = entry.get("fieldsV1")
    for part in path:
        key = f"f:{part}"
        if isinstance(part, int) or not isinstance(fields, dict) or key not in fields:
            return False
        fields = fields[key]
    return True


def _find(manifest: Value, path: Path) -> Value:
    for part in path:
        keys: Value = (
            range(len(manifest)) if isinstance(manifest, list) else manifest if isinstance(manifest, dict) else ()
        )
        if part not in keys:
            return None
        manifest = manifest[part]
    return manifest


def _set(manifest: Value, path: Path, value: Value) -> None:
    """Set or, with no value, remove what is at `path`; a parent that is missing stays missing unless there is one."""
    *parents, last = path
    for part in parents:
        if isinstance(manifest, dict) and part not in manifest and value is not None:
            manifest[part] = {}
        manifest = _find(manifest, (part,))
    if isinstance(manifest, dict):
        if value is None:
            manifest.pop(last, None)
        else:
            manifest[last] = value
    elif isinstance(manifest, list) and isinstance(last, int) and last < len(manifest) and value is not None:
        manifest[last] = value
