"""`python -m app.delayed_delivery`: declares Celery's delayed-delivery tree and where each queue's messages leave it.

Run once by a Job before any worker, by kombu's own functions, so that a queue at zero accepts countdowns from the first second. Declaring twice
changes nothing.
"""

import logging
import os
import sys
import time

from kombu import Connection, Exchange
from kombu.exceptions import OperationalError
from kombu.transport.native_delayed_delivery import declare_native_delayed_delivery_exchanges_and_queues

from app.connections import broker_endpoint
from app.document import document_path
from fleet.documents import DelayedDeliveryDocument, load_document
from fleet.errors import FleetError

PATIENCE_SECONDS = 120.0
PAUSE_SECONDS = 2.0

logger = logging.getLogger("app.delayed_delivery")


def declare(connection: Connection, document: DelayedDeliveryDocument) -> None:
    """The tree, then one binding a queue: to the task exchange, or to the consistent-hash exchange of a sharded queue."""
    declare_native_delayed_delivery_exchanges_and_queues(connection, "quorum")
    channel = connection.channel()
    for binding in document.bindings:
        target = Exchange(binding.destination, type="topic", no_declare=True).bind(channel)
        target.bind_to(document.delayed_exchange, routing_key=f"#.{binding.queue}")
        if binding.destination == document.exchange:
            # What arrives still carries the bits of its delay before the queue's name.
            channel.queue_bind(binding.queue, document.exchange, routing_key=f"#.{binding.queue}")
    channel.close()


def main() -> int:
    """Declares, with patience while the broker comes up."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    try:
        document = load_document(document_path(), DelayedDeliveryDocument)
        url = broker_endpoint(os.environ).url("amqp", document.vhost)
    except FleetError as error:
        logger.error("%s", error)
        return 1
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            with Connection(url, connect_timeout=5) as connection:
                declare(connection, document)
        except (OSError, OperationalError) as error:
            if time.monotonic() > deadline:
                logger.error("the broker did not answer for %d s: %s", PATIENCE_SECONDS, error)
                return 1
            time.sleep(PAUSE_SECONDS)
        else:
            logger.info("declared the delayed-delivery tree for %d queues", len(document.bindings))
            return 0


if __name__ == "__main__":
    sys.exit(main())
