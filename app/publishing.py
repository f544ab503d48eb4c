"""Publishing for the web layer: confirmed, bounded in time and number, and never on the event loop.

Invariant: a task that was not confirmed by the broker is never reported as accepted, and a caller waits `DEADLINE_SECONDS` at most.
"""

import asyncio
import contextlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from amqp.exceptions import AMQPError
from celery import Celery
from kombu.exceptions import KombuError

DEADLINE_SECONDS = 4.5
THREADS = 16
WAITING_MAX = 256
"""Publishes in hand beyond which a caller is told to come back: a queue in front of the queue would hide the outage."""


class BrokerUnavailableError(Exception):
    """The broker did not confirm: unreachable, blocked, or it could not route the message."""


class Publisher:
    """Publishes tasks of one application from a bounded pool of threads."""

    def __init__(self, app: Celery) -> None:
        self._app = app
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="publish")
        self._waiting = 0

    async def publish(
        self, name: str, task_id: str, args: list[Any], kwargs: dict[str, Any], options: dict[str, Any]
    ) -> None:
        """Publishes one task and returns when the broker has confirmed it.

        Raises: BrokerUnavailableError.
        """
        await self._run(self._send, name, task_id, args, kwargs, options)

    async def revoke(self, task_id: str) -> None:
        """Tells every worker to drop or terminate a task.

        Raises: BrokerUnavailableError.
        """
        await self._run(self._revoke, task_id)

    async def reachable(self) -> None:
        """Asks the broker for a connection.

        Raises: BrokerUnavailableError.
        """
        await self._run(self._connect)

    def close(self) -> None:
        """Ends the threads; what they hold is given up."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        with contextlib.suppress(OSError, KombuError):
            self._app.pool.force_close_all()

    async def _run(self, function: Any, *args: Any) -> None:
        if self._waiting >= WAITING_MAX:
            raise BrokerUnavailableError(f"{self._waiting} publishes are waiting for the broker")
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            await asyncio.wait_for(loop.run_in_executor(self._threads, function, *args), DEADLINE_SECONDS)
        except TimeoutError:
            raise BrokerUnavailableError(f"the broker did not answer within {DEADLINE_SECONDS} s") from None
        except (OSError, AMQPError, KombuError) as error:
            raise BrokerUnavailableError(f"the broker refused: {type(error).__name__}") from error
        finally:
            self._waiting -= 1

    def _send(self, name: str, task_id: str, args: list[Any], kwargs: dict[str, Any], options: dict[str, Any]) -> None:
        # mandatory: what no queue takes comes back instead of being confirmed and dropped.
        self._app.send_task(
            name, args=args, kwargs=kwargs, task_id=task_id, ignore_result=False, mandatory=True, **options
        )

    def _revoke(self, task_id: str) -> None:
        self._app.control.revoke(task_id, terminate=True)

    def _connect(self) -> None:
        with self._app.connection_for_write() as connection:
            connection.ensure_connection(max_retries=1, timeout=3)
