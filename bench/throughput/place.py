"""Where the bench runs: a broker with a fleet of its own and a vhost of stock Celery, and the processes that are measured there.

Invariant: what the bench declared, and what it started, is gone when the block ends.
"""

import base64
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import amqp
import httpx
import msgspec
import psutil
from celery import Celery

from app.settings import configure
from bench.throughput import tasks
from fleet.documents import WorkerDocument, dump_document, producer_document
from tests.cluster.brokers import PASSWORD, Broker, DeclaredFleet, broker_at, broker_of, declared, named_broker, plan_of
from tests.cluster.running_fleet import ROOT, eventually, running_fleet, sandbox_environment
from tests.cluster.workers import working

QUEUE = "durable"
STOCK_QUEUE = "celery"
RESULTS_VARIABLE = "FLEET_TEST_RESULTS"
"""`host:port` of a store without a password, where no sandbox is asked for one."""

CATALOGUE = f"""
application: bench.throughput.tasks:durable
queues:
  {QUEUE}:
    tasks: [throughput.*]
    profile: cpu
    runtime: {{mean: 2ms, p99: 10ms, limit: 30s}}
    load: {{peak: 100/s}}
    memory: 40Mi
"""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Broker, store and applications of one run."""

    fleet: DeclaredFleet
    stock_vhost: str
    results: Mapping[str, str]
    """Variables of a pod that say where the results store is."""
    folder: Path

    @property
    def broker(self) -> Broker:
        return self.fleet.broker

    @property
    def stock_url(self) -> str:
        return f"amqp://{self.stock_vhost}:{PASSWORD}@{self.broker.host}:{self.broker.amqp_port}/{self.stock_vhost}"

    def durable(self, *, confirmed: bool = True) -> Any:
        """A publisher with the settings of a fleet."""
        app = Celery("publisher", set_as_current=False)
        tasks.register(app)
        configure(app, producer_document(self.fleet.plan), self.fleet.environment("producer"))
        app.conf.broker_transport_options["confirm_publish"] = confirmed
        app.finalize()
        return app

    def stock(self) -> Any:
        """A publisher as Celery comes."""
        app = Celery("publisher", broker=self.stock_url, set_as_current=False)
        tasks.register(app)
        app.finalize()
        return app

    def client(self, user: str) -> amqp.Connection:
        """A bare client, connected."""
        connection = self.fleet.connection(user)
        connection.connect()
        return connection

    def purge(self) -> None:
        """Empty both queues."""
        for vhost, queue in ((self.fleet.plan.topology.vhost, QUEUE), (self.stock_vhost, STOCK_QUEUE)):
            self.broker.api.delete(f"/queues/{vhost}/{queue}/contents")

    @contextmanager
    def worker(self, variant: str, *, slots: int, multiplier: int) -> Iterator[psutil.Process]:
        """A worker that takes up tasks, of either variant."""
        folder = Path(self.folder / f"{variant}-{time.monotonic_ns()}")
        folder.mkdir()
        if variant == "stock":
            command = [
                sys.executable, "-m", "celery", "-A", "bench.throughput.tasks:stock", "worker", "-P", "prefork", "-c", str(slots),
                "--prefetch-multiplier", str(multiplier), "--without-gossip", "--without-mingle", "--without-heartbeat",
            ]  # fmt: skip
            environment = {**os.environ, "PYTHONPATH": str(ROOT), tasks.STOCK_VARIABLE: self.stock_url}
            with (folder / "worker.log").open("wb") as log:
                process = subprocess.Popen(
                    command, cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
                )
            try:
                yield psutil.Process(process.pid)
            finally:
                process.terminate()
                process.wait(60)
            return

        def shaped(document: WorkerDocument) -> WorkerDocument:
            worker = msgspec.structs.replace(document.worker, concurrency=slots, prefetch_multiplier=multiplier)
            return msgspec.structs.replace(document, worker=worker)

        with working(self.fleet, QUEUE, folder, shaped) as worker:
            yield psutil.Process(worker.process.pid)
            worker.stop()


@contextmanager
def place(folder: Path) -> Iterator[Place]:
    """The broker that `FLEET_TEST_BROKER` names, or that of the fleet which runs in the sandbox."""
    with ExitStack() as opened:
        if address := named_broker():
            broker = opened.enter_context(broker_at(address))
            host, port = os.environ[RESULTS_VARIABLE].split(":")
            results = {"FLEET_RESULTS_HOST": host, "FLEET_RESULTS_PORT": port}
        else:
            running = opened.enter_context(running_fleet(sandbox_environment()))
            broker = opened.enter_context(broker_of(running))
            found = running.kubectl("get", "service", "results", "-o", "jsonpath={.spec.clusterIP}")
            secret = running.kubectl("get", "secret", "results", "-o", "jsonpath={.data.password}")
            results = {"FLEET_RESULTS_HOST": found, "FLEET_RESULTS_PASSWORD": base64.b64decode(secret).decode()}
        fleet = opened.enter_context(declared(broker, plan_of(CATALOGUE, folder)))
        stock = f"{fleet.plan.topology.vhost}-stock"
        broker.put(f"/vhosts/{stock}", {})
        opened.callback(broker.delete, f"/vhosts/{stock}")
        broker.put(f"/users/{stock}", {"password": PASSWORD, "tags": ""})
        opened.callback(broker.delete, f"/users/{stock}")
        broker.put(f"/permissions/{stock}/{stock}", {"configure": ".*", "write": ".*", "read": ".*"})
        yield Place(fleet=fleet, stock_vhost=stock, results=results, folder=folder)


@contextmanager
def web(here: Place, port: int) -> Iterator[tuple[str, psutil.Process]]:
    """The web layer of the fleet, with one more endpoint that does nothing: its address and its process."""
    document = here.folder / "web.json"
    document.write_text(dump_document(producer_document(here.fleet.plan)), encoding="utf-8")
    environment = {
        "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "FLEET_DOCUMENT": str(document), "FLEET_WEB_HOST": "127.0.0.1",
        "FLEET_WEB_PORT": str(port), **here.fleet.environment("producer"), **here.results,
    }  # fmt: skip
    with (here.folder / "web.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "bench.throughput.server"],
            cwd=ROOT,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    address = f"http://127.0.0.1:{port}"
    try:
        eventually(
            lambda: _answers(address),
            within_seconds=60,
            waiting_for="the web layer; web.log says why",
            every_seconds=0.2,
        )
        yield address, psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(30)


def _answers(address: str) -> bool | None:
    try:
        return httpx.get(f"{address}/readyz").is_success or None
    except httpx.TransportError:
        return None
