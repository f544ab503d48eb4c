"""A replay that dies between the broker's confirm and the acknowledgement, as a process of its own: reads the request that `fleet dlq` would write."""

import os
import signal
import sys

import msgspec

from app.dead_letters.__main__ import operator_connections
from app.dead_letters.handling import Handler
from app.dead_letters.mailbox import Mailbox
from app.dead_letters.messages import Message
from app.dead_letters.rabbitmq import opened
from fleet.dead_letters import LetterRequest


class KilledMailbox:
    """The real one, up to the removal."""

    def __init__(self, mailbox: Mailbox) -> None:
        self.count = mailbox.count
        self.take = mailbox.take
        self.publish = mailbox.publish
        self.put_back = mailbox.put_back

    def remove(self, message: Message) -> None:
        """The confirm was read, nothing was acknowledged."""
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    request = msgspec.json.decode(sys.stdin.buffer.read(), type=LetterRequest)
    with opened(operator_connections(os.environ), request.vhost) as mailbox:
        Handler(mailbox=KilledMailbox(mailbox), request=request).replay()
