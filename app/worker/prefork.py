"""Celery's prefork pool, which tells a child that was lost from one that was ended for its time.

Facts are from Celery 5.7 (`celery.concurrency.asynpool`) and billiard 4.3 (`billiard.pool`). The event loop is woken when a child's end of a pipe closes,
which the kernel does before the child can be waited for; a pool that looks too early sees it alive, and looks again after five seconds. A task whose hard
limit came first counted as over its limit: it was acknowledged, although its process had been killed, by the kernel for want of memory, say.
"""

from typing import Any

from celery.concurrency import asynpool, prefork

LOOK_AGAIN_SECONDS = (0.05, 0.5)
"""When the pool looks again for a child whose pipe has closed."""


class AsynPool(asynpool.AsynPool):
    """A pool that looks for lost children in time."""

    def _event_process_exit(self, hub: Any, proc: Any) -> None:
        """A child has ended, or is about to."""
        super()._event_process_exit(hub, proc)
        for delay in LOOK_AGAIN_SECONDS:
            hub.call_later(delay, self.maintain_pool)

    def _on_hard_timeout(self, job: int) -> None:
        """A task is over its limit, unless its process was lost before."""
        self.maintain_pool()
        super()._on_hard_timeout(job)


class TaskPool(prefork.TaskPool):
    """Named by the worker's option `pool` (`app.worker.running`)."""

    Pool = AsynPool
