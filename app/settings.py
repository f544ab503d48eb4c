"""From the Plan to Celery: the one function that configures any Celery application.

Invariant: an application that went through `configure` publishes every task by its queue's name, with confirms, and consumes with late
acknowledgement and one message a slot. The reasons stand beside the settings; facts are from Celery and kombu 5.7 and RabbitMQ 4.3.
"""

import math
from collections.abc import Mapping
from typing import Any

from celery import Celery
from kombu import Exchange, Queue

from app.connections import broker_endpoint, results_endpoint
from fleet.documents import ProducerDocument, WorkerDocument
from fleet.sizing import Pool

RESULT_EXPIRES_SECONDS = 24 * 3600
CONFIRM_TIMEOUT_SECONDS = 4.0
"""Below the five seconds within which the web layer answers."""

HEARTBEAT_SECONDS = 30
DEFAULT_PRIORITY = 4
"""What RabbitMQ 4.3 assumes for a message without one; kombu would write 0, the lowest."""


def configure(app: Celery, document: ProducerDocument | WorkerDocument, environ: Mapping[str, str]) -> None:
    """Lays the Plan over an application's own settings.

    Raises: FleetError when a connection variable is missing.
    """
    producer = document.producer if isinstance(document, WorkerDocument) else document
    app.conf.update(broker_settings(producer, environ))
    app.conf.update(result_settings(environ))
    app.conf.update(routing_settings(producer))
    if isinstance(document, WorkerDocument):
        app.conf.update(worker_settings(document))
        _consume_shard(app, document)
    app.set_current()
    app.set_default()


def broker_settings(document: ProducerDocument, environ: Mapping[str, str]) -> dict[str, Any]:
    """Connections and publishing."""
    return {
        "broker_url": broker_endpoint(environ).url("amqp", document.vhost),
        "broker_heartbeat": HEARTBEAT_SECONDS,
        "broker_connection_timeout": 3,
        "broker_connection_retry_on_startup": True,
        # Kubernetes restarts what does not come up; a worker that outlives an outage keeps trying.
        "broker_connection_max_retries": None,
        # A worker that reconnects under its old name before the broker dropped it meets 405; retrying is right, dying is not.
        "broker_channel_error_retry": True,
        "broker_transport_options": {
            # Without confirms a publish that a quorum queue refuses is lost silently.
            "confirm_publish": True,
            "confirm_timeout": CONFIRM_TIMEOUT_SECONDS,
            "max_retries": 3,
            "interval_start": 0,
            "interval_step": 0.2,
            "interval_max": 0.5,
            "read_timeout": None,
        },
        "broker_pool_limit": 10,
        "task_publish_retry": True,
        "task_publish_retry_policy": {"max_retries": 3, "interval_start": 0, "interval_step": 0.2, "interval_max": 0.5},
        "task_serializer": "json",
        "result_serializer": "json",
        "accept_content": ["json"],
        "task_default_priority": DEFAULT_PRIORITY,
        "enable_utc": True,
        "timezone": "UTC",
    }


def result_settings(environ: Mapping[str, str]) -> dict[str, Any]:
    """The results store, or none."""
    endpoint = results_endpoint(environ)
    if endpoint is None:
        return {"result_backend": None, "task_ignore_result": True}
    return {
        "result_backend": endpoint.url("redis", "0"),
        "result_expires": RESULT_EXPIRES_SECONDS,
        "result_extended": True,
        "task_track_started": True,
        "redis_socket_timeout": 3.0,
        "redis_socket_connect_timeout": 3.0,
        "redis_retry_on_timeout": True,
    }


def routing_settings(document: ProducerDocument) -> dict[str, Any]:
    """Queues and routes; the broker's objects are declared by the infrastructure, so nothing here declares anything."""
    return {
        "task_queues": [logical_queue(name, document) for name in (*document.queues, document.unrouted)],
        "task_routes": [{route.pattern: {"queue": route.queue} for route in document.routes}],
        "task_default_queue": document.unrouted,
        "task_default_queue_type": "quorum",
        "task_default_exchange": document.exchange,
        "task_default_exchange_type": "topic",
        "task_default_routing_key": document.unrouted,
        # A typing error has to fail, not to make a queue nobody consumes.
        "task_create_missing_queues": False,
        "broker_native_delayed_delivery_queue_type": "quorum",
    }


def logical_queue(name: str, document: ProducerDocument) -> Queue:
    """A queue of the catalogue as publishers see it: its name is the routing key on the task exchange."""
    return Queue(
        name,
        Exchange(document.exchange, type="topic", no_declare=True),
        routing_key=name,
        queue_arguments={"x-queue-type": "quorum"},
        no_declare=True,
    )


def worker_settings(document: WorkerDocument) -> dict[str, Any]:
    """How a worker consumes its queue."""
    worker = document.worker
    settings: dict[str, Any] = {
        "task_acks_late": True,
        "task_reject_on_worker_lost": True,
        # A failure is final and acknowledged; a task that outlives its limit is too (returning it would loop for ever).
        "task_acks_on_failure": True,
        "task_acks_on_timeout": True,
        "worker_prefetch_multiplier": 1,
        "worker_concurrency": worker.concurrency,
        "worker_cancel_long_running_tasks_on_connection_loss": True,
        "worker_enable_remote_control": True,
        "worker_send_task_events": False,
        "worker_hijack_root_logger": True,
        "worker_proc_alive_timeout": 60.0,
        "task_time_limit": math.ceil(worker.hard_limit_seconds),
    }
    if worker.pool is Pool.PREFORK:
        settings["task_soft_time_limit"] = worker.soft_limit_seconds
        settings["worker_max_memory_per_child"] = (worker.max_memory_per_child_bytes or 0) // 1024 or None
    if worker.soft_shutdown_seconds:
        settings["worker_soft_shutdown_timeout"] = worker.soft_shutdown_seconds
    return settings


def _consume_shard(app: Celery, document: WorkerDocument) -> None:
    """Adds the broker queue that this worker consumes, where it is a shard of its logical queue."""
    if document.shard == document.queue:
        return
    exchange = Exchange(document.queue, type="x-consistent-hash", no_declare=True)
    shard = Queue(
        document.shard, exchange, routing_key="1", queue_arguments={"x-queue-type": "quorum"}, no_declare=True
    )
    app.conf.task_queues = [*app.conf.task_queues, shard]
