"""Publisher confirms of one channel, many messages ahead, each matched to its message.

kombu 5.7 and py-amqp 5.4 wait for every single confirm, which costs a message a round trip and the broker's write to disk; here the next message is
written while the confirms of earlier ones are on their way. They also hand each message to the kernel by itself, which wakes the broker for each; here
many go together.

Source: RabbitMQ docs, "Consumer Acknowledgements and Publisher Confirms": delivery tags count from 1 in each channel, one ack or nack may stand for
several messages (`multiple`), and an unroutable mandatory message is returned before it is acknowledged.
"""

import time
from collections.abc import Callable
from itertools import takewhile
from typing import Any

import amqp
from amqp.exceptions import MessageNacked, RecoverableConnectionError

Settled = Callable[[int, Exception | None], None]
"""Called with a delivery tag and None, or why its message is in no queue: `MessageNacked`, or the ChannelError of its return."""


WRITTEN_TOGETHER_BYTES = 32 * 1024
"""Messages that wait for one another to be written; some dozens of small ones, so the broker is never idle for long."""

METHOD_FRAME = 1
PUBLISH = b"\x00\x3c\x00\x28"
"""Class 60, method 40, after a frame's type, channel and size. Source: AMQP 0-9-1 specification, 4.2.3 and 4.2.4."""


class _Writer:
    """Stands for a connection's socket: it keeps what is written until it is told to send it."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._direct = connection.frame_writer
        self._kept = bytearray()
        # As py-amqp makes its own when it connects.
        connection.frame_writer = connection.frame_writer_cls(connection, self)

    def write(self, frames: Any) -> None:
        """Keep a copy, since the frame writer writes the next ones over it; whatever is no message is sent, because an answer is waited for."""
        self._kept += frames
        if frames[0] == METHOD_FRAME and frames[7:11] != PUBLISH:
            self.send(time.monotonic() + self._connection.answer_seconds)

    @property
    def full(self) -> bool:
        """Whether there is enough to be worth a call of the kernel."""
        return len(self._kept) >= WRITTEN_TOGETHER_BYTES

    def send(self, end: float) -> None:
        """Hand over what is kept.

        Raises: TimeoutError where the socket does not take it by `end`.
        """
        if not self._kept:
            return
        frames, self._kept = bytes(self._kept), bytearray()
        with self._connection.transport.having_timeout(max(0.001, end - time.monotonic())):
            self._connection.transport.write(frames)

    def restore(self) -> None:
        """Let the connection write by itself again."""
        self._connection.frame_writer = self._direct


class PipelinedChannel:
    """A fresh channel that only publishes from now on; whoever publishes through it (kombu's Producer) does not wait.

    Used by one thread, and the only user of its connection until it is closed. Where anything fails the connection is in no state to be used again.
    """

    def __init__(self, channel: Any, settled: Settled) -> None:
        """Put the channel into confirm mode; it has published nothing yet."""
        self._channel = channel
        self._settled = settled
        self._waiting: dict[int, Any] = {}
        """Delivery tag -> correlation id (of a task: its id), in the order of publishing."""
        self._returned: dict[Any, Exception] = {}
        self.last_tag = 0
        channel.confirm_select()
        self._writer = _Writer(channel.connection)
        channel.events["basic_ack"].add(lambda tag, multiple: self._settle(tag, multiple, None))
        channel.events["basic_nack"].add(lambda tag, multiple: self._settle(tag, multiple, MessageNacked()))
        channel.events["basic_return"].add(self._keep_return)
        channel.basic_publish = self._publish

    @property
    def unsettled(self) -> int:
        """Messages that are written and neither confirmed nor refused."""
        return len(self._waiting)

    def drain_below(self, unsettled: int, end: float) -> None:
        """Write what is kept, if it has to be waited for or is much, and read confirms until fewer than so many are missing.

        Raises: TimeoutError where that is not so by `end` (on the monotonic clock); the errors of py-amqp where connection or channel ends.
        """
        if self._writer.full or len(self._waiting) >= unsettled:
            self._writer.send(end)
        while len(self._waiting) >= unsettled:
            left = end - time.monotonic()
            if left <= 0:
                raise TimeoutError("confirms are missing")
            if self._channel.connection is None:
                raise RecoverableConnectionError("connection already closed")
            self._channel.connection.drain_events(timeout=left)

    def close(self) -> None:
        """Give the connection back, and close the channel; everything is settled."""
        self._writer.restore()
        self._channel.close()

    def _publish(self, message: Any, *args: Any, confirm_timeout: float | None = None, **kwargs: Any) -> None:
        # The class has the one that does not wait; the instance had kombu's choice. It reads what has come, too.
        amqp.Channel.basic_publish(self._channel, message, *args, **kwargs)
        # What fails before it is written has no tag in the broker, what fails halfway ends the connection, and nothing is read before the next call.
        self.last_tag += 1
        self._waiting[self.last_tag] = message.properties.get("correlation_id")

    def _keep_return(self, error: Exception, exchange: str, routing_key: str, message: Any) -> None:
        self._returned[message.properties.get("correlation_id")] = error

    def _settle(self, tag: int, multiple: bool, error: Exception | None) -> None:
        for settled in list(takewhile(lambda waiting: waiting <= tag, self._waiting)) if multiple else [tag]:
            sent = self._waiting.pop(settled)
            self._settled(settled, self._returned.pop(sent, None) or error)
