"""What it costs a worker to count and to be read: tasks a second of one that does against one that does not.

Invariant: both do the same work in the same minute, in turn, on a queue that was filled before they started. The tasks do next to nothing, so what a task
costs Celery is all there is: for any real task the share is smaller. Such a worker is limited by its processor, so tasks are counted by the second of
processor time: the clock on the wall would measure who else is busy on the machine.

`python -m bench.metrics_cost [repetitions]` needs a running sandbox (`make up`), or a broker that `FLEET_TEST_BROKER` names; it writes into
bench/results/measured.json.
"""

import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

import httpx
import msgspec
import psutil

from bench.results_file import keep_figures
from bench.throughput.sample import cpu_of
from fleet.documents import WorkerDocument
from tests.cluster.brokers import Broker, DeclaredFleet, broker_at, broker_of, declared, named_broker, plan_of
from tests.cluster.pools import catalogue_of_pools
from tests.cluster.running_fleet import running_fleet, sandbox_environment
from tests.cluster.workers import sender, working

TASKS = 1500
WARM_TASKS = 300
"""Of them at the start that are not measured: imports, and connections that are made."""

REPETITIONS = 5
POOLS = ("gevent", "prefork")
PORT = 19464
SCRAPE_SECONDS = 5.0
"""Three times as often as Prometheus by default."""

LINE = b"ran x\n"
LONGEST_SECONDS = 300.0


@contextmanager
def some_broker() -> Iterator[Broker]:
    """The one that is named, or the sandbox's."""
    if address := named_broker():
        with broker_at(address) as found:
            yield found
        return
    with running_fleet(sandbox_environment()) as fleet, broker_of(fleet) as found:
        yield found


@contextmanager
def scraped() -> Iterator[None]:
    """Read as Prometheus does while the block runs."""
    ended = threading.Event()

    def scrape() -> None:
        while not ended.wait(SCRAPE_SECONDS):
            # The last one may meet a worker that has just ended.
            with suppress(httpx.TransportError):
                httpx.get(f"http://127.0.0.1:{PORT}/metrics").raise_for_status()

    thread = threading.Thread(target=scrape, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _several(document: WorkerDocument) -> WorkerDocument:
    worker = msgspec.structs.replace(document.worker, prefetch_multiplier=4)
    return msgspec.structs.replace(document, worker=worker)


def _done_at(log: Path, count: int) -> float:
    end = time.monotonic() + LONGEST_SECONDS
    while time.monotonic() < end:
        if log.exists() and log.stat().st_size >= count * len(LINE):
            return time.monotonic()
        time.sleep(0.002)
    raise SystemExit(f"{count} tasks did not end within {LONGEST_SECONDS:g} s; nothing was recorded")


def drain(fleet: DeclaredFleet, pool: str, *, counted: bool) -> tuple[float, float]:
    """Tasks a second, and milliseconds of CPU a task, of one worker."""
    with tempfile.TemporaryDirectory(prefix="metrics-cost-") as name:
        folder = Path(name)
        log, app = folder / "events", sender(fleet)
        for _ in range(TASKS):
            app.send_task("pools.mark", (str(log), "x"), queue=pool)
        app.close()
        variables = {"FLEET_METRICS_PORT": str(PORT) if counted else "off"}
        with (
            working(fleet, pool, folder, _several, more=variables) as worker,
            scraped() if counted else nullcontext(),
        ):
            process = psutil.Process(worker.process.pid)
            begin, used = _done_at(log, WARM_TASKS), cpu_of(process)
            end = _done_at(log, TASKS)
            used = cpu_of(process) - used
            worker.stop()
    measured = TASKS - WARM_TASKS
    return measured / (end - begin), 1000 * used / measured


def measure(fleet: DeclaredFleet, pool: str, repetitions: int) -> tuple[float, float, float]:
    """Medians: the ratio of one run without to the one with that was measured beside it, and milliseconds of CPU a task with and without."""
    runs: dict[bool, list[float]] = {True: [], False: []}
    for repetition in range(repetitions):
        for counted in (True, False) if repetition % 2 else (False, True):
            rate, cpu_ms = drain(fleet, pool, counted=counted)
            runs[counted].append(cpu_ms)
            sys.stdout.write(f"{pool} {'with' if counted else 'without'}: {rate:.0f}/s, {cpu_ms:.3f} ms of CPU\n")
            sys.stdout.flush()
    ratios = [without / counting for counting, without in zip(runs[True], runs[False], strict=True)]
    return statistics.median(ratios), statistics.median(runs[True]), statistics.median(runs[False])


def main() -> None:
    repetitions = int(sys.argv[1]) if len(sys.argv) > 1 else REPETITIONS
    figures: dict[str, float] = {}
    ratios = []
    with (
        some_broker() as broker,
        tempfile.TemporaryDirectory() as folder,
        declared(broker, plan_of(catalogue_of_pools(), Path(folder))) as fleet,
    ):
        for pool in POOLS:
            ratio, cpu_ms, cpu_ms_without = measure(fleet, pool, repetitions)
            ratios.append(ratio)
            figures[f"metrics_cpu_ms_per_task_{pool}"] = round(cpu_ms, 3)
            figures[f"without_metrics_cpu_ms_per_task_{pool}"] = round(cpu_ms_without, 3)
    # Of the pools the one that pays most.
    figures["metrics_throughput_ratio"] = round(min(ratios), 3)
    for key, value in figures.items():
        sys.stdout.write(f"{key} {value}\n")
    keep_figures("measured", "python -m bench.metrics_cost", os.environ, figures)


if __name__ == "__main__":
    main()
