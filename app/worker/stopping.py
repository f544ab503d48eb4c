"""The soft shutdown of a gevent worker: its tasks get their share of the notice, then they are stopped and go back to the queue.

Celery 5.7 handles SIGQUIT by sleeping (`wait_for_soft_shutdown`), in the middle of whatever ran. gevent calls signal handlers in its hub, where nothing may
block: the worker failed, and what it held ran to its end and once more elsewhere. So SIGTERM stays a warm shutdown here, and the rest is a timer. Threads
cannot be stopped at all: theirs is a warm shutdown until the node is gone.
"""

import logging
from typing import Any

from celery import signals
from celery.worker import state

logger = logging.getLogger(__name__)


def stop_softly(worker: Any, seconds: float) -> None:
    """From the signal on, give running tasks so many seconds; `worker` is Celery's worker object, of a gevent pool."""
    import gevent  # noqa: PLC0415 -- only where the Plan wants it

    def stop_tasks() -> None:
        for request in list(state.active_requests):
            logger.warning("task %s[%s] is stopped and goes back to its queue", request.task.name, request.id)
            request.cancel(worker.pool, emit_retry=False)

    def on_signal(**_: Any) -> None:
        gevent.spawn_later(seconds, stop_tasks)

    signals.worker_shutting_down.connect(on_signal, weak=False, dispatch_uid="fleet.soft")
