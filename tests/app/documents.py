"""Documents and environments of a small fleet, as its pods would be given them."""

from fleet.documents import Priority, ProducerDocument, Route, WatchedQueue, WebDocument, WorkerDocument
from fleet.metrics import MetricsPlan
from fleet.sizing import Optimization, Pool, Shutdown, WorkerPlan

ENVIRONMENT = {
    "FLEET_BROKER_HOST": "127.0.0.1",
    "FLEET_BROKER_PORT": "1",
    "FLEET_BROKER_USERNAME": "producer",
    "FLEET_BROKER_PASSWORD": "broker-secret",
    "FLEET_RESULTS_HOST": "127.0.0.1",
    "FLEET_RESULTS_PORT": "1",
    "FLEET_RESULTS_PASSWORD": "results-secret",
    "FLEET_POD_NAME": "pod-1",
}

PRODUCER = ProducerDocument(
    fleet="shop",
    application="app.celery_app:celery_app",
    vhost="shop",
    exchange="tasks",
    unrouted="unrouted",
    queues=("high", "default", "reports"),
    routes=(
        Route(pattern="app.tasks.orders.*", queue="high"),
        Route(pattern="shop.orders.*", queue="high"),
        Route(pattern="app.tasks.mail.*", queue="default"),
        Route(pattern="app.tasks.reports.*", queue="reports"),
    ),
    priorities=(
        Priority(queue="high", pattern="shop.orders.cancel", priority=9),
        Priority(queue="high", pattern="shop.orders.bulk.*", priority=0),
        Priority(queue="reports", pattern="*.bulk.*", priority=1),
    ),
)

HIGH = WatchedQueue(
    name="high",
    tasks=("app.tasks.orders.*", "shop.orders.*"),
    shards=("high",),
    dead_letter_queue="high-dead",
    promise_seconds=1.0,
    percentile=95,
    mean_seconds=0.08,
    peak_per_second=120.0,
    pods_min=1,
    pods_max=4,
    concurrency=8,
    reaction_seconds=18.0,
)

DEFAULT = WatchedQueue(
    name="default",
    tasks=("app.tasks.mail.*",),
    shards=("default-0", "default-1"),
    dead_letter_queue="default-dead",
    promise_seconds=30.0,
    percentile=95,
    mean_seconds=0.3,
    peak_per_second=20.0,
    pods_min=2,
    pods_max=6,
    concurrency=4,
    reaction_seconds=18.0,
)

REPORTS = WatchedQueue(
    name="reports",
    tasks=("app.tasks.reports.*",),
    shards=("reports",),
    dead_letter_queue="reports-dead",
    promise_seconds=600.0,
    percentile=90,
    mean_seconds=40.0,
    peak_per_second=0.2,
    pods_min=0,
    pods_max=10,
    concurrency=1,
    reaction_seconds=18.0,
)

WEB = WebDocument(producer=PRODUCER, environment="prod", queues=(HIGH, DEFAULT, REPORTS), pods_max=5)

GEVENT = WorkerPlan(
    pool=Pool.GEVENT,
    concurrency=8,
    hard_limit_seconds=5.0,
    soft_limit_seconds=None,
    shutdown=Shutdown.WARM,
    soft_shutdown_seconds=0,
    grace_seconds=65,
    max_memory_per_child_bytes=None,
)

SPOT_PREFORK = WorkerPlan(
    pool=Pool.PREFORK,
    concurrency=1,
    hard_limit_seconds=30.0,
    soft_limit_seconds=25.0,
    shutdown=Shutdown.SOFT,
    soft_shutdown_seconds=100,
    grace_seconds=120,
    max_memory_per_child_bytes=400 * 2**20,
    prefetch_multiplier=4,
    max_tasks_per_child=50,
    optimization=Optimization.FAST,
)


METRICS = MetricsPlan(wait_bounds_seconds=(0.5, 1.0, 2.0), run_bounds_seconds=(0.1, 0.4, 5.0))


def worker_document(queue: str = "high", shard: str | None = None, worker: WorkerPlan = GEVENT) -> WorkerDocument:
    return WorkerDocument(producer=PRODUCER, queue=queue, shard=shard or queue, worker=worker, metrics=METRICS)
