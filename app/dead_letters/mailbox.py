"""What dead letters need of a broker: count, take, publish, remove, put back."""

from typing import Protocol

from app.dead_letters.messages import Message


class StoppedError(Exception):
    """The broker takes no more: what is not done stays, and the command ends with what it did."""


class ReturnedError(Exception):
    """The broker has no queue of that name."""


class FullError(Exception):
    """The queue refuses messages."""


class Mailbox(Protocol):
    """The messages of one vhost, as far as dead letters need them."""

    def count(self, queue: str) -> int | None:
        """Messages that are ready; None where there is no such queue."""

    def take(self, queue: str) -> Message | None:
        """The next message, which nobody else gets until it is put back or removed."""

    def publish(self, message: Message, queue: str) -> None:
        """Returns when the broker has confirmed that the queue has the message.

        Raises: ReturnedError, FullError; StoppedError when it is not known.
        """

    def remove(self, message: Message) -> None:
        """Take a message that was taken out of its queue for good."""

    def put_back(self) -> None:
        """Everything that was taken and not removed."""
