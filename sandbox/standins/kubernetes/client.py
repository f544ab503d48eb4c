"""The Kubernetes API over one pool of kept-alive connections, with its errors in its own words.

The invariant: a kind is addressed by what the cluster's discovery says of it; a kind that discovery does not know yet
is looked up again before it is refused, because its definition may have been created a moment ago.

Source: Kubernetes 1.36 docs, "API Concepts" (resource URIs, dry run) and "Server-Side Apply"; aggregated discovery
`apidiscovery.k8s.io/v2`; the wording of an unknown kind from `apimachinery/pkg/api/meta/errors.go`.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote

import aiohttp

from sandbox.standins.kubernetes.kubeconfig import ClusterAccess
from sandbox.standins.kubernetes.naming import Kind, kind_of, name_of, namespace_of
from sandbox.standins.kubernetes.values import Manifest
from sandbox.standins.plugin_server import PluginError
from sandbox.standins.property_values import Value

CONNECTIONS: Final = 32
REQUEST_TIMEOUT_SECONDS: Final = 60
REDISCOVERY_SECONDS: Final = 1.0
"""A hundred resources of a missing kind ask for discovery once, not a hundred times."""

BUSY_RETRIES: Final = 5

DISCOVERY_TYPE: Final = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"
APPLY_PATCH: Final = "application/apply-patch+yaml"
JSON_PATCH: Final = "application/json-patch+json"


class ApiError(PluginError):
    """What the API server refused, in the sentence it wrote."""

    def __init__(self, code: int, reason: str, message: str, details: Manifest | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.details = details or {}

    @property
    def is_missing_namespace(self) -> bool:
        """Whether the object's namespace is what was not found."""
        return self.reason == "NotFound" and self.details.get("kind") == "namespaces"


class NoSuchKindError(PluginError):
    """The cluster serves no such kind; its CustomResourceDefinition may be missing."""

    def __init__(self, kind: Kind) -> None:
        super().__init__(f'no matches for kind "{kind.kind}" in version "{kind.api_version}"')


class UnreachableError(PluginError):
    """No answer from the API server."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the API serves a kind."""

    plural: str
    namespaced: bool


