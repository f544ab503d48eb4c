"""The depth of queues, asked of kombu's in-memory broker and of one that is not there."""

from types import SimpleNamespace
from typing import Any

import pytest
from amqp.exceptions import NotFound
from kombu import Connection

from app.web.page.depths import BrokerAwayError, Depth, QueueDepths


class Channel:
    """What a broker says of its queues; an answer of none ends the channel."""

    def __init__(self) -> None:
        self.open = True

    def queue_declare(self, queue: str, passive: bool) -> Any:
        assert passive
        assert self.open
        if queue == "missing":
            self.open = False
            raise NotFound("NOT_FOUND - no queue")
        return SimpleNamespace(message_count=7, consumer_count=2)


class BrokerConnection:
    def __init__(self) -> None:
        self.collected = 0

    def ensure_connection(self, **_: Any) -> None:
        """At once."""

    def channel(self) -> Channel:
        return Channel()

    def collect(self) -> None:
        self.collected += 1


@pytest.fixture
def connection() -> BrokerConnection:
    return BrokerConnection()


def test_a_depth_is_what_waits_and_who_takes(connection: BrokerConnection) -> None:
    assert QueueDepths(lambda: connection, lambda: 5.0).ask("high") == Depth(ready=7, consumers=2, asked_at=5.0)


def test_a_queue_that_is_not_there_is_told_and_the_next_is_asked(connection: BrokerConnection) -> None:
    """RabbitMQ closes the channel of such a question."""
    depths = QueueDepths(lambda: connection, lambda: 5.0)
    assert depths.ask("missing") == Depth(ready=None, consumers=0, asked_at=5.0)
    assert depths.ask("high").ready == 7
    assert connection.collected == 0


def test_a_broker_that_is_not_there_is_told_without_a_credential() -> None:
    """Nothing listens at that port."""

    def connect() -> Any:
        return Connection("amqp://somebody:secret@127.0.0.1:1//", connect_timeout=1)

    with pytest.raises(BrokerAwayError) as raised:
        QueueDepths(connect, lambda: 5.0).ask("high")
    assert str(raised.value) == "ConnectionRefusedError, Connection refused"
