"""What a process of a fleet waits for, from a broker that reads and answers nothing more."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import pytest
from amqp.exceptions import AMQPError
from celery import Celery
from celery.exceptions import SoftTimeLimitExceeded
from kombu import Producer
from kombu.exceptions import OperationalError

from app.broker import connect_broker
from app.connections import read_connections
from app.settings import configure
from app.transport import UnconfirmedError
from tests.app.amqp_broker import AmqpBroker, Answer, amqp_broker
from tests.app.documents import ENVIRONMENT, worker_document

ANSWER_SECONDS = 0.3
LARGE = b"x" * 2**25
"""More than the buffers of both ends of a socket take."""


@contextmanager
def blocked() -> Iterator[tuple[AmqpBroker, Any]]:
    """A broker that reads until the first message, and a connection to it."""
    with amqp_broker(lambda *_: Answer.BLOCK) as broker:
        connections = read_connections({**ENVIRONMENT, "FLEET_BROKER_PORT": str(broker.port)})
        with connect_broker(
            connections, "shop", name="test", confirm_publish=True, answer_seconds=ANSWER_SECONDS
        ) as connection:
            yield broker, connection


def publish_unconfirmed(channel: Any, *bodies: bytes) -> None:
    """Nothing is read after the first one."""
    for body in bodies:
        channel._basic_publish(channel.prepare_message(body), routing_key="q")


@pytest.mark.parametrize(
    "ask",
    [
        pytest.param(lambda channel: Producer(channel).publish(b"x", routing_key="q"), id="a-confirm"),
        pytest.param(lambda channel: channel.queue_declare("q"), id="a-declaration"),
        pytest.param(lambda channel: publish_unconfirmed(channel, b"x", LARGE), id="a-message-that-does-not-fit"),
    ],
)
def test_no_answer_is_waited_for_without_a_bound(ask: Callable[[Any], Any]) -> None:
    """Nor is a goodbye, once one has stayed away."""
    started = time.monotonic()
    with blocked() as (_, connection):
        channel = connection.channel()
        with pytest.raises((OSError, AMQPError, UnconfirmedError)):
            ask(channel)
        failed = time.monotonic()
        channel.close()
        connection.close()
        assert time.monotonic() - failed < 0.2
    assert time.monotonic() - started < 2


def test_what_interrupts_a_wait_leaves_no_other_behind() -> None:
    """As the soft limit of a task that publishes a task does."""

    def interrupt(**_: Any) -> None:
        raise SoftTimeLimitExceeded

    with blocked() as (_, connection):
        channel = connection.channel()
        channel.connection.drain_events = interrupt
        with pytest.raises(SoftTimeLimitExceeded):
            Producer(channel).publish(b"x", routing_key="q")
        started = time.monotonic()
        channel.close()
        connection.close()
        assert time.monotonic() - started < 0.2


def test_a_task_that_publishes_gets_an_error_and_gives_its_connection_up() -> None:
    """The next publish is made over another one, and the worker that stops waits for neither."""
    started = time.monotonic()
    with amqp_broker(lambda number, _: Answer.BLOCK if number == 0 else Answer.ACK) as broker:
        app = Celery("worker", set_as_current=False)
        configure(app, worker_document(), {**ENVIRONMENT, "FLEET_BROKER_PORT": str(broker.port)})
        app.conf.broker_transport_options["answer_seconds"] = ANSWER_SECONDS
        with pytest.raises(OperationalError):
            app.send_task("shop.orders.confirm", retry=False, confirm_timeout=ANSWER_SECONDS)
        app.send_task("shop.orders.confirm", retry=False)
        app.close()
        assert (len(broker.published), broker.connections) == (2, 2)
    assert time.monotonic() - started < 2


@pytest.mark.parametrize(
    ("answer", "copies"),
    [
        pytest.param(Answer.SILENCE, 1, id="no-confirm-comes"),
        pytest.param(Answer.BLOCK, 1, id="the-broker-blocks-publishers"),
        pytest.param(Answer.HANG_UP, 2, id="the-connection-breaks"),
    ],
)
def test_a_message_without_a_confirm_is_not_sent_again(answer: Answer, copies: int) -> None:
    """It may be in its queue: a second copy would be a second run. What broke with its connection is sent once more."""
    with amqp_broker(lambda number, _: answer if number == 0 else Answer.ACK) as broker:
        app = Celery("worker", set_as_current=False)
        configure(app, worker_document(), {**ENVIRONMENT, "FLEET_BROKER_PORT": str(broker.port)})
        with pytest.raises(UnconfirmedError) if copies == 1 else nullcontext():
            app.send_task("shop.orders.confirm", retry=True, confirm_timeout=ANSWER_SECONDS)
        app.close()
        assert len(broker.published) == copies
