"""What the web layer asks the results store: was a task accepted, how far is it, what did the workers count."""

import json
from dataclasses import dataclass
from typing import Any

import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from app.connections import Endpoint
from app.settings import RESULT_EXPIRES_SECONDS
from app.worker.waits import KEY

TIMEOUT_SECONDS = 2.0
FINISHED = frozenset({"SUCCESS", "FAILURE", "REVOKED"})


class ResultsUnavailableError(Exception):
    """The results store did not answer."""


@dataclass(frozen=True, kw_only=True)
class TaskState:
    """Where a task is."""

    state: str
    """Celery's state; PENDING for one that was accepted and not yet started."""
    result: Any
    """Result, progress, or the error's text."""

    @property
    def finished(self) -> bool:
        """Whether nothing more will happen."""
        return self.state in FINISHED


class Results:
    """The results store, asynchronously."""

    def __init__(self, endpoint: Endpoint | None) -> None:
        self._store = (
            None
            if endpoint is None
            else redis.asyncio.Redis(
                host=endpoint.host,
                port=endpoint.port,
                password=endpoint.password or None,
                socket_timeout=TIMEOUT_SECONDS,
                socket_connect_timeout=TIMEOUT_SECONDS,
                decode_responses=True,
                # A caller is told at once and tries again; retries here would outlast the promised five seconds.
                retry=Retry(NoBackoff(), 0),
            )
        )

    async def mark_accepted(self, task_id: str, queue: str) -> None:
        """Remembers that a task was accepted; a store that is away is no reason to refuse the task."""
        if self._store is None:
            return
        try:
            await self._store.set(f"fleet:accepted:{task_id}", queue, ex=RESULT_EXPIRES_SECONDS)
        except RedisError:
            return

    async def state(self, task_id: str) -> TaskState | None:
        """The state of a task, None for one that is not known.

        Raises: ResultsUnavailableError.
        """
        meta, accepted = await self._get(f"celery-task-meta-{task_id}", f"fleet:accepted:{task_id}")
        if meta is not None:
            found = json.loads(meta)
            return TaskState(state=found["status"], result=_readable(found))
        return TaskState(state="PENDING", result=None) if accepted is not None else None

    async def counters(self, queues: tuple[str, ...]) -> dict[str, dict[str, Any]]:
        """What the workers counted, queue by queue.

        Raises: ResultsUnavailableError.
        """
        if self._store is None:
            raise ResultsUnavailableError
        found: dict[str, dict[str, Any]] = {}
        try:
            for queue in queues:
                counts = {
                    str(field): int(count)
                    for field, count in (await self._store.hgetall(KEY.format(queue=queue))).items()
                }
                found[queue] = {name: counts.get(name, 0) for name in ("started", "done", "failed")}
                found[queue]["wait_buckets"] = {
                    field.removeprefix("wait:"): int(count)
                    for field, count in counts.items()
                    if field.startswith("wait:")
                }
        except RedisError:
            raise ResultsUnavailableError from None
        return found

    async def close(self) -> None:
        """Closes the connections."""
        if self._store is not None:
            await self._store.aclose()

    async def _get(self, *keys: str) -> list[str | None]:
        if self._store is None:
            raise ResultsUnavailableError
        try:
            return [None if value is None else str(value) for value in await self._store.mget(keys)]
        except RedisError:
            raise ResultsUnavailableError from None


def _readable(meta: dict[str, Any]) -> Any:
    result = meta.get("result")
    if meta["status"] in ("FAILURE", "REVOKED", "RETRY") and isinstance(result, dict):
        return f"{result.get('exc_type', 'error')}: {result.get('exc_message', '')}"
    return result
