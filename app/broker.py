"""Connections to the broker beside those that Celery makes by itself; the twin of `app.store`.

Invariant: a connection that failed is never waited for when it is given up.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from kombu import Connection

from app.connections import Connections
from app.transport import TRANSPORT


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
def pooled_connection(app: Any, *, at_most_seconds: float = math.inf) -> Iterator[Any]:
    """A connection of the application's pool, given up without a word to the broker when the block fails: its next use connects anew.

    One that is free is waited for as long as the setting `broker_pool_acquire_timeout` says, or less.

    Raises: kombu's LimitExceeded when none is free in time.
    """
    acquire_seconds = min(app.conf.broker_pool_acquire_timeout, at_most_seconds)
    with app.pool.acquire(block=True, timeout=acquire_seconds) as connection:
        try:
            yield connection
        except BaseException:
            # A broker that blocks publishers answers no `close` either (`app.transport`).
            connection.collect()
            raise
