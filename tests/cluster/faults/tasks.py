"""The application under fault: it tells a sink outside of the fleet what each of its tasks did, so that nothing that is counted is kept where the fault is.

It is put into the image as `app.tasks.faults`. A line is one JSON object: `what` happened to the `task` with this `id`, `at` (seconds since the epoch), in
which `pod`.
"""

import functools
import json
import os
import signal
import time
from typing import Any

import redis
from celery import Celery, current_task
from redis.backoff import ExponentialBackoff
from redis.retry import Retry

from app.once import fence, once

app = Celery("faults")

EVENTS = "events"
"""List of the sink."""

SINK_SECONDS = 5.0
SINK_TRIES = 8

OPEN = """
local bar = tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or '0')
if tonumber(ARGV[2]) < bar then return 'stale' end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
if redis.call('HEXISTS', KEYS[2], ARGV[1]) == 1 then return 'there' end
return 'open'
"""
"""A fence for an order: a lower one than was seen is refused, and a holder that finds the effect there leaves it at that."""

APPLY = """
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 'stale' end
redis.call('HINCRBY', KEYS[2], ARGV[1], 1)
redis.call('RPUSH', KEYS[3], ARGV[3])
return 'done'
"""
"""The effect: taken from whoever has the highest fence, each time that it is sent. That it is sent once is the fleet's part."""


@functools.cache
def _sink(_process: int) -> Any:
    """A client of a process's own: what is open before a fork is of no use after it."""
    retry = Retry(ExponentialBackoff(cap=1.0, base=0.1), SINK_TRIES)
    errors: list[Any] = [redis.ConnectionError, redis.TimeoutError]
    return redis.Redis(
        host=os.environ["FAULTS_SINK"], socket_timeout=SINK_SECONDS, retry=retry, retry_on_error=errors
    )  # fmt: skip


def _line(what: str) -> str:
    pod = os.environ.get("FLEET_POD_NAME", "")
    name, task_id = current_task.name, current_task.request.id
    return json.dumps({"what": what, "task": name, "id": task_id, "at": time.time(), "pod": pod})


def _tell(what: str) -> None:
    _sink(os.getpid()).rpush(EVENTS, _line(what))


def _wait(seconds: float) -> None:
    _tell("started")
    time.sleep(seconds)
    _tell("done")


@app.task(name="faults.work", shared=False)
def work(seconds: float) -> None:
    """Waits, and has its effect at the end."""
    _wait(seconds)


@app.task(name="faults.rest", shared=False)
def rest(seconds: float) -> None:
    """As `work`, on the queue that sleeps when there is nothing to do."""
    _wait(seconds)


@app.task(name="faults.charge", shared=False)
@once(key=lambda order, seconds: order)
def charge(order: str, seconds: float) -> None:
    """Has an effect that must not happen twice, at a sink that takes it from the newest holder alone."""
    number, sink = str(fence() or 0), _sink(os.getpid())
    _tell("started")
    found = sink.eval(OPEN, 2, "fences", "effects", order, number).decode()
    if found == "open":
        time.sleep(seconds)
        found = sink.eval(APPLY, 3, "fences", "effects", EVENTS, order, number, _line("done")).decode()
    if found != "done":
        _tell(found)


@app.task(name="faults.poison", shared=False)
def poison() -> None:
    """Ends the process that runs it, each time."""
    _tell("started")
    os.kill(os.getpid(), signal.SIGKILL)


@app.task(name="faults.overlong", shared=False)
def overlong(seconds: float) -> None:
    """Runs beyond its limit and takes no notice of the soft one."""
    _tell("started")
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            time.sleep(max(0.0, end - time.monotonic()))
        except Exception:
            _tell("warned")
    _tell("done")
