"""Enqueues tasks, confirmed by the broker, within a bounded time.

Invariant: `enqueue` returns only what the broker has confirmed, and answers within `PUBLISH_SECONDS` whatever the broker does. A blocked broker (memory
or disk alarm) stops reading, so confirms stay away; the threads that wait for them are few and their waits are bounded, so nothing piles up.
An answer of 503 says that the task was not confirmed, not that it will never run: whoever sends it again may have it run twice.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

from kombu import Producer

from app.broker import pooled_connection
from app.enqueuing import BROKER_ERRORS, Enqueued, TaskCall, enqueue_many, explain, publish
from app.settings import PRODUCER_CONNECTIONS

PUBLISH_SECONDS = 4.5
"""Of the five seconds in which a request is answered."""

RETRY_AFTER_SECONDS = 2
"""What a refused client is told: a broker that restarts is back in seconds, and an alarm takes as long as it takes."""

BATCH_SHARE = 0.9
"""Of them, after which a batch waits no longer for confirms, so that there is time to tell what became of each task."""

WAITING_PUBLISHES = 256
"""Requests that may wait for a thread; more are refused at once, so that memory is bounded too."""

logger = logging.getLogger(__name__)

T = TypeVar("T")


class BrokerUnavailableError(Exception):
    """The broker did not confirm; the message says why, without any credential."""


class _BoundedProducers:
    """What a mailbox takes its producer from, over one connection and with the retries of any other publish.

    kombu's own (5.7, `Mailbox._publish`) needs a second connection, which threads that hold one each never get, and tries again for ever.
    """

    def __init__(self, connection: Any, retry_policy: dict[str, Any]) -> None:
        self._connection = connection
        self._retry_policy = retry_policy

    @contextmanager
    def acquire(self) -> Iterator[Any]:
        """One producer."""
        producer = Producer(self._connection, auto_declare=False)
        producer.publish = partial(producer.publish, retry_policy=self._retry_policy)
        yield producer


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

        def enqueue_one() -> None:
            before()
            with pooled_connection(self._app) as connection:
                publish(self._app.tasks[call.name], call, connection=connection)

        self._within_time(enqueue_one)

    def enqueue_many(self, calls: Sequence[TaskCall], *, before: Callable[[], None]) -> list[Enqueued]:
        """Publish many tasks; `before` runs in the same thread first, within the same time.

        Returns: what became of each, in their order.
        Raises: BrokerUnavailableError when that cannot be said in time; each of them may then be enqueued.
        """

        def enqueue_all() -> list[Enqueued]:
            end = time.monotonic() + BATCH_SHARE * self._seconds
            before()
            return enqueue_many(self._app, calls, timeout_seconds=max(0.0, end - time.monotonic()))

        return self._within_time(enqueue_all)

    def cancel(self, task_id: str) -> None:
        """Tell every running worker that a task is cancelled, running or not.

        Raises: BrokerUnavailableError when the broker does not take it.
        """

        def revoke() -> None:
            with pooled_connection(self._app) as connection:
                mailbox = self._app.control.mailbox(connection)
                mailbox.producer_pool = _BoundedProducers(connection, self._app.conf.task_publish_retry_policy)
                mailbox.abcast("revoke", {"task_id": task_id, "terminate": True, "signal": "SIGTERM"})

        self._within_time(revoke)

    def close(self) -> None:
        """Wait for no one: what is not confirmed now was not answered with 202."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _within_time(self, work: Callable[[], T]) -> T:
        if not self._places.acquire(blocking=False):
            raise BrokerUnavailableError(f"{WAITING_PUBLISHES} tasks wait for the broker already")
        try:
            future: Future[T] = self._executor.submit(work)
            # Freed when the thread is done with it, not when the client was answered.
            future.add_done_callback(lambda _: self._places.release())
        except RuntimeError:
            self._places.release()
            raise BrokerUnavailableError("the web layer is shutting down") from None
        try:
            return future.result(self._seconds)
        except FutureTimeoutError:
            future.cancel()
            raise BrokerUnavailableError(
                f"no confirm within {self._seconds:g} s; the broker is slow or blocked"
            ) from None
        except BROKER_ERRORS as error:
            logger.warning("the broker did not take a message: %s", type(error).__name__)
            raise BrokerUnavailableError(explain(error)) from error
