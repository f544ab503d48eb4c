"""Strategic merge of an override into a pod, a StatefulSet or a Service.

Invariant: objects merge field by field, lists with a merge key merge item by item, every other list is replaced;
nothing that the patch does not name changes.
Facts from: Kubernetes `k8s.io/apimachinery/pkg/util/strategicpatch` and the `patchMergeKey` tags of
`k8s.io/api/core/v1/types.go` (v0.36); used by cluster-operator v2.21.1 `internal/resource/{service,statefulset}.go`.
"""

from collections.abc import Mapping
from typing import Any, Final

POD_LIST_KEYS: Final[Mapping[str, str]] = {
    "containers": "name",
    "initContainers": "name",
    "ephemeralContainers": "name",
    "volumes": "name",
    "env": "name",
    "ports": "containerPort",
    "volumeMounts": "mountPath",
    "volumeDevices": "devicePath",
    "imagePullSecrets": "name",
    "topologySpreadConstraints": "topologyKey",
    "hostAliases": "ip",
    "resourceClaims": "name",
}
"""Lists inside a pod's spec that merge item by item, and the field that says which items are the same."""


def merge_strategically(
    original: Mapping[str, Any], patch: Mapping[str, Any], *, list_keys: Mapping[str, str]
) -> dict[str, Any]:
    """`original` with `patch` merged in; neither is changed. A null in the patch changes nothing."""
    merged = dict(original)
    for field, value in patch.items():
        if value is None:
            continue
        current = merged.get(field)
        if isinstance(value, Mapping) and isinstance(current, Mapping):
            merged[field] = merge_strategically(current, value, list_keys=list_keys)
        elif isinstance(value, list) and isinstance(current, list) and field in list_keys:
            merged[field] = _merge_items(current, value, key=list_keys[field], list_keys=list_keys)
        else:
            merged[field] = value
    return merged


def _merge_items(current: list[Any], patch: list[Any], *, key: str, list_keys: Mapping[str, str]) -> list[Any]:
    merged = list(current)
    for item in patch:
        place = next((index for index, other in enumerate(merged) if other.get(key) == item.get(key)), None)
        if place is None:
            merged.append(item)
        else:
            merged[place] = merge_strategically(merged[place], item, list_keys=list_keys)
    return merged
