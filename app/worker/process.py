"""The worker's process: the application configured, the boot steps arranged, the command line derived."""

import logging
import os

import redis
from celery import signals
from celery.worker.consumer import Consumer

from app.application import load_application
from app.connections import results_endpoint
from app.settings import configure
from app.worker import health
from app.worker.steps import Heartbeat
from app.worker.waits import WaitCounter, stamp_publish
from fleet.documents import WorkerDocument

STORE_TIMEOUT_SECONDS = 2.0


def worker_arguments(document: WorkerDocument, pod: str) -> list[str]:
    """The command line of the worker: one queue, and none of the chatter between workers.

    Gossip, mingle and event heartbeat cost two of three connections and their messages (Celery issue 5079: a broker fell to them at 1000 workers).
    """
    return [
        "worker",
        f"--pool={document.worker.pool.value}",
        f"--concurrency={document.worker.concurrency}",
        f"--queues={document.shard}",
        f"--hostname={document.shard}@{pod}",
        "--without-gossip",
        "--without-mingle",
        "--without-heartbeat",
        "--loglevel=INFO",
    ]


def run(document: WorkerDocument) -> None:
    """Runs the worker until it is told to stop."""
    app = load_application(document.producer.application)
    configure(app, document, os.environ)
    # The delayed-delivery tree is declared by a Job; a worker has no right to declare it and does not need to.
    Consumer.Blueprint.default_steps = [
        step for step in Consumer.Blueprint.default_steps if "delayed_delivery" not in str(step)
    ]
    app.steps["consumer"].add(Heartbeat)
    endpoint = results_endpoint(os.environ)
    if endpoint is not None:
        store = redis.Redis(
            host=endpoint.host,
            port=endpoint.port,
            password=endpoint.password or None,
            socket_timeout=STORE_TIMEOUT_SECONDS,
            socket_connect_timeout=STORE_TIMEOUT_SECONDS,
        )
        WaitCounter(document.queue, store).connect()
    signals.before_task_publish.connect(stamp_publish, weak=False)
    signals.worker_shutting_down.connect(lambda **_: health.remove(health.READY), weak=False)
    logging.getLogger("celery.worker.consumer.consumer").addHandler(_Reconnecting())
    app.worker_main(worker_arguments(document, os.environ.get("FLEET_POD_NAME", "local")))


class _Reconnecting(logging.Handler):
    """A worker that is trying to reconnect is alive: each of its tries touches the heartbeat, so an outage of the broker restarts nobody."""

    def emit(self, record: logging.LogRecord) -> None:
        """Looks for Celery's own words for a retry (5.7, `CONNECTION_RETRY_STEP`)."""
        if "Trying again" in str(record.msg) or "Retrying" in str(record.msg):
            health.touch(health.HEARTBEAT)
