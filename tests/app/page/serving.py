"""The web layer as a server on a port, with a results store in memory that holds an hour of a small fleet, and the AMQP broker of a test."""

import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import fakeredis
import uvicorn

from app.broker import connect_broker
from app.connections import read_connections
from app.minutes import minute_key, minute_of
from app.web.api import create_api
from app.web.idempotency import IdempotencyKeys
from app.web.limits import read_limits
from app.web.page.collecting import Collector
from app.web.page.depths import QueueDepths
from app.web.publishing import Publisher
from app.web.results import Results
from tests.app.amqp_broker import AmqpBroker, amqp_broker
from tests.app.documents import ENVIRONMENT, WEB
from tests.app.web_layer import publishing_to

START_SECONDS = 30.0


@dataclass(frozen=True, kw_only=True)
class PageServer:
    """What a test sees of it."""

    address: str
    broker: AmqpBroker
    store: fakeredis.FakeRedis
    collector: Collector
    server: uvicorn.Server


def count(store: fakeredis.FakeRedis, queue: str, minutes_ago: int, fields: Mapping[str, int]) -> None:
    """As workers count."""
    key = minute_key("shop", queue, minute_of(time.time()) - minutes_ago)
    for name, value in fields.items():
        store.hset(key, name, str(value))


def an_hour(store: fakeredis.FakeRedis) -> None:
    """`high` keeps its promise, `default` breaks it since ten minutes, `reports` has little to do; so it goes on for as long as a test may take."""
    for ago in range(-10, 60):
        rate = 900 + 300 * (ago % 7)
        failed = {"ended:failed:shop.orders.confirm": 1} if ago % 9 == 0 else {}
        count(
            store, "high", ago, {"started": rate, "wait:0.1": rate - 9, "wait:0.5": 9, "runs": rate, "run_us": rate * 81000,
            "ready:high": ago % 5, "pods:high": 2 + (ago < 30), "ended:succeeded:shop.orders.confirm": rate, **failed},
        )  # fmt: skip
        late = {"wait:1.5": 300} if ago > 10 else {"wait:30": 60, "wait:120": 540}
        started, backlog = sum(late.values()), min(4400, max(0, 11 - ago) * 400)
        count(
            store, "default", ago, {"started": started, **late, "runs": started, "run_us": started * 640000,
            "ready:default-0": backlog, "ready:default-1": backlog, "pods:default-0": 1 + 2 * (ago < 8), "pods:default-1": 1 + 2 * (ago < 8),
            "ended:succeeded:app.tasks.mail.send": started, "ended:retried:app.tasks.mail.send": 4},
        )  # fmt: skip
        if ago % 8 == 0:
            count(store, "reports", ago, {"started": 1, "wait:30": 1, "runs": 1, "run_us": 38000000, "pods:reports": 1})


DEPTHS = {
    "high": (4, 3), "default-0": (4400, 3), "default-1": (4380, 3), "reports": (0, 0),
    "high-dead": (3, 0), "default-dead": (0, 0), "reports-dead": (0, 0), "unrouted": (0, 0),
}  # fmt: skip


@contextmanager
def page_server(*, asked_queues: int = len(DEPTHS), **variables: str) -> Iterator[PageServer]:
    """The web layer of `shop`, until the block ends; the block begins once the broker was asked about so many queues, one a second."""
    with amqp_broker(depths=dict(DEPTHS)) as broker, publishing_to(broker.port) as app:
        store = fakeredis.FakeRedis(decode_responses=True)
        an_hour(store)
        connections = read_connections({**ENVIRONMENT, "FLEET_BROKER_PORT": str(broker.port)})
        depths = QueueDepths(lambda: connect_broker(connections, "shop", name="page", answer_seconds=2.0), time.time)
        collector = Collector(WEB, store, depths, pod="web-1")
        api = create_api(
            app, WEB, publisher=Publisher(app), results=Results(store, "shop"), keys=IdempotencyKeys(store, "shop"),
            collector=collector, limits=read_limits(variables),
        )  # fmt: skip
        listener = socket.create_server(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(api, log_config=None, access_log=False))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        page = PageServer(
            address=f"http://127.0.0.1:{listener.getsockname()[1]}", broker=broker, store=store, collector=collector, server=server
        )  # fmt: skip
        end = time.monotonic() + START_SECONDS
        while len(collector.snapshot.depths) < asked_queues or not collector.snapshot.minutes:
            assert time.monotonic() < end, f"gathered so far: {collector.snapshot}"
            time.sleep(0.05)
        try:
            yield page
        finally:
            server.should_exit = True
            thread.join(10)
            listener.close()
            store.close()
