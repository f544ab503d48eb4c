"""Draining a queue that is full, and the wait of tasks that come one by one, stock and durable."""

import time
from functools import partial
from pathlib import Path
from typing import Any

from app.enqueuing import TaskCall, enqueue_many
from bench.throughput import publishing, tasks
from bench.throughput.place import QUEUE, Place
from bench.throughput.sample import Sample, cpu_of, memory_of
from tests.cluster.running_fleet import eventually

DRAIN_SECONDS = 120.0
RAW_PREFETCH = 100
"""RabbitMQ docs, "Consumer Acknowledgements": values above 100 to 300 gain little."""


def drain(here: Place, variant: str, count: int, *, slots: int, multiplier: int) -> Sample:
    """A worker of either variant starts with a queue of so many tasks; measured from the first of them to the last."""
    here.purge()
    log = here.folder / f"marks-{time.monotonic_ns()}"
    app = here.stock() if variant == "stock" else here.durable()
    calls = [(tasks.MARK, [str(log)]), *([(tasks.NOOP, [])] * count), (tasks.MARK, [str(log)])]
    try:
        _send(app, variant, calls)
    finally:
        app.close()
    with here.worker(variant, slots=slots, multiplier=multiplier) as process:
        first = _marks(log, 1)[0]
        cpu = cpu_of(process)
        last = _marks(log, 2)[1]
        return Sample(
            count=count,
            seconds=last - first,
            cpu_seconds=cpu_of(process) - cpu,
            memory_mib=memory_of(process),
        )


def _send(app: Any, variant: str, calls: list[tuple[str, list[Any]]]) -> None:
    if variant == "stock":
        for name, args in calls:
            app.tasks[name].apply_async(args)
    else:
        enqueue_many(app, [TaskCall(name=name, args=args) for name, args in calls], timeout_seconds=DRAIN_SECONDS)


def _marks(log: Path, count: int) -> list[float]:
    def look() -> list[float] | None:
        found = [float(line) for line in log.read_text().splitlines()] if log.exists() else []
        return found if len(found) >= count else None

    return eventually(look, within_seconds=DRAIN_SECONDS, waiting_for=f"{count} marks in {log}", every_seconds=0.02)


def raw(here: Place, count: int) -> Sample:
    """The client alone: one consumer that acknowledges each message."""
    here.purge()
    publishing.raw(here, count, confirmed=True)
    connection = here.client("worker")
    try:
        channel = connection.channel()
        channel.basic_qos(0, RAW_PREFETCH, False)
        seen: list[float] = []

        def take(message: Any) -> None:
            channel.basic_ack(message.delivery_tag)
            seen.append(time.perf_counter())

        channel.basic_consume(QUEUE, callback=take)
        cpu = time.process_time()
        while len(seen) < count:
            connection.drain_events(timeout=30)
        return Sample(count=count - 1, seconds=seen[-1] - seen[0], cpu_seconds=time.process_time() - cpu)
    finally:
        connection.collect()


def waits(here: Place, variant: str, *, per_second: float, count: int) -> tuple[float, ...]:
    """Seconds from the call of `apply_async` to the start of each task, at a steady rate."""
    here.purge()
    log = here.folder / f"waits-{time.monotonic_ns()}"
    app = here.stock() if variant == "stock" else here.durable()
    try:
        with here.worker(variant, slots=2, multiplier=1):
            ready = here.folder / f"marks-{time.monotonic_ns()}"
            app.tasks[tasks.MARK].apply_async([str(ready)])
            _marks(ready, 1)
            task = app.tasks[tasks.STAMP]
            began = time.monotonic()
            for number in range(count):
                time.sleep(max(0.0, began + number / per_second - time.monotonic()))
                task.apply_async([str(log), time.monotonic()])
            return tuple(_marks(log, count))
    finally:
        app.close()


def variants(here: Place, count: int) -> dict[str, Any]:
    """Name -> measurement."""
    return {
        **{
            f"{variant}_x{multiplier}": partial(drain, here, variant, count, slots=slots, multiplier=multiplier)
            for multiplier, slots in ((1, 1), (4, 2))
            for variant in ("stock", "durable")
        },
        "raw": partial(raw, here, 5 * count),
    }
