"""A catalogue whose runtimes are wrong by two, under ten minutes of load: what `fleet measure` proposes, and whether promises are kept with it.

Workers and broker are real, and so is the command: it looks twice at each worker, ten minutes apart, and writes the catalogue. Tasks hold their slot for
lognormal times and arrive at random at the declared peak. The truth is that of the distribution, not of what happened to be drawn.
"""

import json
import math
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist
from typing import Any

import msgspec

from app.transport import UnconfirmedError
from bench.metrics_cost import some_broker
from fleet.documents import WorkerDocument
from fleet.reading import load_catalogue
from ops.target import ROOT
from tests.cluster.brokers import DeclaredFleet, declared, plan_of
from tests.cluster.workers import sender, working

LOAD_SECONDS = 600
STACK = "dev"
SLOTS = 8
SEED = 20_261
FIRST_PORT = 19_470
MARGIN_SECONDS = 300
"""The command starts, looks, waits, looks, simulates; load ends when it does."""


@dataclass(frozen=True, kw_only=True)
class Truth:
    """What the tasks of a queue really take."""

    mean_seconds: float
    sigma: float
    """Of the logarithm."""
    per_second: float

    @property
    def p99_seconds(self) -> float:
        """Of the lognormal distribution."""
        return self.mean_seconds * math.exp(NormalDist().inv_cdf(0.99) * self.sigma - self.sigma**2 / 2)


TRUTHS = {
    "orders": Truth(mean_seconds=0.16, sigma=0.85, per_second=20),
    "mails": Truth(mean_seconds=0.6, sigma=0.75, per_second=4),
    "pictures": Truth(mean_seconds=1.0, sigma=0.53, per_second=2),
}

CATALOGUE = """\
application: tests.cluster.pool_tasks:app
queues:
  orders:
    tasks: [pools.orders.*]
    profile: io
    runtime: {mean: 80ms, p99: 400ms, limit: 10s} # half of the truth
    load: {peak: 20/s}
    wait: {promise: 1s}
    concurrency: 2
  mails:
    tasks: [pools.mails.*]
    profile: io
    runtime: {mean: 300ms, p99: 1300ms, limit: 20s} # half of the truth
    load: {peak: 4/s}
    wait: {promise: 5s}
    concurrency: 1
  pictures:
    tasks: [pools.pictures.*]
    profile: cpu
    concurrency: 2
    runtime: {mean: 2s, p99: 6s, limit: 30s} # twice the truth
    load: {peak: 2/s}
    wait: {promise: 60s}
"""


def measured_runtimes() -> dict[str, Any]:
    """How far the proposal is from the truth at worst, and on how many queues the simulated promise is kept with it."""
    with (
        some_broker() as broker,
        tempfile.TemporaryDirectory(prefix="wrong-runtimes-") as name,
        declared(broker, plan_of(CATALOGUE, Path(name))) as fleet,
        ExitStack() as workers,
    ):
        addresses = []
        for port, queue in enumerate(TRUTHS, FIRST_PORT):
            folder = Path(name) / queue
            folder.mkdir()
            variables = {"FLEET_METRICS_PORT": str(port)}
            worker = workers.enter_context(working(fleet, queue, folder, _with_slots, more=variables))
            workers.callback(worker.stop)
            addresses.append(f"http://127.0.0.1:{port}")
        with _load(fleet, Path(name) / "events"):
            answer = _measure(Path(name) / "queues.yaml", addresses)
        proposed = load_catalogue(Path(name) / "queues.yaml")
    runtimes = {queue: spec.runtime for queue, spec in proposed.queues.items()}
    tasks = {one["queue"]: one["figures"][0]["samples"] for one in answer["queues"]}
    return {
        "measured_mean_error": _worst({queue: runtimes[queue].mean / TRUTHS[queue].mean_seconds for queue in TRUTHS}),
        "measured_p99_error": _worst({queue: runtimes[queue].p99 / TRUTHS[queue].p99_seconds for queue in TRUTHS}),
        "measured_tasks": tasks,
        "measured_load_seconds": LOAD_SECONDS,
        "measured_promises_broken_as_declared": sum(not one["before"]["kept"] for one in answer["promises"]),
        "measured_promises_kept_as_proposed": sum(one["after"]["kept"] for one in answer["promises"]),
        "measured_promises": len(answer["promises"]),
    }


def _with_slots(document: WorkerDocument) -> WorkerDocument:
    """One process with the slots of all the pods that a queue needs for the truth."""
    return msgspec.structs.replace(document, worker=msgspec.structs.replace(document.worker, concurrency=SLOTS))


def _worst(ratios: Mapping[str, float]) -> float:
    return round(max(abs(ratio - 1) for ratio in ratios.values()), 3)


def _measure(catalogue: Path, addresses: list[str]) -> Any:
    """What the command prints; the catalogue is written."""
    workers = [word for address in addresses for word in ("--worker", address)]
    words = ["measure", "-f", str(catalogue), "-s", STACK, *workers, "--for", f"{LOAD_SECONDS}s", "--write", "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "fleet", *words],
        cwd=ROOT, capture_output=True, text=True, timeout=LOAD_SECONDS + MARGIN_SECONDS, check=True,
    )  # fmt: skip
    return json.loads(done.stdout)


@contextmanager
def _load(fleet: DeclaredFleet, log: Path) -> Iterator[None]:
    """Tasks of every queue, each at its moment, while the body runs."""
    ended = threading.Event()
    threads = [
        threading.Thread(target=_send, args=(fleet, queue, truth, log, ended), daemon=True)
        for queue, truth in TRUTHS.items()
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        for thread in threads:
            thread.join()


def _send(fleet: DeclaredFleet, queue: str, truth: Truth, log: Path, ended: threading.Event) -> None:
    dice = random.Random(f"{SEED} {queue}")  # noqa: S311 - no secret is drawn
    middle = math.log(truth.mean_seconds) - truth.sigma**2 / 2
    app, due, number = sender(fleet), time.monotonic(), 0
    while not ended.wait(max(0.0, due - time.monotonic())):
        seconds = dice.lognormvariate(middle, truth.sigma)
        # A confirm that stays away on a busy machine: the message may be there or not, and what runs is what is counted.
        with suppress(UnconfirmedError):
            app.send_task("pools.hold", (str(log), f"{queue}-{number}", seconds), queue=queue)
        due += dice.expovariate(truth.per_second)
        number += 1
    app.close()
