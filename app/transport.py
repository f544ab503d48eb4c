"""kombu's AMQP transport, with a bound on every wait for the broker: `broker_transport` of every process of a fleet.

Invariant: nothing that a client of the broker does lasts longer than its bound, and after an answer that did not come the connection is closed without a
word. A broker that blocks publishers (memory or disk alarm) neither reads what they send nor answers it. py-amqp (5.4.2) waits without a bound for each
answer that the caller gave no time for: a confirm, a declaration, a `close`. Celery and kombu (5.7) close what failed in a pool, which is where a thread
that had been told "no confirm" in time would hang until the alarm is over, in the web layer as in a task that publishes a task.
"""

from typing import Any

import kombu
from amqp.exceptions import AMQPError, MessageNacked, RecoverableConnectionError
from kombu.exceptions import OperationalError
from kombu.transport import pyamqp

TRANSPORT = "app.transport:Transport"

ANSWER_SECONDS = 15.0
"""How long an answer is waited for where neither the call nor the transport's option `answer_seconds` says it."""

GOODBYE_SECONDS = 1.0
"""How long the answer to `close` is waited for: nothing depends on it."""


class UnconfirmedError(OperationalError):
    """A message was sent, and its confirm stayed away: it may be in its queue, now or once the broker reads again.

    Neither a TimeoutError nor any other that kombu (5.7, `Connection.ensure`) takes for a reason to send once more, which would make one task two. RabbitMQ
    4.3 reads on where it stopped when an alarm is over, also what came over a connection that was given up meanwhile (tried on 4.3.6: of
    200 tasks that were refused around an alarm of 15 s, each sent twice, 46 ran twice).
    """


ANSWERS = (AMQPError, MessageNacked)
"""What a wait ends with when the broker has answered, or has hung up."""


class Channel(pyamqp.Channel):
    """A channel whose calls end."""

    connection: Any
    """None once the channel is closed."""

    def wait(self, method: Any, callback: Any = None, timeout: float | None = None, returns_tuple: bool = False) -> Any:
        """As py-amqp; without a time of its own the connection's holds.

        Raises: TimeoutError where no answer comes in time.
        """
        connection = self.connection
        if timeout is None and connection is not None:
            timeout = GOODBYE_SECONDS if self.is_closing else connection.answer_seconds
        try:
            return super().wait(method, callback, timeout, returns_tuple)
        except ANSWERS:
            raise
        except BaseException:
            # Also what interrupts a task: whoever tidies up after it must not be the next to wait.
            if connection is not None:
                connection.silent = True
            raise

    def _basic_publish(self, *args: Any, timeout: float | None = None, **options: Any) -> Any:
        """As py-amqp; the socket takes the message within its time, or never."""
        connection = self.connection
        if connection is None:
            raise RecoverableConnectionError("connection already closed")
        try:
            return super()._basic_publish(*args, timeout=timeout or connection.answer_seconds, **options)
        except BaseException:
            # Half a message may be written; nothing can follow it.
            connection.silent = True
            raise

    basic_publish = _basic_publish

    def basic_publish_confirm(self, *args: Any, **options: Any) -> Any:
        """As py-amqp.

        Raises: UnconfirmedError where the confirm does not come in time.
        """
        try:
            return super().basic_publish_confirm(*args, **options)
        except TimeoutError as error:
            raise UnconfirmedError("the broker did not confirm in time") from error

    def close(self, *args: Any, **options: Any) -> Any:
        """As py-amqp, without a word to a broker that has not answered."""
        if self.connection is not None and self.connection.silent:
            self.connection = None
            return None
        return super().close(*args, **options)


class Connection(pyamqp.Connection):
    """A connection that is not waited for once an answer has stayed away."""

    Channel = Channel

    silent = False
    """Whether an answer has stayed away."""

    def __init__(self, *args: Any, answer_seconds: float = ANSWER_SECONDS, **options: Any) -> None:
        self.answer_seconds = answer_seconds
        super().__init__(*args, **options)

    def wait(self, method: Any, callback: Any = None, timeout: float | None = None, returns_tuple: bool = False) -> Any:
        """As py-amqp; without a time of its own the connection's holds.

        Raises: TimeoutError where no answer comes in time.
        """
        bound = GOODBYE_SECONDS if self.is_closing else self.answer_seconds
        return super().wait(method, callback, bound if timeout is None else timeout, returns_tuple)

    def close(self, *args: Any, **options: Any) -> Any:
        """As py-amqp, without a word to a broker that has not answered."""
        if self.silent:
            self.collect()
            return None
        return super().close(*args, **options)

    def collect(self) -> None:
        """As py-amqp; TLS says goodbye too, and waits for the answer."""
        sock = self._transport.sock if self._transport is not None else None
        if sock is not None:
            sock.settimeout(GOODBYE_SECONDS)
        super().collect()


class Transport(pyamqp.Transport):
    """What kombu makes connections with."""

    Connection = Connection


# What kombu shows of a connection is a URL; people know this one by its scheme.
kombu.Connection.resolve_aliases[TRANSPORT] = "amqp"
