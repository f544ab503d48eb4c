"""A broker, an API server, and between them the stand-in for the topology operator."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp

from sandbox.standins.api_server import Key, Object
from sandbox.standins.rabbitmq_operators.topology_reconciler import TopologyReconciler
from sandbox.standins.secret_data import encode_data
from tests.sandbox.standins.rabbitmq_fakes import FakeBroker, InMemoryApiServer


class Bench:
    """A broker, an API server with its RabbitmqCluster, and the reconciler between them."""

    def __init__(self, broker: FakeBroker, session: aiohttp.ClientSession) -> None:
        self.broker = broker
        self.api = InMemoryApiServer()
        clock = itertools.count(1)
        self.reconciler = TopologyReconciler(self.api, session, now=lambda: f"t{next(clock)}")
        self.api.add(
            {
                "kind": "RabbitmqCluster",
                "metadata": {
                    "name": "broker",
                    "namespace": "fleet",
                    "annotations": {"rabbitmq.com/operator-connection-uri": broker.url},
                },
                "spec": {"replicas": 1},
                "status": {
                    "binding": {"name": "broker-default-user"},
                    "defaultUser": {"serviceReference": {"name": "broker", "namespace": "fleet"}},
                },
            }
        )
        self.secret("broker-default-user", username="admin", password="secret")

    def secret(self, name: str, *, labels: dict[str, str] | None = None, **data: str) -> None:
        metadata = {"name": name, "namespace": "fleet", "labels": labels or {}}
        self.api.add({"kind": "Secret", "metadata": metadata, "data": encode_data(data)})

    def resource(self, kind: str, name: str, /, **spec: Any) -> Key:
        spec.setdefault("rabbitmqClusterReference", {"name": "broker"})
        content = {"kind": kind, "metadata": {"name": name, "namespace": "fleet"}, "spec": spec}
        return Key.of(self.api.add(content))

    async def declare(self, kind: str, name: str, /, **spec: Any) -> Object:
        key = self.resource(kind, name, **spec)
        await self.reconciler.reconcile(key)
        return self.api.objects[key]

    async def delete(self, key: Key) -> None:
        await self.api.delete(key)
        await self.reconciler.reconcile(key)


def on_bench(test: Callable[[Bench], Awaitable[None]]) -> None:
    async def run() -> None:
        async with FakeBroker().serve() as broker, aiohttp.ClientSession() as session:
            await test(Bench(broker, session))

    asyncio.run(run())


def conditions(obj: Object) -> list[tuple[str, str, str]]:
    return [(entry["type"], entry["status"], entry["reason"]) for entry in obj["status"]["conditions"]]


READY = ("Ready", "True", "SuccessfulCreateOrUpdate")
