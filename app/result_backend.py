"""Celery's results in Valkey or Redis, without a subscription for every task that is sent.

Celery's own backend subscribes to the result's channel whenever a task is published (`on_task_call`), in case someone waits for it: in a process that
only enqueues, that is a subscription that is never given up, and a publish that fails with the results store. Waiting still works, since
`AsyncResult.get` subscribes by itself.
"""

from typing import Any

from celery.backends.redis import RedisBackend


class ResultBackend(RedisBackend):
    """Named by the setting `result_backend`."""

    def on_task_call(self, producer: Any, task_id: str) -> None:
        """Nothing: whoever waits for the result subscribes then."""
