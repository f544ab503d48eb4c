"""What a fleet keeps in the results store beside Celery's results: acceptance markers, cancellations, counters.

Invariant: a call is bounded by `STORE_SECONDS` and tried once, so that a store that is away is an answer, not a wait.
"""

import time
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from app.connections import VERIFIED_TLS, ResultsAddress

STORE_SECONDS = 1.0

StoreError = redis.RedisError
"""Every way in which the store can fail to answer."""


def connect_store(address: ResultsAddress) -> "redis.Redis":
    """A client of the results store; it connects when it is first used."""
    return redis.Redis(
        host=address.host,
        port=address.port,
        password=address.password,
        ssl=address.tls,
        **(VERIFIED_TLS if address.tls else {}),
        socket_timeout=STORE_SECONDS,
        socket_connect_timeout=STORE_SECONDS,
        socket_keepalive=True,
        health_check_interval=30,
        retry=Retry(NoBackoff(), 0),
        decode_responses=True,
    )


def accepted_key(fleet: str, task_id: str) -> str:
    """Key of the marker that a task was accepted; its value is the task's queue."""
    return f"fleet:{fleet}:accepted:{task_id}"


def cancelled_key(fleet: str) -> str:
    """Key of the sorted set of cancelled task ids, scored by when that was."""
    return f"fleet:{fleet}:cancelled"


def add_cancelled(store: Any, fleet: str, task_id: str, *, keep_seconds: float) -> None:
    """Remember a cancellation for workers that start later; older ones than `keep_seconds` are forgotten."""
    now, key = time.time(), cancelled_key(fleet)
    pipeline = store.pipeline(transaction=False)
    pipeline.zadd(key, {task_id: now})
    pipeline.zremrangebyscore(key, "-inf", now - keep_seconds)
    pipeline.expire(key, int(keep_seconds))
    pipeline.execute()


def read_cancelled(store: Any, fleet: str) -> list[str]:
    """Ids of the tasks that were cancelled and may still wait in a queue."""
    return [str(task_id) for task_id in store.zrange(cancelled_key(fleet), 0, -1)]
