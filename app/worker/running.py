"""Runs one Celery worker as the Plan wants it.

The worker is made directly, not by Celery's command line: importing that costs a good part of the start-up of a pod, and a queue at zero waits for it.
"""

import logging
from collections.abc import Mapping
from typing import Any

from celery import signals
from celery.worker import state

from app.application import load_application, register_tasks
from app.connections import read_connections
from app.counting import StoredCounts
from app.minutes import MinuteCounters
from app.once import keep_leases
from app.once.leases import Leases
from app.retries import retry_tasks
from app.settings import configure
from app.store import StoreError, connect_store, read_cancelled
from app.waits import QueueCounters, counters_key
from app.worker.failures import keep_failed_tasks
from app.worker.health import run_folder
from app.worker.logs import log_worker
from app.worker.metrics import WorkerMetrics
from app.worker.process import began_at
from app.worker.requests import Observer, observe_tasks
from app.worker.serving import metrics_port, serve
from app.worker.stopping import stop_softly
from fleet.documents import WorkerDocument, document_path
from fleet.sizing import Pool, Shutdown

PREFORK_POOL = "app.worker.prefork:TaskPool"
"""By name: other pools do without its imports."""

logger = logging.getLogger(__name__)


def run_worker(document: WorkerDocument, environ: Mapping[str, str]) -> int:
    """Run until a signal ends it; the exit code."""
    producer, connections, port = document.producer, read_connections(environ), metrics_port(environ)
    log_worker(document, environ)
    app = load_application(producer.application)
    configure(app, document, environ)
    register_tasks(app)
    retry_tasks(app, document)
    keep_failed_tasks(app, document)
    observers: list[Observer] = []
    if connections.results is not None:
        address = connections.results
        keep_leases(Leases(lambda: connect_store(address)), producer.fleet)
        counts = StoredCounts(lambda: connect_store(address))
        signals.worker_shutdown.connect(lambda **_: counts.flush(), weak=False, dispatch_uid="fleet.exit")
        observers.append(QueueCounters(counts, counters_key(producer.fleet, document.queue)))
        observers.append(MinuteCounters(counts, document, app.tasks))
        _learn_cancellations(connect_store(address), producer.fleet)
    metrics = None if port is None else WorkerMetrics(document, app.tasks)
    if metrics is not None:
        observers.append(metrics)
    observe_tasks(app, observers)
    worker: Any = app.Worker(**worker_options(document, connections.pod))
    if document.worker.shutdown is Shutdown.SOFT and document.worker.pool is Pool.GEVENT:
        stop_softly(worker, document.worker.soft_shutdown_seconds)
    if metrics is not None and port is not None:
        _show(metrics, worker, began_at(document_path(environ), run_folder()))
        serve(metrics, document, pod=connections.pod, port=port)
    if app.conf.worker_redirect_stdouts:
        # What tasks print becomes lines of the log; Celery does it where it sets up logging itself.
        app.log.redirect_stdouts(app.conf.worker_redirect_stdouts_level)
    worker.start()
    return int(worker.exitcode or 0)


def _show(metrics: WorkerMetrics, worker: Any, began: float) -> None:
    metrics.watch(worker)

    def on_ready(**_: Any) -> None:
        metrics.started_up(began)
        # It is sent again after every new connection.
        signals.worker_ready.disconnect(dispatch_uid="fleet.ready")

    signals.worker_ready.connect(on_ready, weak=False, dispatch_uid="fleet.ready")


def worker_options(document: WorkerDocument, pod: str) -> dict[str, Any]:
    """What Celery's command line would be told; the rest are settings."""
    return {
        "hostname": f"{document.shard}@{pod}",
        "pool": PREFORK_POOL if document.worker.pool is Pool.PREFORK else document.worker.pool.value,
        "queues": [document.shard],
        "optimization": document.worker.optimization.value,
        # Prefetch is fixed for each consumer of a quorum queue, so a pool that grows would stay as it was fed; the plan counts with one concurrency.
        "autoscale": None,
        "loglevel": "INFO",
        "quiet": True,
        "no_color": True,
        # One connection a worker instead of three: gossip and mingle are talk among all workers, events nobody reads (tried: 3 -> 1).
        "without_gossip": True,
        "without_mingle": True,
        "without_heartbeat": True,
    }


def _learn_cancellations(store: Any, fleet: str) -> None:
    """Cancellations are broadcast to running workers; one that starts later asks for those it missed."""
    try:
        state.revoked.update(read_cancelled(store, fleet))
    except StoreError as error:
        logger.warning("cancellations from before the start are unknown: %s", type(error).__name__)
