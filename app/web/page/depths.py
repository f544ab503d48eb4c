"""How many messages wait in each broker queue and how many workers consume it, asked of the broker itself.

A passive declare is exact at once, where the management API is seconds old, and needs neither that API's port nor a user who may look into every vhost (tried
on RabbitMQ 4.3.6: 0.5 ms, also while an alarm blocks publishers). The connection is of its own, because one that has published is not read from during an
alarm. Invariant: one question at a time, and each wait for its answer is bounded.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from amqp.exceptions import NotFound

from app.enqueuing import BROKER_ERRORS

ANSWER_SECONDS = 2.0
"""How long an answer is waited for; it takes a millisecond."""


class BrokerAwayError(Exception):
    """The broker gave no answer; the message says why, without any credential."""


@dataclass(frozen=True, kw_only=True)
class Depth:
    """One broker queue at one moment."""

    ready: int | None
    """Messages that wait for a worker; None where the broker has no such queue."""
    consumers: int
    """Workers that take from it."""
    asked_at: float
    """Seconds since the epoch."""


class QueueDepths:
    """Asks the broker for the depth of queues."""

    def __init__(self, connect: Callable[[], Any], clock: Callable[[], float]) -> None:
        """`connect` makes a kombu connection that is not connected yet."""
        self._connect = connect
        self._clock = clock
        self._connection: Any = None
        self._channel: Any = None

    def ask(self, queue: str) -> Depth:
        """The depth of a queue, now.

        Raises: BrokerAwayError when there is no answer.
        """
        try:
            if self._connection is None:
                self._connection = self._connect()
            if self._channel is None:
                self._connection.ensure_connection(
                    max_retries=1, interval_start=0, interval_step=0, reraise_as_library_errors=False
                )
                self._channel = self._connection.channel()
            found = self._channel.queue_declare(queue=queue, passive=True)
        except NotFound:
            # The answer ends its channel; the next question opens another.
            self._channel = None
            return Depth(ready=None, consumers=0, asked_at=self._clock())
        except BROKER_ERRORS as error:
            self.close()
            raise BrokerAwayError(_reason(error)) from None
        return Depth(ready=found.message_count, consumers=found.consumer_count, asked_at=self._clock())

    def close(self) -> None:
        """Give the connection up, without a word to a broker that may not answer."""
        connection, self._connection, self._channel = self._connection, None, None
        if connection is not None:
            connection.collect()


def _reason(error: BaseException) -> str:
    """Why there was no answer: the innermost error's kind, and what the system calls it."""
    while error.__cause__ is not None:
        error = error.__cause__
    said = getattr(error, "strerror", None)
    return f"{type(error).__name__}, {said}" if said else type(error).__name__
