"""What the results store says about a task, and what the web layer writes there.

A task is known by its result, or by the marker that its acceptance wrote; neither means that its id was never given out, or is older than a day.
Results are read as Celery's Redis backend writes them (Celery 5.7, `celery/backends/base.py`: one JSON document a task).
"""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.settings import RESULT_EXPIRY_SECONDS
from app.store import StoreError, accepted_key, add_cancelled
from app.waits import counters_key, read_counters

READY_STATES = frozenset({"SUCCESS", "FAILURE", "REVOKED"})
"""Celery's states that are never left again."""

RESULT_KEY = "celery-task-meta-"

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class TaskView:
    """A task as a client sees it."""

    id: str
    state: str
    queue: str | None = None
    result: Any = None
    """Of a finished task, or the progress of a running one."""
    error: str | None = None

    @property
    def finished(self) -> bool:
        """Whether the state is final."""
        return self.state in READY_STATES


class Results:
    """The results store as the web layer uses it."""

    def __init__(self, store: Any, fleet: str) -> None:
        self._store = store
        self._fleet = fleet

    def mark_accepted(self, queues: Mapping[str, str]) -> None:
        """Remember that these ids (task -> queue) were given out; a store that is away costs the marks, never a task."""
        try:
            pipeline = self._store.pipeline(transaction=False)
            for task_id, queue in queues.items():
                pipeline.set(accepted_key(self._fleet, task_id), queue, ex=RESULT_EXPIRY_SECONDS)
            pipeline.execute()
        except StoreError as error:
            logger.warning("%d tasks have no acceptance marker: %s", len(queues), type(error).__name__)

    def find(self, task_id: str) -> TaskView | None:
        """What is known of a task; None when nothing is.

        Raises: StoreError when the store does not answer.
        """
        stored, queue = self._store.mget(RESULT_KEY + task_id, accepted_key(self._fleet, task_id))
        if stored is None:
            return None if queue is None else TaskView(id=task_id, state="PENDING", queue=queue)
        return read_result(task_id, queue, stored)

    def remember_cancelled(self, task_id: str) -> None:
        """For workers that start later; those that run are told by the broker."""
        try:
            add_cancelled(self._store, self._fleet, task_id, keep_seconds=RESULT_EXPIRY_SECONDS)
        except StoreError as error:
            logger.warning("only running workers know that %s is cancelled: %s", task_id, type(error).__name__)

    def counters(self, queues: tuple[str, ...]) -> dict[str, dict[str, Any]]:
        """Queue -> what its workers counted since the store started.

        Raises: StoreError when the store does not answer.
        """
        pipeline = self._store.pipeline(transaction=False)
        for queue in queues:
            pipeline.hgetall(counters_key(self._fleet, queue))
        return {queue: read_counters(fields) for queue, fields in zip(queues, pipeline.execute(), strict=True)}


def read_result(task_id: str, queue: str | None, stored: str) -> TaskView:
    """One of Celery's stored results."""
    document = json.loads(stored)
    state, result = str(document["status"]), document.get("result")
    if state in {"FAILURE", "REVOKED", "RETRY"}:
        return TaskView(id=task_id, state=state, queue=queue, error=describe_error(result))
    return TaskView(id=task_id, state=state, queue=queue, result=result)


def describe_error(result: Any) -> str | None:
    """A stored exception in one line, as Python would write it."""
    if not isinstance(result, dict) or "exc_type" not in result:
        return None if result is None else str(result)
    message = result.get("exc_message")
    if isinstance(message, list | tuple):
        message = ", ".join(str(part) for part in message)
    return f"{result['exc_type']}: {message}" if message else str(result["exc_type"])
