"""The web layer in a test: requests go straight into the application, its results store is a dictionary."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import httpx
from celery import Celery
from fastapi import FastAPI
from redis import ConnectionError as StoreAwayError
from redis.exceptions import LockNotOwnedError

from app.settings import configure
from app.web.api import create_api
from app.web.idempotency import IdempotencyKeys
from app.web.limits import DEFAULTS, WebLimits
from app.web.page.collecting import Collector
from app.web.page.depths import QueueDepths
from app.web.publishing import Publisher
from app.web.results import Results
from tests.app.documents import ENVIRONMENT, PRODUCER, WEB

TASK = "shop.orders.confirm"
CALL = {"kwargs": {"order_id": "A-1", "total_cents": 5}}


class Store:
    """What the web layer asks of Valkey."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.sets: dict[str, dict[str, float]] = {}
        self.hashes: dict[str, dict[str, str]] = {}
        self.leases: set[str] = set()
        self.away = False
        self.answers = 10**6
        """So many commands are answered before it goes away."""
        self._mutex = threading.Lock()

    def _answer(self) -> None:
        self.answers -= 1
        if self.away or self.answers < 0:
            raise StoreAwayError("away")

    def get(self, key: str) -> Any:
        self._answer()
        return self.values.get(key)

    def set(self, key: str, value: str, ex: int) -> None:
        self._answer()
        self.values[key] = value

    def mget(self, *keys: str) -> list[Any]:
        self._answer()
        return [self.values.get(key) for key in keys]

    def lock(self, name: str, timeout: float, blocking: bool, thread_local: bool) -> Any:
        """As redis-py's: `acquire` takes what is free, `release` complains about what is no longer held."""

        def acquire() -> bool:
            self._answer()
            with self._mutex:
                free = name not in self.leases
                self.leases.add(name)
            return free

        def release() -> None:
            self._answer()
            if name not in self.leases:
                raise LockNotOwnedError("expired")
            self.leases.discard(name)

        return SimpleNamespace(acquire=acquire, release=release)

    def pipeline(self, transaction: bool) -> Any:
        commands: list[Callable[[], Any]] = []

        def execute() -> list[Any]:
            self._answer()
            return [command() for command in commands]

        return SimpleNamespace(
            zadd=lambda key, ids: commands.append(lambda: self.sets.setdefault(key, {}).update(ids)),
            zremrangebyscore=lambda key, low, high: None,
            expire=lambda key, seconds: None,
            set=lambda key, value, ex: commands.append(lambda: self.values.update({key: value})),
            hgetall=lambda key: commands.append(lambda: self.hashes.get(key, {})),
            execute=execute,
        )


class Client:
    """One request after the other, straight into the application."""

    def __init__(self, api: FastAPI) -> None:
        self._api = api

    def ask(self, method: str, path: str, address: str = "127.0.0.1", **request: Any) -> httpx.Response:
        """Any request, from any address."""
        transport = httpx.ASGITransport(app=self._api, client=(address, 1))

        async def ask() -> httpx.Response:
            async with httpx.AsyncClient(transport=transport, base_url="http://web") as client:
                return await client.request(method, path, **request)

        return asyncio.run(ask())

    def post(self, path: str, body: Any, headers: Mapping[str, str] | None = None) -> httpx.Response:
        return self.ask("POST", path, json=body, headers=headers)

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> httpx.Response:
        return self.ask("GET", path, headers=headers)

    def delete(self, path: str) -> httpx.Response:
        return self.ask("DELETE", path)


async def chunked(*parts: bytes) -> AsyncIterator[bytes]:
    """A body that states no length."""
    for part in parts:
        yield part


@contextmanager
def serving(app: Any, store: Store, *, seconds: float = 4.5, limits: WebLimits = DEFAULTS) -> Iterator[Client]:
    """The web layer of an application."""
    publisher = Publisher(app, seconds=seconds)
    results, keys = Results(store, "shop"), IdempotencyKeys(store, "shop")
    # Nothing starts it here: its life span is the server's.
    collector = Collector(WEB, store, QueueDepths(app.connection_for_read, time.time), pod="web-1")
    yield Client(
        create_api(app, WEB, publisher=publisher, results=results, keys=keys, collector=collector, limits=limits)
    )
    publisher.close()


@contextmanager
def publishing_to(port: int) -> Iterator[Any]:
    """An application of a user's own that publishes to the broker at a port."""
    app = Celery("web", set_as_current=False)

    @app.task(name=TASK, shared=False)
    def confirm(order_id: str, total_cents: int) -> None: ...

    configure(app, PRODUCER, {**ENVIRONMENT, "FLEET_BROKER_PORT": str(port)})
    app.finalize()
    yield app
    app.close()