@dataclass(slots=True)
class KubernetesClient:
    """Requests to one cluster."""

    access: ClusterAccess
    _endpoints: dict[Kind, Endpoint] = field(default_factory=dict)
    _discovered_at: float = float("-inf")
    _discovering: asyncio.Lock = field(default_factory=asyncio.Lock)
    _session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Give the connections back."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def endpoint(self, kind: Kind) -> Endpoint:
        """Where a kind is served.

        Raises: NoSuchKindError when discovery, asked again, does not know it.
        """
        if kind not in self._endpoints:
            async with self._discovering:
                if kind not in self._endpoints and time.monotonic() - self._discovered_at > REDISCOVERY_SECONDS:
                    await self.discover()
        if kind not in self._endpoints:
            raise NoSuchKindError(kind)
        return self._endpoints[kind]

    async def discover(self) -> None:
        """Ask the cluster which kinds it serves."""
        endpoints: dict[Kind, Endpoint] = {}
        for root in ("/api", "/apis"):
            answer = await self.request("GET", root, accept=DISCOVERY_TYPE)
            for group in answer.get("items", []):
                name = group.get("metadata", {}).get("name", "")
                for version in group.get("versions", []):
                    for resource in version.get("resources", []):
                        served = resource.get("responseKind") or {}
                        kind = Kind(name, version["version"], served.get("kind", ""))
                        endpoints[kind] = Endpoint(resource["resource"], resource.get("scope") == "Namespaced")
        self._endpoints = endpoints
        self._discovered_at = time.monotonic()

    async def path(self, kind: Kind, namespace: str, name: str = "") -> str:
        """The URI of an object, or of its collection when `name` is empty."""
        endpoint = await self.endpoint(kind)
        root = f"/apis/{kind.group}/{kind.version}" if kind.group else f"/api/{kind.version}"
        place = f"/namespaces/{quote(namespace or 'default')}" if endpoint.namespaced else ""
        return f"{root}{place}/{endpoint.plural}" + (f"/{quote(name)}" if name else "")

    async def get(self, kind: Kind, namespace: str, name: str) -> Manifest:
        """The live object."""
        return await self.request("GET", await self.path(kind, namespace, name))

    async def list(self, kind: Kind, namespace: str, *, labels: dict[str, str] | None = None) -> list[Manifest]:
        """The live objects of a namespace whose labels match."""
        selector = ",".join(f"{key}={value}" for key, value in (labels or {}).items())
        path = await self.path(kind, namespace)
        answer = await self.request("GET", path, {"labelSelector": selector} if selector else {})
        items: list[Manifest] = answer.get("items", [])
        return items

    async def create(self, manifest: Manifest, *, manager: str, dry_run: bool) -> Manifest:
        """The object as created; an object of that name must not exist."""
        path = await self.path(kind_of(manifest), namespace_of(manifest))
        return await self.request("POST", path, _options(manager, dry_run), manifest)

    async def apply(self, manifest: Manifest, *, manager: str, force: bool, dry_run: bool) -> Manifest:
        """The object after a server-side apply by `manager`, created if it did not exist."""
        path = await self.path(kind_of(manifest), namespace_of(manifest), name_of(manifest))
        options = {**_options(manager, dry_run), "force": "true" if force else "false"}
        return await self.request("PATCH", path, options, manifest, content_type=APPLY_PATCH)

    async def replace(self, manifest: Manifest, *, manager: str, dry_run: bool) -> Manifest:
        """The object after a replacement of all its fields."""
        path = await self.path(kind_of(manifest), namespace_of(manifest), name_of(manifest))
        return await self.request("PUT", path, _options(manager, dry_run), manifest)

    async def patch(self, live: Manifest, operations: Sequence[Manifest]) -> Manifest:
        """The object after a JSON patch."""
        path = await self.path(kind_of(live), namespace_of(live), name_of(live))
        return await self.request("PATCH", path, {}, operations, content_type=JSON_PATCH)

    async def delete(self, kind: Kind, namespace: str, name: str, *, propagation: str) -> None:
        """Begin the deletion of an object."""
        path = await self.path(kind, namespace, name)
        await self.request("DELETE", path, {}, {"propagationPolicy": propagation})

    async def request(
        self,
        method: str,
        path: str,
        options: dict[str, str] | None = None,
        body: Value = None,
        *,
        content_type: str = "application/json",
        accept: str = "application/json",
    ) -> Manifest:
        """One request and its answer; a busy server is asked again after as long as it says.

        Raises: ApiError with the server's own words; UnreachableError when nothing answers.
        """
        headers = {"Accept": accept, "Content-Type": content_type, "User-Agent": "celery-fleet-sandbox"}
        data = None if body is None else json.dumps(body).encode()
        for attempt in range(BUSY_RETRIES + 1):
            try:
                async with self._connected().request(
                    method, self.access.server + path, params=options, data=data, headers=headers
                ) as response:
                    raw = await response.read()
                    if response.status in (429, 503) and "Retry-After" in response.headers and attempt < BUSY_RETRIES:
                        await asyncio.sleep(float(response.headers["Retry-After"]))
                        continue
                    if response.status >= 400:
                        raise _api_error(response.status, raw)
                    parsed: Manifest = json.loads(raw)
                    return parsed
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                raise UnreachableError(f"{self.access.server}: {str(error) or type(error).__name__}") from error
        raise UnreachableError(f"{self.access.server} stayed too busy to answer {method} {path}")

    def _connected(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=self.access.ssl_context or True, limit=CONNECTIONS),
                headers=self.access.headers,
                timeout=aiohttp.ClientTimeout(total=REQUEST_TIMEOUT_SECONDS),
            )
        return self._session


def _options(manager: str, dry_run: bool) -> dict[str, str]:
    options = {"fieldManager": manager, "fieldValidation": "Warn"}
    return {**options, "dryRun": "All"} if dry_run else options


def _api_error(code: int, raw: bytes) -> ApiError:
    try:
        status = json.loads(raw)
    except ValueError:
        status = None
    if not isinstance(status, dict) or status.get("kind") != "Status":
        return ApiError(code, "Unknown", raw.decode(errors="replace").strip() or f"the API server answered {code}")
    return ApiError(code, status.get("reason", "Unknown"), status.get("message", ""), status.get("details"))
