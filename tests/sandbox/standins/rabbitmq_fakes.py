"""Fakes at the two edges of the operators' stand-in: the Kubernetes API server and a broker's management API."""

import copy
import itertools
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import unquote

from aiohttp import web

from sandbox.standins.api_server import ApiError, ApiServer, CommandError, Key, Object


class InMemoryApiServer(ApiServer):
    """Keeps objects as an API server does: versions, generations, finalizers, a status of its own, conflicts."""

    def __init__(self) -> None:
        self.objects: dict[Key, Object] = {}
        self.commands: list[tuple[str, tuple[str, ...]]] = []
        self.failing_commands: dict[str, str] = {}
        self.printed = ""
        self._versions = itertools.count(1)

    def add(self, obj: Object) -> Object:
        """Put an object there as if somebody had created it."""
        metadata = obj.setdefault("metadata", {})
        metadata.setdefault("uid", f"uid-{metadata['name']}")
        metadata.setdefault("generation", 1)
        metadata["resourceVersion"] = str(next(self._versions))
        self.objects[Key.of(obj)] = copy.deepcopy(obj)
        return obj

    async def get(self, key: Key) -> Object | None:
        return copy.deepcopy(self.objects.get(key))

    async def list(self, kind: str, namespace: str, *, labels: Mapping[str, str]) -> list[Object]:
        return [
            copy.deepcopy(obj)
            for key, obj in sorted(self.objects.items())
            if (key.kind, key.namespace) == (kind, namespace)
            and labels.items() <= (obj["metadata"].get("labels") or {}).items()
        ]

    async def create(self, obj: Object) -> Object:
        if Key.of(obj) in self.objects:
            raise ApiError(409, "AlreadyExists", f"{Key.of(obj)} already exists")
        return copy.deepcopy(self.add(copy.deepcopy(obj)))

    async def apply(self, obj: Object) -> Object:
        current = self.objects.get(Key.of(obj))
        if current is None:
            return copy.deepcopy(self.add(copy.deepcopy(obj)))
        applied = copy.deepcopy(obj)
        kept = {field: current["metadata"][field] for field in ("uid", "generation", "resourceVersion")}
        applied["metadata"] |= kept
        if "status" in current:
            applied["status"] = copy.deepcopy(current["status"])
        return self._replace(Key.of(obj), current, applied)

    async def merge(self, key: Key, patch: Mapping[str, Any], *, subresource: str = "") -> Object:
        current = self.objects.get(key)
        if current is None:
            raise ApiError(404, "NotFound", f"{key} not found")
        version = (patch.get("metadata") or {}).get("resourceVersion")
        if version not in (None, current["metadata"]["resourceVersion"]):
            raise ApiError(409, "Conflict", "the object has been modified")
        merged = _json_merge(current, patch)
        if subresource == "status":
            merged = {**current, "metadata": dict(current["metadata"]), "status": merged["status"]}
        elif "status" in patch:
            raise AssertionError("a status is written through its subresource")
        return self._replace(key, current, merged)

    def _replace(self, key: Key, current: Object, new: Object) -> Object:
        if new == current:
            return copy.deepcopy(current)
        if new.get("spec") != current.get("spec"):
            new["metadata"]["generation"] = current["metadata"]["generation"] + 1
        new["metadata"]["resourceVersion"] = str(next(self._versions))
        self.objects[key] = new
        if "deletionTimestamp" in new["metadata"] and not new["metadata"].get("finalizers"):
            del self.objects[key]
        return copy.deepcopy(new)

    async def delete(self, key: Key, *, propagation: str = "Background") -> None:
        obj = self.objects.get(key)
        if obj is None:
            return
        if obj["metadata"].get("finalizers"):
            obj["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
        else:
            del self.objects[key]

    async def run_in_pod(self, pod: Key, container: str, command: Sequence[str]) -> str:
        self.commands.append((pod.name, tuple(command)))
        if command[0] in self.failing_commands:
            raise CommandError(self.failing_commands[command[0]])
        return self.printed


def _json_merge(target: Any, patch: Any) -> Any:
    """RFC 7396."""
    if not isinstance(patch, Mapping):
        return copy.deepcopy(patch)
    merged = dict(target) if isinstance(target, Mapping) else {}
    for field, value in patch.items():
        if value is None:
            merged.pop(field, None)
        else:
            merged[field] = _json_merge(merged.get(field), value)
    return merged


class FakeBroker:
    """Answers as RabbitMQ's management API does, for what the topology kinds ask of it."""

    def __init__(self) -> None:
        self.stored: dict[str, dict[str, Any]] = {}
        self.bindings: dict[str, list[dict[str, Any]]] = {}
        self.calls: list[str] = []
        self.url = ""
        self.refusal: tuple[int, dict[str, str]] | None = None

    async def _answer(self, request: web.Request) -> web.Response:
        path = request.raw_path.partition("?")[0].removeprefix("/api/")
        self.calls.append(f"{request.method} {request.raw_path}")
        if request.headers.get("Authorization") != "Basic YWRtaW46c2VjcmV0":
            return web.json_response({"error": "not_authorised", "reason": "Login failed"}, status=401)
        if self.refusal is not None:
            status, content = self.refusal
            return web.json_response(content, status=status)
        body = json.loads(await request.text() or "null")
        parts = path.split("/")
        if (
            parts[0] not in ("vhosts", "users", "user-limits", "vhost-limits")
            and f"vhosts/{parts[1]}" not in self.stored
        ):
            return _not_found()
        if parts[0] == "bindings":
            return self._binding(request.method, parts, body)
        return self._object(request.method, path, body)

    def _object(self, method: str, path: str, body: dict[str, Any]) -> web.Response:
        if method == "GET" and path.split("/", maxsplit=1)[0].endswith("-limits"):
            limits = {
                key.rsplit("/", 1)[1]: stored["value"]
                for key, stored in self.stored.items()
                if key.startswith(path + "/")
            }
            return web.json_response([{"value": limits}] if limits else [])
        if method == "PUT":
            if path.startswith("queues/") and self.stored.get(path, body) != body:
                reason = "inequivalent arg 'durable' for queue 'q' in vhost 'v'"
                return web.json_response({"error": "bad_request", "reason": reason}, status=400)
            self.stored[path] = body
            return web.Response(status=201)
        if path not in self.stored:
            return _not_found()
        if method == "DELETE":
            del self.stored[path]
            return web.Response(status=204)
        return web.json_response(self.stored[path])

    def _binding(self, method: str, parts: list[str], body: dict[str, Any]) -> web.Response:
        place = "/".join(parts[:6])
        existing = self.bindings.setdefault(place, [])
        if method == "GET":
            return web.json_response(existing)
        if method == "POST":
            key = body["routing_key"].replace("#", "%23") or "~"
            suffix = "~hash" if body["arguments"] else ""
            existing.append(body | {"properties_key": key + suffix})
            return web.Response(status=201)
        properties_key = unquote(parts[6])
        kept = [binding for binding in existing if binding["properties_key"] != properties_key]
        found = len(kept) < len(existing)
        self.bindings[place] = kept
        return web.Response(status=204) if found else _not_found()

    @asynccontextmanager
    async def serve(self) -> AsyncIterator["FakeBroker"]:
        """Listen on loopback for as long as the block runs."""
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self._answer)
        runner = web.AppRunner(application)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        try:
            yield self
        finally:
            await runner.cleanup()


def _not_found() -> web.Response:
    return web.json_response({"error": "Object Not Found", "reason": "Not Found"}, status=404)
