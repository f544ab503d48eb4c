"""Publisher confirms of one channel, many messages ahead, each matched to its message.

kombu 5.7 and py-amqp 5.4 wait for every single confirm, which costs a message a round trip and the broker's write to disk; here the next message is
written while the confirms of earlier ones are on their way.

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


class PipelinedChannel:
    """A fresh channel that only publishes from now on; whoever publishes through it (kombu's Producer) does not wait.

    Used by one thread, and closed by whoever opened it.
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
        channel.events["basic_ack"].add(lambda tag, multiple: self._settle(tag, multiple, None))
        channel.events["basic_nack"].add(lambda tag, multiple: self._settle(tag, multiple, MessageNacked()))
        channel.events["basic_return"].add(self._keep_return)
        channel.basic_publish = self._publish

    @property
    def unsettled(self) -> int:
        """Messages that are written and neither confirmed nor refused."""
        return len(self._waiting)

    def drain_below(self, unsettled: int, end: float) -> None:
        """Read confirms until fewer than so many are missing.

        Raises: TimeoutError where that is not so by `end` (on the monotonic clock); the errors of py-amqp where connection or channel ends.
        """
        while len(self._waiting) >= unsettled:
            left = end - time.monotonic()
            if left <= 0:
                raise TimeoutError("confirms are missing")
            if self._channel.connection is None:
                raise RecoverableConnectionError("connection already closed")
            self._channel.connection.drain_events(timeout=left)

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
