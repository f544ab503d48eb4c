"""Celery's consumer as a fleet needs it: it declares no topology and proves its life to the probes.

Invariant: `alive` is written only by the main loop's own progress: while it consumes and no task outlives its limit, or while it is about to connect
again. Left out is Celery's `DelayedDelivery` step: the tree exists already, and a worker of a shard would bind its queue by a key that the
consistent-hash exchange refuses (tried on RabbitMQ 4.3).
"""

import logging
import time
from collections.abc import Callable
from typing import Any

from celery import bootsteps, signals
from celery.app.task import Context
from celery.exceptions import NotRegistered
from celery.worker import state
from celery.worker.consumer import Consumer, Tasks
from kombu.common import ignore_errors

from app.worker.health import HealthFiles, run_folder
from app.worker.messages import problem_of, shown

HEARTBEAT_SECONDS = 10.0
LOOP_SECONDS = 60.0
"""A blocking main loop turns every two seconds when nothing happens; one that has not for this long hangs."""

OVERDUE_SECONDS = 60.0
"""A task this far above its hard limit is one that the pool failed to end."""

logger = logging.getLogger(__name__)

DELAYED_DELIVERY = "celery.worker.consumer.delayed_delivery:DelayedDelivery"


class ProofOfLife(bootsteps.StartStopStep):
    """Writes the probes' files for as long as the consumer consumes."""

    requires = (Tasks,)

    def __init__(self, consumer: Any, **options: Any) -> None:
        self._timer_entry: Any = None
        super().__init__(consumer, **options)

    def start(self, consumer: Any) -> None:
        """Connected and consuming."""
        consumer.health.turned()
        consumer.health.ready()
        self._timer_entry = consumer.timer.call_repeatedly(HEARTBEAT_SECONDS, consumer.prove_life)

    def stop(self, consumer: Any) -> None:
        """Disconnected, or about to stop."""
        consumer.health.not_ready()
        if self._timer_entry is not None:
            ignore_errors((), self._timer_entry.cancel)
            self._timer_entry = None

    shutdown = stop


class QueueConsumer(Consumer):
    """Named by the setting `worker_consumer`."""

    class Blueprint(Consumer.Blueprint):
        """Celery's steps with one exchanged for another."""

        default_steps = [
            *(step for step in Consumer.Blueprint.default_steps if step != DELAYED_DELIVERY),
            "app.worker.consumer:ProofOfLife",
        ]

    def __init__(self, *args: Any, **options: Any) -> None:
        self.health = HealthFiles(run_folder())
        self._loop_turned = time.monotonic()
        super().__init__(*args, **options)

    def perform_pending_operations(self) -> None:
        """Called once a turn by the blocking loop (gevent, threads); the event loop of prefork runs the timer itself."""
        self._loop_turned = time.monotonic()
        super().perform_pending_operations()

    def prove_life(self) -> None:
        """Write `alive`, unless something is stuck."""
        if self._consuming() and self._loop_turns() and not overdue_tasks(self.app.conf.task_time_limit, time.time()):
            self.health.turned()

    def _consuming(self) -> bool:
        consumer = self.task_consumer
        return bool(self.connection and consumer and all(map(consumer.consuming_from, consumer.queues)))

    def _loop_turns(self) -> bool:
        return self.controller.use_eventloop or time.monotonic() - self._loop_turned < LOOP_SECONDS

    def create_task_handler(self, *args: Any, **options: Any) -> Callable[[Any], None]:
        """As Celery, for messages that it can take up; others would end its loop, or be acknowledged and gone."""
        take_up = super().create_task_handler(*args, **options)

        def take_up_or_give_up(message: Any) -> None:
            if (problem := problem_of(message)) is None:
                take_up(message)
            else:
                self._give_up(message, problem)

        return take_up_or_give_up

    def on_decode_error(self, message: Any, exc: Exception) -> None:
        """What cannot be read is a dead letter; Celery (5.7) acknowledges it, and an accepted message would be gone."""
        self._give_up(message, f"it cannot be decoded: {type(exc).__name__}", exc)

    def on_invalid_task(self, body: Any, message: Any, exc: Exception) -> None:
        """As Celery, without its arguments in the log."""
        self._give_up(message, f"it is no task: {type(exc).__name__}", exc)

    def on_unknown_task(self, body: Any, message: Any, exc: Exception) -> None:
        """A task that this version of the application does not have; whoever asks for its result is told."""
        name, task_id = message.headers["task"], message.headers["id"]
        self._give_up(message, f"there is no task {shown(name)}", exc)
        request = Context(message.headers, errbacks=None, chord=None)
        try:
            self.app.backend.mark_as_failure(task_id, NotRegistered(name), request=request)
        except Exception as error:
            # The message is kept, which counts; a store that is away stops no worker.
            logger.warning("nobody is told that there is no task %s: %s", shown(name), type(error).__name__)

    def _give_up(self, message: Any, problem: str, error: Exception | None = None) -> None:
        """The broker keeps what is rejected among the dead letters."""
        logger.error("a message of %s is given up: %s", message.delivery_info.get("routing_key"), problem)
        message.reject_log_error(logger, self.connection_errors)
        signals.task_rejected.send(sender=self, message=message, exc=error)

    def ensure_connected(self, connection: Any) -> Any:
        """As Celery, with a sign of life at every try: a broker that is away is no reason to restart a worker."""
        connect = connection.ensure_connection

        def connect_and_tell(errback: Any, max_retries: Any, callback: Any) -> Any:
            def tell() -> None:
                self._loop_turned = time.monotonic()
                self.health.turned()
                callback()

            return connect(errback, max_retries, callback=tell)

        connection.ensure_connection = connect_and_tell
        return super().ensure_connected(connection)


def overdue_tasks(hard_limit_seconds: float | None, now: float) -> list[str]:
    """Ids of running tasks that should have been ended long ago."""
    if hard_limit_seconds is None:
        return []
    latest_start = now - hard_limit_seconds - OVERDUE_SECONDS
    return [
        request.id
        for request in list(state.active_requests)
        if request.time_start and request.time_start < latest_start
    ]
