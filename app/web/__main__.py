"""Process 1 of a web pod: uvicorn, which finishes the requests it has when it is told to stop."""

import os
import sys
import time

import uvicorn

from app.application import load_application, register_tasks
from app.broker import connect_broker
from app.connections import read_connections
from app.logs import set_up_logging
from app.settings import configure
from app.store import connect_store
from app.web.api import create_api
from app.web.idempotency import IdempotencyKeys
from app.web.limits import read_limits
from app.web.page.collecting import Collector
from app.web.page.depths import ANSWER_SECONDS, QueueDepths
from app.web.publishing import Publisher
from app.web.results import Results
from fleet.documents import WebDocument, document_path, load_document
from fleet.errors import FleetError

PORT = 8000
GRACEFUL_SECONDS = 10
"""Twice the longest request."""

KEEP_ALIVE_SECONDS = 75
"""Longer than the minute that a load balancer keeps an idle connection: the side that closes first must not be the one that is sent requests.

Source: Elastic Load Balancing user guide, "Application Load Balancers", section on the connection idle timeout.
"""


def main() -> int:
    """Serve until a signal ends it."""
    try:
        set_up_logging(os.environ)
        document = load_document(document_path(os.environ), WebDocument)
        producer = document.producer
        connections = read_connections(os.environ)
        limits = read_limits(os.environ)
        if connections.results is None:
            raise FleetError("environment", "FLEET_RESULTS_HOST not set", "The web layer reads results from there.")
        app = load_application(producer.application)
        configure(app, producer, os.environ)
        register_tasks(app)
    except FleetError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    store = connect_store(connections.results)
    depths = QueueDepths(
        lambda: connect_broker(
            connections, producer.vhost, name=f"{connections.pod} page", answer_seconds=ANSWER_SECONDS
        ),
        time.time,
    )
    api = create_api(
        app,
        document,
        publisher=Publisher(app),
        results=Results(store, producer.fleet),
        keys=IdempotencyKeys(store, producer.fleet),
        collector=Collector(document, store, depths, pod=connections.pod),
        limits=limits,
    )
    uvicorn.run(
        api,
        # A pod's own address is known to Kubernetes alone; the Service and the NetworkPolicy decide who reaches it.
        host=os.environ.get("FLEET_WEB_HOST", "0.0.0.0"),  # noqa: S104
        port=int(os.environ.get("FLEET_WEB_PORT", PORT)),
        log_config=None,
        log_level="info",
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GRACEFUL_SECONDS,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
