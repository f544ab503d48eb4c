"""Celery's settings, each with its reason, derived from the Plan alone; they serve any Celery application.

Invariant: queues, limits, concurrency and routes come from the pod's document, connection facts from the environment, and nothing is declared
in the broker from here (`no_declare`): the topology exists before the first process starts. Facts are from Celery 5.7, kombu 5.7 and
RabbitMQ 4.3; the ones marked "tried" were measured on them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kombu import Exchange, Queue

from app.connections import VERIFIED_TLS, Connections, ResultsAddress, read_connections
from app.delays import round_delays_up
from app.routing import TaskRouter
from app.transport import TRANSPORT
from app.waits import stamp_due_times
from fleet.documents import ProducerDocument, WorkerDocument

RESULT_EXPIRY_SECONDS = 24 * 3600
PRODUCER_CONFIRM_SECONDS = 2.0
"""A web request waits this long for one confirm; with the one retry and a reconnect it stays within five seconds."""

WORKER_CONFIRM_SECONDS = 15.0
"""A task that publishes a task has more time than a web request."""

PRODUCER_CONNECTIONS = 8
"""Publishing threads of the web layer; one connection each."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """A value and why it is what it is."""

    value: Any
    reason: str


def configure(app: Any, document: ProducerDocument | WorkerDocument, environ: Mapping[str, str]) -> None:
    """Configure a Celery application for the pod that the document describes.

    Raises: FleetError when the environment lacks a connection fact.
    """
    connections = read_connections(environ)
    app.conf.update({name: setting.value for name, setting in derive_settings(document, connections).items()})
    # What was looked up under the old settings is looked up anew.
    app.__dict__.pop("amqp", None)
    round_delays_up(app)
    stamp_due_times()


def derive_settings(document: ProducerDocument | WorkerDocument, connections: Connections) -> dict[str, Setting]:
    """Every setting that differs from Celery's default, or that must not follow a change of it."""
    worker = document if isinstance(document, WorkerDocument) else None
    producer = document.producer if isinstance(document, WorkerDocument) else document
    return {
        **_topology_settings(producer, worker),
        **_publish_settings(producer, worker),
        **_connection_settings(producer, worker, connections),
        **_result_settings(connections.results),
        **(_worker_settings(worker) if worker else {}),
    }


def task_queues(producer: ProducerDocument, worker: WorkerDocument | None) -> list[Queue]:
    """What Celery knows of the broker: each logical queue as a routing key of the task exchange, and the broker queue that is consumed.

    A sharded queue is an exchange in the broker; for a publisher it looks like any other queue.
    """
    exchange = Exchange(producer.exchange, type="topic", no_declare=True)
    names = [*producer.queues, producer.unrouted]
    if worker is not None and worker.shard not in names:
        names.append(worker.shard)
    # Celery looks for the quorum type here to decide on per-consumer prefetch and native delays.
    quorum = {"x-queue-type": "quorum"}
    return [Queue(name, exchange, routing_key=name, no_declare=True, queue_arguments=dict(quorum)) for name in names]


def _topology_settings(producer: ProducerDocument, worker: WorkerDocument | None) -> dict[str, Setting]:
    return {
        "task_queues": Setting(
            value=task_queues(producer, worker),
            reason="Explicit quorum queues: Celery detects them by their declared arguments, and declares none itself.",
        ),
        "task_create_missing_queues": Setting(
            value=False, reason="A misspelt queue is an error of the caller, never a new classic queue nobody consumes."
        ),
        "task_default_queue": Setting(
            value=producer.unrouted,
            reason="What passes no router ends where people look; the task exchange has no binding of this name.",
        ),
        "task_default_exchange": Setting(value=producer.exchange, reason="The one exchange that producers may write."),
        "task_default_exchange_type": Setting(
            value="topic", reason="With a direct exchange Celery skips native delays and a delayed task blocks a slot."
        ),
        "task_default_routing_key": Setting(value=producer.unrouted, reason="As task_default_queue."),
        "task_default_queue_type": Setting(value="quorum", reason="No classic queue by accident."),
    }


