"""Declares Celery's delayed-delivery tree and where each queue's delayed messages leave it: `python -m app.delayed_delivery`.

kombu's own functions do it, so it is what Celery publishes to; they are idempotent. Workers do not (their start-up would come too late for a queue at
zero: delayed messages would wait for minutes in the last level, tried). A broker that is still starting is waited for, within bounds.
"""

import logging
import os
import sys
import time
from typing import Any

from kombu import Exchange, Queue
from kombu.exceptions import OperationalError
from kombu.transport.native_delayed_delivery import (
    bind_queue_to_native_delayed_delivery_exchange,
    declare_native_delayed_delivery_exchanges_and_queues,
)

from app.broker import connect_broker
from app.connections import Connections, read_connections
from app.logs import set_up_logging
from fleet.documents import DelayedBinding, DelayedDeliveryDocument, document_path, load_document
from fleet.errors import FleetError

WAIT_SECONDS = 120.0
"""How long the broker may take to answer; Kubernetes starts the Job's pod anew after that."""

RETRY_SECONDS = 3.0

logger = logging.getLogger(__name__)


def declare_tree(connection: Any, document: DelayedDeliveryDocument) -> None:
    """Declare all levels and bind every queue; what exists already is left as it is."""
    declare_native_delayed_delivery_exchanges_and_queues(connection, "quorum")
    with connection.channel() as channel:
        for bound in document.bindings:
            bind_queue(connection, channel, document, bound)


def bind_queue(connection: Any, channel: Any, document: DelayedDeliveryDocument, bound: DelayedBinding) -> None:
    """Where one logical queue's delayed messages come out.

    A plain queue is bound as kombu binds it: tree -> task exchange -> queue. A sharded one has no queue of its name; its consistent-hash exchange is
    bound to the tree directly.
    """
    exchange = Exchange(document.exchange, type="topic", no_declare=True)
    if bound.destination == document.exchange:
        queue = Queue(bound.queue, exchange, routing_key=bound.queue, no_declare=True)
        bind_queue_to_native_delayed_delivery_exchange(connection, queue)
    else:
        channel.exchange_bind(
            destination=bound.destination, source=document.delayed_exchange, routing_key=f"#.{bound.queue}"
        )


def _connect(connections: Connections, document: DelayedDeliveryDocument) -> Any:
    return connect_broker(connections, document.vhost, name="delayed-delivery")


def declare_within(
    connections: Connections, document: DelayedDeliveryDocument, *, wait_seconds: float = WAIT_SECONDS
) -> None:
    """Declare the tree as soon as the broker lets us.

    Raises: FleetError when it does not within `wait_seconds`, or refuses for good.
    """
    end = time.monotonic() + wait_seconds
    while True:
        try:
            with _connect(connections, document) as connection:
                connection.ensure_connection(max_retries=1, interval_start=0.1)
                declare_tree(connection, document)
        except (OperationalError, OSError, *_connect(connections, document).connection_errors) as error:
            if time.monotonic() + RETRY_SECONDS >= end:
                raise _failed(connections, document, error) from error
            logger.warning("the broker is not ready (%s); again in %.0f s", error, RETRY_SECONDS)
            time.sleep(RETRY_SECONDS)
        except _connect(connections, document).channel_errors as error:
            raise _failed(connections, document, error) from error
        else:
            return


def _failed(connections: Connections, document: DelayedDeliveryDocument, error: Exception) -> FleetError:
    broker = connections.broker
    return FleetError(
        f"broker {broker.host}:{broker.port}, vhost {document.vhost}",
        f"the delayed-delivery tree could not be declared: {error}",
        "The task exchange, every queue and the permission of the user `topology` have to be there before.",
    )


def main() -> int:
    """Exit code of the Job."""
    try:
        set_up_logging(os.environ)
        document = load_document(document_path(os.environ), DelayedDeliveryDocument)
        declare_within(read_connections(os.environ), document)
    except FleetError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    logger.info("delays are declared for %s", ", ".join(bound.queue for bound in document.bindings))
    return 0


if __name__ == "__main__":
    sys.exit(main())
