"""What of the Plan reaches each pod, as JSON in a ConfigMap.

A worker gets its own queue and what every publisher needs (routes and priorities), nothing of the other queues' numbers: a number changed on one
queue rolls that queue's pods alone, and the web layer's where its page shows the number.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

import msgspec

from fleet.errors import FleetError
from fleet.metrics import MetricsPlan, derive_metrics
from fleet.plan import Plan, QueuePlan
from fleet.records import Record
from fleet.sizing import WorkerPlan


class Route(Record, frozen=True, kw_only=True):
    """Tasks whose name matches the pattern go to the queue."""

    pattern: str
    queue: str


class Priority(Record, frozen=True, kw_only=True):
    """Tasks of the queue whose name matches the pattern are published with the priority."""

    queue: str
    pattern: str
    priority: int
    """0 to 31, higher first."""


class ProducerDocument(Record, frozen=True, kw_only=True):
    """What is needed to publish: the web layer's part, contained in every other document."""

    fleet: str
    application: str
    vhost: str
    exchange: str
    unrouted: str
    queues: tuple[str, ...]
    """Logical queues, in the catalogue's order; each is a routing key of the exchange."""
    routes: tuple[Route, ...]
    priorities: tuple[Priority, ...]
    """What is not of the default priority."""


class WorkerDocument(Record, frozen=True, kw_only=True):
    """What one worker Deployment needs: a producer's part (tasks may enqueue tasks), its broker queue and its settings."""

    producer: ProducerDocument
    queue: str
    """Logical queue, as in the catalogue."""
    shard: str
    """Broker queue that this Deployment consumes."""
    worker: WorkerPlan
    metrics: MetricsPlan
    failed_queue: str | None = None
    """Broker queue that gets the tasks that failed for good; None where the catalogue keeps none."""


class WatchedQueue(Record, frozen=True, kw_only=True):
    """What the page of the fleet says of one queue: what is promised for it, and what the plan gave it to keep that."""

    name: str
    tasks: tuple[str, ...]
    """Task names or patterns."""
    shards: tuple[str, ...]
    """Broker queues whose messages wait for its workers."""
    dead_letter_queue: str
    promise_seconds: float
    percentile: float
    """Share of tasks, in percent, that the promise is for."""
    mean_seconds: float
    """Declared mean runtime."""
    peak_per_second: float
    """Declared peak of arrivals, after the environment's load factor."""
    pods_min: int
    """Of all shards together, as the next."""
    pods_max: int
    concurrency: int
    """Slots of a pod."""
    reaction_seconds: float
    """From a message to the pod that it asked for, typically."""


class WebDocument(Record, frozen=True, kw_only=True):
    """What the web layer needs: a producer's part, and what its page shows beside what happens."""

    producer: ProducerDocument
    environment: str
    queues: tuple[WatchedQueue, ...]
    """In the catalogue's order."""
    pods_max: int
    """Of the web layer itself: pods that look without hearing of each other share what the broker is asked."""


class DelayedBinding(Record, frozen=True, kw_only=True):
    """Where delayed messages of one logical queue come out."""

    queue: str
    """Logical queue; delayed messages carry it as the last word of their routing key."""
    destination: str
    destination_type: str
    """`exchange`: the task exchange for a plain queue, its consistent-hash exchange for a sharded one."""


class DelayedDeliveryDocument(Record, frozen=True, kw_only=True):
    """What the Job that declares Celery's delayed-delivery tree needs."""

    fleet: str
    vhost: str
    exchange: str
    delayed_exchange: str
    bindings: tuple[DelayedBinding, ...]


class ScaleInDocument(Record, frozen=True, kw_only=True):
    """What the scale-in controller needs."""

    fleet: str
    """Also its namespace."""
    queues: tuple[str, ...]
    """Logical queues whose pods it looks after."""