def _publish_settings(producer: ProducerDocument, worker: WorkerDocument | None) -> dict[str, Setting]:
    confirm = WORKER_CONFIRM_SECONDS if worker else PRODUCER_CONFIRM_SECONDS
    return {
        "task_routes": Setting(
            value=(TaskRouter(producer, confirm_timeout_seconds=confirm),),
            reason="Always by queue, confirmed within a bounded time, and returned when nothing takes the message.",
        ),
        "task_publish_retry": Setting(value=True, reason="A pooled connection may have died since its last use."),
        "task_publish_retry_policy": Setting(
            value={"max_retries": 5 if worker else 1, "interval_start": 0.1, "interval_step": 0.4, "interval_max": 2.0},
            reason="Bounded: unbounded, delay() hangs while the broker is away (celery#4627).",
        ),
        "task_default_delivery_mode": Setting(
            value="persistent", reason="Survives a broker restart, dead letters too."
        ),
        "task_default_priority": Setting(
            value=None,
            reason="It would stand in every task as if its caller had asked for it; the router knows better.",
        ),
        "task_serializer": Setting(value="json", reason="Data only: pickle executes what it reads."),
        "result_serializer": Setting(value="json", reason="As task_serializer."),
        "accept_content": Setting(value=["json"], reason="Nothing else is decoded, whoever sent it."),
        "task_send_sent_event": Setting(value=False, reason="Events cost 42 % of the throughput (tried); counters do."),
    }


def _connection_settings(
    producer: ProducerDocument, worker: WorkerDocument | None, connections: Connections
) -> dict[str, Setting]:
    broker = connections.broker
    pool = min(worker.worker.concurrency + 1, 10) if worker else PRODUCER_CONNECTIONS
    return {
        "broker_transport": Setting(
            value=TRANSPORT, reason="The client that knows publisher confirms, without waits that may never end."
        ),
        # Parts instead of a URL: a URL with a password ends up in messages sooner or later.
        "broker_host": Setting(value=broker.host, reason="From the environment."),
        "broker_port": Setting(value=broker.port, reason="From the environment."),
        "broker_user": Setting(value=broker.username, reason="A user of its own for each kind of process."),
        "broker_password": Setting(value=broker.password, reason="From the operator's Secret; shows no text."),
        "broker_use_ssl": Setting(
            value=broker.ssl_options,
            reason="TLS where the broker speaks it; its certificate and name are verified, since a password is sent.",
        ),
        "broker_vhost": Setting(value=producer.vhost, reason="One vhost a fleet: delayed queues are global in it."),
        "broker_transport_options": Setting(
            value={
                "confirm_publish": True,
                "answer_seconds": WORKER_CONFIRM_SECONDS if worker else PRODUCER_CONFIRM_SECONDS,
                "client_properties": {"connection_name": connections.pod},
                "max_retries": 1,
                "interval_start": 0.1,
                "interval_step": 0.4,
                "interval_max": 2.0,
            },
            reason="Without confirms a refused publish is lost silently; the retries bound a channel's reconnect.",
        ),
        "broker_connection_timeout": Setting(value=4.0 if worker else 1.5, reason="A web request answers in 5 s."),
        "broker_connection_retry": Setting(value=True, reason="A broker outage ends no worker."),
        "broker_connection_retry_on_startup": Setting(value=True, reason="A worker may start before its broker."),
        "broker_connection_max_retries": Setting(value=None, reason="The probes decide when a worker is beyond help."),
        "broker_channel_error_retry": Setting(
            value=True, reason="A reconnect that meets its own old queues is repeated instead of ending the worker."
        ),
        "broker_heartbeat": Setting(value=30, reason="A dead peer is noticed in a minute instead of four."),
        "broker_pool_limit": Setting(value=pool, reason="One connection for each slot that may publish, ten at most."),
        "broker_pool_acquire_timeout": Setting(
            value=10.0 if worker else 2.0, reason="A publish waits a bounded time for its connection."
        ),
        "broker_native_delayed_delivery_queue_type": Setting(value="quorum", reason="Delayed tasks are tasks too."),
        "control_queue_durable": Setting(
            value=True, reason="RabbitMQ 4.3 refuses transient queues that are not exclusive."
        ),
        "control_queue_exclusive": Setting(
            value=False, reason="A worker that reconnects before its old connection is dropped meets a locked queue."
        ),
        "control_queue_expires": Setting(value=60.0, reason="Long enough for a reconnect, short enough for lost pods."),
    }


