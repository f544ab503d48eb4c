"""What Prometheus reads from a worker.

Invariant: the number of series is bounded by the tasks that the application has: whatever name a message carries, only those are labels. Counted is in
the main process (`app.worker.requests`), so there is one registry whatever the pool, and no file that children share.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from celery.worker import state
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

from app.routing import matching_queue
from app.worker.outcomes import FINISHED, TaskOutcome
from app.worker.process import peak_of_children_bytes, peak_of_self_bytes
from fleet.documents import WorkerDocument
from fleet.metrics import UNREGISTERED, FinishedOutcome
from fleet.series import (
    TASK_REDELIVERIES,
    TASK_RETRIES,
    TASK_RUN,
    TASK_WAIT,
    TASKS_FINISHED,
    WORKER_BUSY_SLOTS,
    WORKER_MEMORY,
    WORKER_SLOTS,
    WORKER_STARTUP,
)
from fleet.sizing import Pool

OF_QUEUE = ("queue",)
OF_TASK = ("queue", "task")


@dataclass(frozen=True, kw_only=True)
class _TaskSeries:
    """The series of one task, looked up once."""

    wait: Histogram
    run: Histogram
    finished: dict[FinishedOutcome, Counter]
    retries: Counter
    redeliveries: Counter


class WorkerMetrics:
    """The series of one worker; an observer of its deliveries."""

    def __init__(self, document: WorkerDocument, tasks: Iterable[str]) -> None:
        """`tasks` are the names that the application has; those that the catalogue sends here are shown from the start, as zero."""
        # A time of creation for every counter and histogram: as many series again, which nobody asks for.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        self._document = document
        self._tasks = frozenset(tasks)
        self._add_histograms()
        self._add_counters()
        self._busy = self._gauge(WORKER_BUSY_SLOTS, "Slots that run a task.")
        self._slots = self._gauge(WORKER_SLOTS, "Slots of the pool.")
        self._peak = self._gauge(WORKER_MEMORY, "Resident memory, at its highest, of the task process that took most.")
        self._startup = self._gauge(WORKER_STARTUP, "From the pod's place on a node to the first task it could run.")
        self._slots.set(document.worker.concurrency)
        self._busy.set_function(self.busy_slots)
        self._series: dict[str, _TaskSeries] = {}
        for name in self._tasks:
            if matching_queue(document.producer.routes, name) == document.queue:
                self._series_of(name)

    def _add_histograms(self) -> None:
        bounds = self._document.metrics
        self._wait = Histogram(
            TASK_WAIT, "From when a task was due to when a slot took it up.", OF_TASK,
            buckets=bounds.wait_bounds_seconds, registry=self.registry,
        )  # fmt: skip
        self._run = Histogram(
            TASK_RUN, "For how long a task held its slot.", OF_TASK,
            buckets=bounds.run_bounds_seconds, registry=self.registry,
        )  # fmt: skip

    def _add_counters(self) -> None:
        self._finished = self._counter(TASKS_FINISHED, "Deliveries that came to an end, by outcome.", "outcome")
        self._retries = self._counter(TASK_RETRIES, "Tasks that raised and are tried again.")
        self._redeliveries = self._counter(TASK_REDELIVERIES, "Messages that a worker had before.")

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(name, text, (*OF_TASK, *labels), registry=self.registry)

    def _gauge(self, name: str, text: str) -> Gauge:
        return Gauge(name, text, OF_QUEUE, registry=self.registry).labels(self._document.queue)

    def watch(self, worker: Any) -> None:
        """Show the memory of Celery's worker object, once it is made."""

        def of_children() -> float:
            return peak_of_children_bytes(worker.pool.info["processes"] if worker.pool and worker.pool.active else ())

        prefork = self._document.worker.pool is Pool.PREFORK
        self._peak.set_function(of_children if prefork else peak_of_self_bytes)

    def started_up(self, began_at: float) -> None:
        """The first task is possible."""
        self._startup.set(max(0.0, time.time() - began_at))

    def busy_slots(self) -> int:
        """Slots that run a task now."""
        return len(state.active_requests)

    def redelivered(self, task: str) -> None:
        """A message arrived that a worker had before."""
        if series := self._series_of(task):
            series.redeliveries.inc()

    def started(self, task: str, wait_seconds: float | None) -> None:
        """A slot took up a task."""
        if wait_seconds is not None and (series := self._series_of(task)):
            series.wait.observe(wait_seconds)

    def ended(self, task: str, outcome: TaskOutcome, run_seconds: float | None) -> None:
        """A delivery came to its end."""
        series = self._series_of(task)
        if series is None:
            self._finished.labels(self._document.queue, UNREGISTERED, FINISHED[outcome]).inc()
            return
        series.finished[FINISHED[outcome]].inc()
        if run_seconds is not None:
            series.run.observe(run_seconds)
        if outcome is TaskOutcome.RETRIED:
            series.retries.inc()

    def _series_of(self, task: str) -> _TaskSeries | None:
        """None for a name that the application has no task of."""
        found = self._series.get(task)
        if found is None and task in self._tasks:
            labels = (self._document.queue, task)
            found = self._series[task] = _TaskSeries(
                wait=self._wait.labels(*labels),
                run=self._run.labels(*labels),
                finished={outcome: self._finished.labels(*labels, outcome) for outcome in FinishedOutcome},
                retries=self._retries.labels(*labels),
                redeliveries=self._redeliveries.labels(*labels),
            )
        return found
