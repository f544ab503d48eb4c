"""The boot step that proves consumption.

Every few seconds the worker's own timer looks at its consumer and touches the heartbeat file while it consumes. While the broker is away the worker
only retries, which its retry log (a signal of kombu's) marks as life in `app.worker.__main__`.
"""

from typing import Any

from celery import bootsteps
from celery.worker.consumer.tasks import Tasks

from app.worker import health

INTERVAL_SECONDS = 5.0


class Heartbeat(bootsteps.StartStopStep):
    """Touches the heartbeat file while the consumer has consumers."""

    requires = (Tasks,)

    def __init__(self, parent: Any, **options: Any) -> None:
        super().__init__(parent, **options)
        self._timer: Any = None

    def start(self, parent: Any) -> None:
        """Consuming begins."""
        health.touch(health.HEARTBEAT)
        health.touch(health.READY)
        self._timer = parent.timer.call_repeatedly(INTERVAL_SECONDS, self._beat, (parent,))

    def stop(self, parent: Any) -> None:
        """Consuming ends, for good or until the connection is back."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    @staticmethod
    def _beat(parent: Any) -> None:
        consumer = parent.task_consumer
        if consumer is not None and consumer.queues and parent.connection is not None:
            health.touch(health.HEARTBEAT)
