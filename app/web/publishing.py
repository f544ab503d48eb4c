"""Enqueues tasks, confirmed by the broker, within a bounded time.

Invariant: `enqueue` returns only what the broker has confirmed, and answers within `PUBLISH_SECONDS` whatever the broker does. A blocked broker (memory
or disk alarm) stops reading, so confirms stay away; the threads that wait for them are few and their waits are bounded, so nothing piles up.
An answer of 503 says that the task was not confirmed, not that it will never run: whoever sends it again may have it run twice.
"""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass, field
from typing import Any

from amqp.exceptions import AMQPError, MessageNacked
from kombu.exceptions import KombuError, OperationalError

from app.settings import PRODUCER_CONNECTIONS

PUBLISH_SECONDS = 4.5
"""Of the five seconds in which a request is answered."""

RETRY_AFTER_SECONDS = 2
"""What a refused client is told: a broker that restarts is back in seconds, and an alarm takes as long as it takes."""

WAITING_PUBLISHES = 256
"""Requests that may wait for a thread; more are refused at once, so that memory is bounded too."""

BROKER_ERRORS = (OperationalError, KombuError, AMQPError, MessageNacked, OSError)

logger = logging.getLogger(__name__)


class BrokerUnavailableError(Exception):
    """The broker did not confirm; the message says why, without any credential."""


@dataclass(frozen=True, kw_only=True)
class TaskCall:
    """One task to enqueue."""

    id: str
    name: str
    args: list[Any] = field(default_factory=list)
    kwargs: dict[str, Any] = field(default_factory=dict)
    countdown: float | None = None
    priority: int | None = None


class Publisher:
    """A few threads, each with a connection of the application's pool."""

    def __init__(self, app: Any, *, threads: int = PRODUCER_CONNECTIONS, seconds: float = PUBLISH_SECONDS) -> None:
        self._app = app
        self._seconds = seconds
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="publish")
        self._places = threading.BoundedSemaphore(WAITING_PUBLISHES)

    def enqueue(self, call: TaskCall, *, before: Callable[[], None]) -> None:
        """Publish one task; `before` runs in the same thread first, within the same time.

        Raises: BrokerUnavailableError when it is not confirmed in time.
        """

        def publish() -> None:
            before()
            options = {} if call.priority is None else {"priority": call.priority}
            self._app.tasks[call.name].apply_async(
                call.args, call.kwargs, task_id=call.id, countdown=call.countdown, **options
            )

        self._within_time(publish)

    def cancel(self, task_id: str) -> None:
        """Tell every running worker that a task is cancelled, running or not.

        Raises: BrokerUnavailableError when the broker does not take it.
        """
        self._within_time(lambda: self._app.control.revoke(task_id, terminate=True, signal="SIGTERM"))

    def close(self) -> None:
        """Wait for no one: what is not confirmed now was not answered with 202."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _within_time(self, publish: Callable[[], None]) -> None:
        if not self._places.acquire(blocking=False):
            raise BrokerUnavailableError(f"{WAITING_PUBLISHES} tasks wait for the broker already")
        try:
            future: Future[None] = self._executor.submit(publish)
            # Freed when the thread is done with it, not when the client was answered.
            future.add_done_callback(lambda _: self._places.release())
        except RuntimeError:
            self._places.release()
            raise BrokerUnavailableError("the web layer is shutting down") from None
        try:
            future.result(self._seconds)
        except FutureTimeoutError:
            future.cancel()
            raise BrokerUnavailableError(
                f"no confirm within {self._seconds:g} s; the broker is slow or blocked"
            ) from None
        except BROKER_ERRORS as error:
            logger.warning("the broker did not take a message: %s", type(error).__name__)
            raise BrokerUnavailableError(_reason(error)) from error


def _reason(error: BaseException) -> str:
    # kombu raises an OperationalError from whatever happened (5.7, `Connection._reraise_as_library_errors`); the client is told the latter.
    while isinstance(error, OperationalError) and error.__cause__ is not None:
        error = error.__cause__
    if isinstance(error, MessageNacked):
        return "the queue is full and refuses messages"
    if isinstance(error, TimeoutError):
        return "the broker did not confirm in time"
    return f"the broker cannot be reached or refused the message ({type(error).__name__})"
