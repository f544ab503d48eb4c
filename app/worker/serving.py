"""What a worker shows over HTTP: `/metrics` for Prometheus, and `/busy`, its slots as JSON.

Invariant: a worker works with or without it. It answers from threads of the main process that end with it; a port that is taken is a line in the log;
a client that is slow is left after a few seconds, and none can change anything here. There is nothing secret to read: counts, and names of tasks.
"""

import logging
import os
import threading
from collections.abc import Callable, Iterable, Mapping
from socketserver import TCPServer, ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

import msgspec
from prometheus_client import make_wsgi_app

from app.worker.metrics import WorkerMetrics
from fleet.documents import WorkerDocument
from fleet.errors import FleetError
from fleet.metrics import METRICS_PORT

PORT_VARIABLE = "FLEET_METRICS_PORT"
OFF = "off"

CLIENT_SECONDS = 5.0
"""A client that neither asks nor reads for so long is left."""

logger = logging.getLogger(__name__)

Start = Callable[[str, list[tuple[str, str]]], Any]


def metrics_port(environ: Mapping[str, str]) -> int | None:
    """Where to serve; None where nothing is to be counted for Prometheus.

    Raises: FleetError where the variable is neither a port nor `off`.
    """
    text = environ.get(PORT_VARIABLE) or str(METRICS_PORT)
    if text == OFF:
        return None
    if text.isdecimal() and 0 < int(text) < 65536:
        return int(text)
    raise FleetError(
        "environment", f"{PORT_VARIABLE} is {text!r}, no port", f"Write a number from 1 to 65535, or {OFF}."
    )


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True

    def server_bind(self) -> None:
        """As any TCP server: an HTTP server would ask the name service for its own name first, and wait."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])
        self.setup_environ()


class _Handler(WSGIRequestHandler):
    timeout = CLIENT_SECONDS

    def log_message(self, *_: Any) -> None:
        """A scrape is no news."""


def serve(metrics: WorkerMetrics, document: WorkerDocument, *, pod: str, port: int) -> WSGIServer | None:
    """Serve until the process ends; None when the port is taken."""
    try:
        # A pod's own address is known to Kubernetes alone; the NetworkPolicy decides who reaches it.
        server = _Server(("0.0.0.0", port), _Handler)  # noqa: S104
    except OSError as error:
        logger.warning("no metrics are served: port %d: %s", port, error.strerror)
        return None
    server.set_app(_application(metrics, document, pod))
    # A prefork child neither answers nor keeps the port when its parent is gone.
    os.register_at_fork(after_in_child=server.socket.close)
    threading.Thread(target=server.serve_forever, name="fleet-metrics", daemon=True).start()
    return server


def _application(metrics: WorkerMetrics, document: WorkerDocument, pod: str) -> Callable[..., Iterable[bytes]]:
    show_metrics = make_wsgi_app(metrics.registry)

    def answer(environ: dict[str, Any], start_response: Start) -> Iterable[bytes]:
        match environ["PATH_INFO"]:
            case "/metrics":
                found: Iterable[bytes] = show_metrics(environ, start_response)
                return found
            case "/busy":
                start_response("200 OK", [("Content-Type", "application/json")])
                return [
                    msgspec.json.encode(
                        {
                            "queue": document.queue,
                            "shard": document.shard,
                            "pod": pod,
                            "busy": metrics.busy_slots(),
                            "slots": document.worker.concurrency,
                        }
                    )
                ]
        start_response("404 Not Found", [("Content-Type", "text/plain")])
        return [b"there are /metrics and /busy\n"]

    return answer