def _result_settings(results: ResultsAddress | None) -> dict[str, Setting]:
    if results is None:
        return {"result_backend": Setting(value="disabled", reason="This process stores no results.")}
    return {
        "result_backend": Setting(
            value="app.result_backend:ResultBackend", reason="Celery's Redis backend, without a subscription a task."
        ),
        "redis_host": Setting(value=results.host, reason="From the environment."),
        "redis_port": Setting(value=results.port, reason="From the environment."),
        "redis_password": Setting(value=results.password, reason="From a Secret; shows no text."),
        "redis_backend_use_ssl": Setting(
            value=dict(VERIFIED_TLS) if results.tls else None,
            reason="TLS where the store speaks it; its certificate is verified, since a password is sent.",
        ),
        "redis_socket_connect_timeout": Setting(value=2.0, reason="A store that is away delays a task, briefly."),
        "redis_socket_timeout": Setting(value=5.0, reason="As above; Celery waits two minutes by default."),
        "redis_socket_keepalive": Setting(value=True, reason="Idle connections outlive connection-tracking tables."),
        "redis_backend_health_check_interval": Setting(value=30, reason="A dead pooled connection is replaced."),
        "result_backend_transport_options": Setting(
            value={
                "retry_policy": {"max_retries": 3, "interval_start": 0.2, "interval_step": 0.5, "interval_max": 2.0}
            },
            reason="A result is worth a few tries, not the slot: twenty tries are the default.",
        ),
        "result_expires": Setting(value=RESULT_EXPIRY_SECONDS, reason="A day to fetch a result; then memory is free."),
    }


def _worker_settings(document: WorkerDocument) -> dict[str, Setting]:
    worker = document.worker
    child_kib = worker.max_memory_per_child_bytes
    return {
        "worker_concurrency": Setting(value=worker.concurrency, reason="The Plan's constant, shared with the scaler."),
        "worker_prefetch_multiplier": Setting(
            value=worker.prefetch_multiplier,
            reason="1: unacknowledged means busy, and a lost pod returns no waiting message; more only for tiny tasks.",
        ),
        "task_acks_late": Setting(value=True, reason="A task that a lost pod held goes to another one."),
        "task_reject_on_worker_lost": Setting(
            value=True, reason="A killed child's task goes back; the delivery limit ends a task that kills every child."
        ),
        "task_time_limit": Setting(value=worker.hard_limit_seconds, reason="`limit` of the catalogue."),
        "task_soft_time_limit": Setting(
            value=worker.soft_limit_seconds, reason="Time to tidy up; None where the pool has no soft limits."
        ),
        "worker_cancel_long_running_tasks_on_connection_loss": Setting(
            value=True, reason="The broker delivers them again; two copies must not run side by side."
        ),
        "worker_soft_shutdown_timeout": Setting(
            value=worker.soft_shutdown_seconds, reason="On spot nodes running tasks get this share of the notice."
        ),
        "worker_max_memory_per_child": Setting(
            value=child_kib // 1024 if child_kib else None, reason="A leaking prefork child is replaced in time (KiB)."
        ),
        "worker_max_tasks_per_child": Setting(
            value=worker.max_tasks_per_child, reason="`args.max_tasks_per_child`; None keeps a prefork child for good."
        ),
        "worker_proc_alive_timeout": Setting(
            value=60.0, reason="Four seconds kill children for ever where CPU is thin and imports are heavy."
        ),
        "worker_detect_quorum_queues": Setting(value=True, reason="Prefetch per consumer, as RabbitMQ 4 wants it."),
        "worker_eta_task_limit": Setting(value=100, reason="Bounds tasks that are held in memory until due."),
        "worker_consumer": Setting(
            value="app.worker.consumer:QueueConsumer",
            reason="Celery's consumer, which leaves the delayed-delivery tree alone and writes the probes' files.",
        ),
        "worker_send_task_events": Setting(value=False, reason="See task_send_sent_event."),
        "worker_enable_remote_control": Setting(value=True, reason="Cancelling a task reaches its worker by it."),
    }
