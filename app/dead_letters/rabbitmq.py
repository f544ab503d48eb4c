"""The messages of a vhost in RabbitMQ, by AMQP.

Messages are read with `basic.get`, unacknowledged, so the broker gives them back when the connection ends, however it ends. Publishing has a connection of
its own: a broker with an alarm stops reading from those that publish, and an acknowledgement has to reach it all the same. Everything waits within
`ANSWER_SECONDS`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import amqp
from amqp.exceptions import AMQPError, MessageNacked, NotFound
from kombu.exceptions import OperationalError

from app.broker import connect_broker
from app.connections import Connections
from app.dead_letters.mailbox import FullError, ReturnedError, StoppedError
from app.dead_letters.messages import Message
from fleet.errors import FleetError

ANSWER_SECONDS = 15.0
"""Longest wait for the broker: it answers in milliseconds, or something is wrong."""

BROKER_ERRORS = (OperationalError, AMQPError, OSError)


class RabbitMailbox:
    """A `Mailbox` over two connections."""

    def __init__(self, reading: Any, publishing: Any) -> None:
        self._reading = reading
        self._taking: Any = None
        self._publishing = publishing.channel()
        self._returned: list[Any] = []
        # Without a listener py-amqp raises for a returned message before its confirm has been read.
        self._publishing.events["basic_return"].add(self._note_return)

    def count(self, queue: str) -> int | None:
        """By a passive declare, whose count is that of this moment; the right to read the queue is enough for it."""
        with _told(queue), self._reading.channel() as channel:
            try:
                return int(channel.queue_declare(queue, passive=True).message_count)
            except NotFound:
                return None

    def take(self, queue: str) -> Message | None:
        """The next one, unacknowledged."""
        with _told(queue):
            if self._taking is None:
                self._taking = self._reading.channel()
                # A body is bytes here, whatever encoding its publisher claims.
                self._taking.auto_decode = False
            found = self._taking.basic_get(queue)
        if found is None:
            return None
        body = found.body.encode() if isinstance(found.body, str) else bytes(found.body)
        properties = dict(found.properties)
        headers = properties.pop("application_headers", None) or {}
        return Message(
            body=body,
            properties=properties,
            headers=headers,
            routing_key=found.delivery_info["routing_key"],
            tag=found.delivery_tag,
        )

    def publish(self, message: Message, queue: str) -> None:
        """To the default exchange: there mandatory means this queue, while the task exchange would hand what it cannot route to `unrouted`."""
        self._returned.clear()
        wire = amqp.Message(message.body, application_headers=dict(message.headers), **message.properties)
        try:
            self._publishing.basic_publish_confirm(
                wire, exchange="", routing_key=queue, mandatory=True, confirm_timeout=ANSWER_SECONDS
            )
        except MessageNacked:
            raise FullError(queue) from None
        except BROKER_ERRORS as error:
            raise StoppedError(
                f"the broker did not confirm a message ({_said(error)}); it stays, and may be in queue {queue} already"
            ) from error
        if self._returned:
            raise ReturnedError(queue)

    def remove(self, message: Message) -> None:
        """By its acknowledgement."""
        try:
            self._taking.basic_ack(message.tag)
        except BROKER_ERRORS as error:
            raise StoppedError(f"the connection to the broker ended ({_said(error)})") from error

    def put_back(self) -> None:
        """A channel that closes gives back what it holds."""
        if self._taking is not None:
            channel, self._taking = self._taking, None
            with _told("of the dead letters"):
                channel.close()

    def _note_return(self, _error: Any, _exchange: str, _key: str, message: Any) -> None:
        self._returned.append(message)


@contextmanager
def opened(connections: Connections, vhost: str) -> Iterator[RabbitMailbox]:
    """The vhost's messages while the body runs.

    Raises: FleetError when the broker cannot be reached or does not let us in.
    """
    broker = connections.broker
    waits = {"read_timeout": ANSWER_SECONDS, "write_timeout": ANSWER_SECONDS}
    with (
        connect_broker(connections, vhost, name="dead-letters", **waits) as reading,
        connect_broker(connections, vhost, name="dead-letters-replay", **waits) as publishing,
    ):
        try:
            for connection in (reading, publishing):
                connection.ensure_connection(max_retries=1, interval_start=0.1)
            mailbox = RabbitMailbox(reading, publishing)
        except BROKER_ERRORS as error:
            raise FleetError(
                f"broker {broker.host}:{broker.port}, vhost {vhost}",
                f"cannot be reached as the user of FLEET_OPERATOR_USERNAME: {_said(error)}",
                "Run it in `make shell`, or as docs/how-to/dead-letters.md says.",
            ) from None
        yield mailbox


@contextmanager
def _told(queue: str) -> Iterator[None]:
    try:
        yield
    except BROKER_ERRORS as error:
        raise StoppedError(f"queue {queue} cannot be read: {_said(error)}") from error


def _said(error: BaseException) -> str:
    # kombu raises an OperationalError from whatever happened (5.7, `Connection._reraise_as_library_errors`).
    while isinstance(error, OperationalError) and error.__cause__ is not None:
        error = error.__cause__
    return str(error).splitlines()[0] if str(error) else type(error).__name__
