"""Publishing, one variant after the other: tasks a second, CPU of the publisher, and how long one call takes."""

import time
from collections.abc import Callable
from typing import Any

import amqp

from app.confirms import PipelinedChannel
from app.enqueuing import Outcome, TaskCall, enqueue_many
from bench.throughput import tasks
from bench.throughput.place import QUEUE, Place
from bench.throughput.sample import Sample

BODY = b'[[], {}, {"callbacks": null, "errbacks": null, "chain": null, "chord": null}]'
HEADERS = {
    "lang": "py", "task": tasks.NOOP, "id": "0d3c5d5e-6a0e-4c4e-9a53-0f2a4a5d9b11", "shadow": None, "eta": None, "expires": None, "group": None,
    "group_index": None, "retries": 0, "timelimit": [None, None], "root_id": "0d3c5d5e-6a0e-4c4e-9a53-0f2a4a5d9b11", "parent_id": None,
    "argsrepr": "()", "kwargsrepr": "{}", "origin": "gen1@bench", "ignore_result": True,
}  # fmt: skip
"""What Celery sends with the same task."""


def _timed(count: int, call: Callable[[], Any], finish: Callable[[], Any] = lambda: None) -> Sample:
    latencies = []
    began, cpu = time.perf_counter(), time.process_time()
    before = began
    for _ in range(count):
        call()
        now = time.perf_counter()
        latencies.append(now - before)
        before = now
    finish()
    return Sample(
        count=count,
        seconds=time.perf_counter() - began,
        cpu_seconds=time.process_time() - cpu,
        latencies=tuple(latencies),
    )


def _celery(app: Any, count: int) -> Sample:
    try:
        task = app.tasks[tasks.NOOP]
        task.apply_async()
        return _timed(count, task.apply_async)
    finally:
        app.close()


def stock(here: Place, count: int) -> Sample:
    """Celery as it comes: a classic queue, nothing confirmed."""
    return _celery(here.stock(), count)


def durable(here: Place, count: int) -> Sample:
    """`apply_async` with a fleet's settings: each message is confirmed before the next."""
    return _celery(here.durable(), count)


def unconfirmed(here: Place, count: int) -> Sample:
    """The same without confirms."""
    return _celery(here.durable(confirmed=False), count)


def many(here: Place, count: int) -> Sample:
    """`enqueue_many`: each message is confirmed, and the next does not wait for it."""
    app = here.durable()
    try:
        enqueue_many(app, [TaskCall(name=tasks.NOOP)])
        began, cpu = time.perf_counter(), time.process_time()
        found = enqueue_many(app, [TaskCall(name=tasks.NOOP) for _ in range(count)])
        seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - cpu
    finally:
        app.close()
    if any(each.outcome is not Outcome.ACCEPTED for each in found):
        raise RuntimeError(f"not all were accepted: {found[0]}")
    return Sample(count=count, seconds=seconds, cpu_seconds=cpu_seconds, latencies=())


def raw(here: Place, count: int, *, confirmed: bool) -> Sample:
    """The client alone, with messages that are made once; confirms, where there are, are read as they come."""
    connection = here.client("producer")
    message = amqp.Message(
        BODY, application_headers=HEADERS, delivery_mode=2, priority=4, content_type="application/json", content_encoding="utf-8",
        correlation_id=HEADERS["id"],
    )  # fmt: skip
    try:
        channel = connection.channel()
        if not confirmed:
            return _timed(
                count, lambda: amqp.Channel.basic_publish(channel, message, exchange="tasks", routing_key=QUEUE)
            )
        pipeline = PipelinedChannel(channel, lambda tag, error: None)
        end = time.monotonic() + 60

        def publish() -> None:
            pipeline.drain_below(512, end)
            channel.basic_publish(message, exchange="tasks", routing_key=QUEUE)

        return _timed(count, publish, lambda: pipeline.drain_below(1, end))
    finally:
        connection.collect()


VARIANTS: dict[str, Callable[[Place, int], Sample]] = {
    "stock": stock,
    "durable_apply_async": durable,
    "durable_apply_async_unconfirmed": unconfirmed,
    "durable_enqueue_many": many,
    "raw_unconfirmed": lambda here, count: raw(here, count, confirmed=False),
    "raw_confirmed": lambda here, count: raw(here, count, confirmed=True),
}