def producer_document(plan: Plan) -> ProducerDocument:
    """The part of the Plan that every publisher needs."""
    return ProducerDocument(
        fleet=plan.fleet,
        application=plan.application,
        vhost=plan.topology.vhost,
        exchange=plan.topology.exchange,
        unrouted=plan.topology.unrouted,
        queues=tuple(queue.name for queue in plan.queues),
        routes=tuple(Route(pattern=pattern, queue=queue.name) for queue in plan.queues for pattern in queue.tasks),
        priorities=tuple(
            Priority(queue=queue.name, pattern=pattern, priority=priority)
            for queue in plan.queues
            for pattern, priority in queue.priorities.items()
        ),
    )


def web_document(plan: Plan) -> WebDocument:
    """The part of the Plan that the web layer needs."""
    return WebDocument(
        producer=producer_document(plan),
        environment=plan.environment,
        queues=tuple(_watched(queue) for queue in plan.queues),
        pods_max=plan.web.replicas_max,
    )


def _watched(queue: QueuePlan) -> WatchedQueue:
    shards, scaling = queue.topology.shards, queue.autoscaling
    return WatchedQueue(
        name=queue.name,
        tasks=queue.tasks,
        shards=shards,
        dead_letter_queue=queue.topology.dead_letter_queue,
        promise_seconds=queue.promise.wait_seconds,
        percentile=queue.promise.percentile,
        mean_seconds=queue.promise.mean_seconds,
        peak_per_second=queue.promise.peak_per_second,
        pods_min=scaling.min_replicas * len(shards),
        pods_max=scaling.max_replicas * len(shards),
        concurrency=queue.worker.concurrency,
        reaction_seconds=scaling.reaction_seconds,
    )


def worker_document(plan: Plan, queue: QueuePlan, shard: str) -> WorkerDocument:
    """The part of the Plan that the workers of one broker queue need."""
    return WorkerDocument(
        producer=producer_document(plan),
        queue=queue.name,
        shard=shard,
        worker=queue.worker,
        metrics=derive_metrics(
            promise_seconds=queue.promise.wait_seconds,
            mean_seconds=queue.promise.mean_seconds,
            p99_seconds=queue.promise.p99_seconds,
            limit_seconds=queue.promise.limit_seconds,
        ),
        failed_queue=queue.topology.dead_letter_queue if queue.topology.keeps_failed else None,
    )


def delayed_delivery_document(plan: Plan) -> DelayedDeliveryDocument:
    """The delayed-delivery tree and where each queue's delayed messages leave it.

    A sharded queue's messages go straight to its consistent-hash exchange (routing key `#.<queue>` on the delayed exchange).
    """
    return DelayedDeliveryDocument(
        fleet=plan.fleet,
        vhost=plan.topology.vhost,
        exchange=plan.topology.exchange,
        delayed_exchange=plan.topology.delayed_exchange,
        bindings=tuple(
            DelayedBinding(
                queue=queue.name,
                destination=queue.name if queue.topology.sharded else plan.topology.exchange,
                destination_type="exchange",
            )
            for queue in plan.queues
        ),
    )


def scale_in_document(plan: Plan) -> ScaleInDocument:
    """Whose pods the scale-in controller looks after."""
    return ScaleInDocument(fleet=plan.fleet, queues=plan.scale_in.queues)


def dump_document(document: Record) -> str:
    """JSON with sorted keys: the same document is the same text, so nothing rolls without a reason."""
    return msgspec.json.encode(document, order="sorted").decode()


def document_path(environ: Mapping[str, str]) -> Path:
    """Where a pod's document is: where its ConfigMap is mounted, unless `FLEET_DOCUMENT` names another place."""
    return Path(environ.get("FLEET_DOCUMENT", "/etc/fleet/document.json"))


DocumentT = TypeVar("DocumentT", bound=Record)


def load_document(path: Path, kind: type[DocumentT]) -> DocumentT:
    """Reads a document that `dump_document` wrote.

    Raises: FleetError when the file is missing or is no such document (for example of another version of the project).
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except OSError as error:
        raise FleetError(str(path), f"cannot be read: {error.strerror}", "Mount the queue's ConfigMap there.") from None
    except msgspec.DecodeError as error:
        raise FleetError(
            str(path), f"is no {kind.__name__}: {error}", "Deploy image and plan of one version together."
        ) from None
