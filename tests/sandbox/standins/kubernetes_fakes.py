"""A cluster in memory at the edge of the provider: objects by kind, namespace and name, and a log that keeps what is said."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

from sandbox.standins.kubernetes.client import ApiError, Endpoint, NoSuchKindError
from sandbox.standins.kubernetes.naming import Kind, kind_of, name_of, namespace_of
from sandbox.standins.kubernetes.values import Manifest

CLUSTER_WIDE = {"Namespace", "StorageClass", "CustomResourceDefinition", "ClusterRole"}


@dataclass
class RememberingLog:
    """Keeps every line."""

    lines: list[tuple[str, str]] = field(default_factory=list)

    async def status(self, urn: str, message: str) -> None:
        self.lines.append((urn, message))

    async def warn(self, urn: str, message: str) -> None:
        self.lines.append((urn, f"warning: {message}"))


@dataclass
class FakeClient:
    """The API server's answers, as far as the provider asks; controllers are played by the test through `objects`."""

    objects: dict[tuple[Kind, str, str], Manifest] = field(default_factory=dict)
    unknown_kinds: set[str] = field(default_factory=set)
    requests: list[str] = field(default_factory=list)
    refusal: ApiError | None = None
    """What the refused writes are answered with."""

    refused: tuple[str, ...] = ("create", "apply", "force-apply", "replace", "patch")

    stays_until_asked: int = 0
    """How often a deleted object is still seen."""

    _versions: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def put(self, manifest: Manifest) -> Manifest:
        """Play a controller, or the time before the test."""
        self.objects[kind_of(manifest), namespace_of(manifest), name_of(manifest)] = manifest
        return manifest

    async def endpoint(self, kind: Kind) -> Endpoint:
        if kind.kind in self.unknown_kinds:
            raise NoSuchKindError(kind)
        return Endpoint(kind.kind.lower() + "s", kind.kind not in CLUSTER_WIDE)

    async def discover(self) -> None:
        self.requests.append("discover")

    async def get(self, kind: Kind, namespace: str, name: str) -> Manifest:
        await self.endpoint(kind)
        try:
            return copy.deepcopy(self.objects[kind, namespace, name])
        except KeyError:
            raise ApiError(404, "NotFound", f'{kind.kind.lower()}s "{name}" not found', {"kind": "things"}) from None

    async def list(self, kind: Kind, namespace: str, *, labels: dict[str, str] | None = None) -> list[Manifest]:
        return [
            copy.deepcopy(found)
            for (its_kind, its_namespace, _), found in self.objects.items()
            if its_kind == kind
            and its_namespace == namespace
            and (labels or {}).items() <= (found["metadata"].get("labels") or {}).items()
        ]

    async def create(self, manifest: Manifest, *, manager: str, dry_run: bool) -> Manifest:
        self._note("create", manifest, dry_run)
        await self.endpoint(kind_of(manifest))
        if (kind_of(manifest), namespace_of(manifest), name_of(manifest)) in self.objects:
            raise ApiError(409, "AlreadyExists", f'"{name_of(manifest)}" already exists')
        return self._stored(manifest, manager, "Update", dry_run)

    async def apply(self, manifest: Manifest, *, manager: str, force: bool, dry_run: bool) -> Manifest:
        self._note("force-apply" if force else "apply", manifest, dry_run)
        return self._stored(manifest, manager, "Apply", dry_run)

    async def replace(self, manifest: Manifest, *, manager: str, dry_run: bool) -> Manifest:
        self._note("replace", manifest, dry_run)
        return self._stored(manifest, manager, "Update", dry_run)

    async def patch(self, live: Manifest, operations: Sequence[Manifest]) -> Manifest:
        self._note("patch", live, False)
        patched = copy.deepcopy(live)
        patched["metadata"]["managedFields"] = operations[0]["value"]
        return self.put(patched)

    async def delete(self, kind: Kind, namespace: str, name: str, *, propagation: str) -> None:
        self.requests.append(f"delete {propagation} {name}")
        found = await self.get(kind, namespace, name)
        found["metadata"]["deletionTimestamp"] = "now"
        self.objects[kind, namespace, name] = found
        if not self.stays_until_asked:
            del self.objects[kind, namespace, name]

    def _note(self, verb: str, manifest: Manifest, dry_run: bool) -> None:
        self.requests.append(f"{verb} {name_of(manifest)}{' (dry run)' if dry_run else ''}")
        if self.refusal is not None and verb in self.refused:
            raise self.refusal

    def _stored(self, manifest: Manifest, manager: str, operation: str, dry_run: bool) -> Manifest:
        stored = copy.deepcopy(manifest)
        version = next(self._versions)
        entry = {"manager": manager, "operation": operation, "fieldsV1": {"f:data": {}}}
        stored["metadata"] |= {"uid": f"uid-{version}", "resourceVersion": str(version), "managedFields": [entry]}
        return stored if dry_run else self.put(stored)
