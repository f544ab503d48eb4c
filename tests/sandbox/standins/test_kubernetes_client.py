"""Requests to an API server, over real HTTP to a server of the test's own.

Source of the behaviour: Kubernetes 1.36 docs, "API Concepts"; `apimachinery/pkg/apis/meta/v1/types.go` (Status).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from sandbox.standins.kubernetes import client as client_module
from sandbox.standins.kubernetes.client import ApiError, KubernetesClient, NoSuchKindError, UnreachableError
from sandbox.standins.kubernetes.kubeconfig import ClusterAccess
from sandbox.standins.kubernetes.naming import Kind

QUEUE = Kind("rabbitmq.com", "v1beta1", "Queue")
CONFIGMAP = Kind("", "v1", "ConfigMap")
ResultT = TypeVar("ResultT")


class Api:
    """An API server that knows ConfigMaps, and Queues once their definition is there."""

    def __init__(self) -> None:
        self.kinds: list[tuple[str, str, str, str, str]] = [("", "v1", "ConfigMap", "configmaps", "Namespaced")]
        self.discoveries = 0
        self.busy = 0
        self.requests: list[str] = []

    def application(self) -> web.Application:
        application = web.Application()
        application.router.add_get("/api", self.discovery)
        application.router.add_get("/apis", self.discovery)
        application.router.add_route("*", "/{path:.*}", self.answer)
        return application

    async def discovery(self, request: web.Request) -> web.Response:
        self.discoveries += request.path == "/apis"
        groups = [
            {
                "metadata": {"name": group},
                "versions": [
                    {
                        "version": version,
                        "resources": [{"resource": plural, "responseKind": {"kind": kind}, "scope": scope}],
                    }
                ],
            }
            for group, version, kind, plural, scope in self.kinds
            if bool(group) == (request.path == "/apis")
        ]
        return web.json_response({"items": groups})

    async def answer(self, request: web.Request) -> web.Response:
        self.requests.append(f"{request.method} {request.path_qs}")
        if self.busy:
            self.busy -= 1
            return web.Response(status=429, headers={"Retry-After": "0"})
        if "missing" in request.path:
            status = {
                "kind": "Status",
                "reason": "NotFound",
                "message": 'configmaps "missing" not found',
                "details": {"kind": "configmaps"},
            }
            return web.json_response(status, status=404)
        if "broken" in request.path:
            return web.Response(status=502, text="no route to etcd")
        return web.json_response({"kind": "ConfigMap", "items": []})


def served(api: Api, use: Callable[[KubernetesClient], Awaitable[ResultT]]) -> ResultT:
    async def run() -> ResultT:
        async with TestServer(api.application()) as server:
            client = KubernetesClient(ClusterAccess(str(server.make_url("")).rstrip("/"), False, {}, ""))
            try:
                return await use(client)
            finally:
                await client.close()

    return asyncio.run(run())


def test_objects_are_addressed_as_discovery_says() -> None:
    """Namespaced kinds carry their namespace in the path, names are quoted."""
    api = Api()
    api.kinds.append(("rabbitmq.com", "v1beta1", "Queue", "queues", "Cluster"))

    async def use(client: KubernetesClient) -> tuple[str, str]:
        return await client.path(CONFIGMAP, "fleet", "plan"), await client.path(QUEUE, "fleet", "high")

    assert served(api, use) == (
        "/api/v1/namespaces/fleet/configmaps/plan",
        "/apis/rabbitmq.com/v1beta1/queues/high",
    )


def test_a_kind_that_was_defined_a_moment_ago_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """An unknown kind is looked up again, but not by every request."""
    monkeypatch.setattr(client_module, "REDISCOVERY_SECONDS", 0.2)
    api = Api()

    async def use(client: KubernetesClient) -> str:
        await client.discover()
        await asyncio.sleep(0.3)
        for _ in range(5):
            with pytest.raises(NoSuchKindError, match=r'no matches for kind "Queue" in version "rabbitmq.com/v1beta1"'):
                await client.endpoint(QUEUE)
        api.kinds.append(("rabbitmq.com", "v1beta1", "Queue", "queues", "Namespaced"))
        await asyncio.sleep(0.3)
        return (await client.endpoint(QUEUE)).plural

    assert served(api, use) == "queues"
    assert api.discoveries == 3


def test_a_preview_is_a_dry_run_and_every_write_names_its_manager() -> None:
    """Source: Kubernetes docs, "API Concepts", section on dry run."""
    api = Api()
    manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "plan", "namespace": "fleet"}}

    async def use(client: KubernetesClient) -> None:
        await client.create(manifest, manager="m", dry_run=True)
        await client.apply(manifest, manager="m", force=False, dry_run=False)

    served(api, use)
    assert api.requests == [
        "POST /api/v1/namespaces/fleet/configmaps?fieldManager=m&fieldValidation=Warn&dryRun=All",
        "PATCH /api/v1/namespaces/fleet/configmaps/plan?fieldManager=m&fieldValidation=Warn&force=false",
    ]


def test_a_refusal_keeps_the_servers_words() -> None:
    """Its reason and details decide, its message is shown."""

    async def use(client: KubernetesClient) -> None:
        await client.get(CONFIGMAP, "fleet", "missing")

    with pytest.raises(ApiError, match='configmaps "missing" not found') as failed:
        served(Api(), use)
    assert (failed.value.code, failed.value.reason, failed.value.is_missing_namespace) == (404, "NotFound", False)


def test_an_answer_that_is_no_status_is_shown_as_it_is() -> None:
    """A proxy in between does not speak Kubernetes."""

    async def use(client: KubernetesClient) -> None:
        await client.get(CONFIGMAP, "fleet", "broken")

    with pytest.raises(ApiError, match="no route to etcd"):
        served(Api(), use)


def test_a_busy_server_is_asked_again() -> None:
    """As long after as it says."""
    api = Api()
    api.busy = 2

    async def use(client: KubernetesClient) -> list[dict[str, object]]:
        return await client.list(CONFIGMAP, "fleet", labels={"app": "web"})

    assert served(api, use) == []
    assert api.requests == ["GET /api/v1/namespaces/fleet/configmaps?labelSelector=app%3Dweb"] * 3


def test_a_server_that_is_not_there_is_named() -> None:
    """The address tells which cluster was meant."""

    async def ask() -> None:
        client = KubernetesClient(ClusterAccess("http://127.0.0.1:9", False, {}, ""))
        try:
            await client.discover()
        finally:
            await client.close()

    with pytest.raises(UnreachableError, match=r"http://127\.0\.0\.1:9"):
        asyncio.run(ask())
