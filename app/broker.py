"""Connections to the broker beside those that Celery makes by itself; the twin of `app.store`.

Invariant: a connection that failed is never waited for when it is given up.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from kombu import Connection

from app.connections import Connections
from app.transport import GOODBYE_SECONDS, TRANSPORT


def connect_broker(connections: Connections, vhost: str, *, name: str, **options: Any) -> Any:
    """A connection, under this name in the broker; it connects when it is first used. `options` are the transport's."""
    broker = connections.broker
    return Connection(
        hostname=broker.host,
        port=broker.port,
        userid=broker.username,
        password=broker.password,
        virtual_host=vhost,
        transport=TRANSPORT,
        ssl=broker.ssl_options,
        connect_timeout=5,
        transport_options={"client_properties": {"connection_name": name}, **options},
    )


@contextmanager
def pooled_connection(app: Any, *, timeout_seconds: float) -> Iterator[Any]:
    """A connection of the application's pool, given up when the block fails: the pool makes another.

    Raises: kombu's LimitExceeded when none is free in time.
    """
    with app.pool.acquire(block=True, timeout=timeout_seconds) as connection:
        try:
            yield connection
        except BaseException:
            abandon(connection)
            raise


def abandon(connection: Any) -> None:
    """Close a kombu connection without a word to the broker; the next use of it would connect anew.

    A broker that blocks publishers (memory or disk alarm) does not read, so it answers no `close` either, and py-amqp waits for that answer without
    a bound: whoever publishes would hang until the alarm is over (py-amqp 5.4.2, `Channel.close`; kombu 5.7 closes what its pool replaces).
    """
    if connection.connected:
        # TLS says goodbye when it is closed and waits for the answer.
        connection.connection.transport.sock.settimeout(GOODBYE_SECONDS)
    connection.collect()
