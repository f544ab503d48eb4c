"""What became of each queue's tasks, minute by minute, for two hours: in the results store, where it outlives the pods that counted it.

Workers add to the hash of the minute; the web layer's page reads it, and writes beside it how much waited. Invariant: bounded. A minute has one hash a
queue, its fields are the bounds of the queue's waits (the promise is one, so the share of tasks within it is a division of two counts) and outcomes
of tasks that the application has; whatever else a message calls itself is counted together.
"""

import math
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from app.counting import StoredCounts
from app.waits import WAIT_FIELD, bucket
from app.worker.outcomes import FINISHED, TaskOutcome
from fleet.documents import WorkerDocument
from fleet.metrics import UNREGISTERED, FinishedOutcome

MINUTE_SECONDS = 60
KEPT_SECONDS = 2 * 3600
"""After the last count of a minute."""

STARTED, RUNS, RUN_MICROSECONDS = "started", "runs", "run_us"
ENDED_FIELD = "ended:"
"""Before outcome, colon and task."""
READY_FIELD, PODS_FIELD = "ready:", "pods:"
"""Before the name of a broker queue."""


@dataclass(frozen=True, kw_only=True)
class Minute:
    """One queue in one minute."""

    number: int
    """Minutes since the epoch."""
    started: int = 0
    waits: Mapping[float, int] = field(default_factory=dict)
    """Upper bound in seconds, infinity included -> tasks that started within it and no lower one."""
    runs: int = 0
    run_seconds: float = 0.0
    """Of all `runs` together."""
    ended: Mapping[tuple[str, FinishedOutcome], int] = field(default_factory=dict)
    """(task, outcome) -> deliveries."""
    ready: Mapping[str, int] = field(default_factory=dict)
    """Broker queue -> messages that waited when it was last asked."""
    pods: Mapping[str, int] = field(default_factory=dict)
    """Broker queue -> workers that consumed it then."""


def minute_of(seconds: float) -> int:
    """The minute of a time since the epoch."""
    return int(seconds // MINUTE_SECONDS)


def minute_key(fleet: str, queue: str, minute: int) -> str:
    """Key of the hash with a logical queue's counts of one minute."""
    return f"fleet:{fleet}:queue:{queue}:minute:{minute}"


def read_minute(minute: int, fields: Mapping[str, str]) -> Minute:
    """What the hash of a minute says."""
    waits, ready, pods = (
        {name.removeprefix(prefix): int(value) for name, value in fields.items() if name.startswith(prefix)}
        for prefix in (WAIT_FIELD, READY_FIELD, PODS_FIELD)
    )
    return Minute(
        number=minute,
        started=int(fields.get(STARTED, 0)),
        waits={float(bound): count for bound, count in sorted(waits.items(), key=lambda item: float(item[0]))},
        runs=int(fields.get(RUNS, 0)),
        run_seconds=int(fields.get(RUN_MICROSECONDS, 0)) / 1e6,
        ended={_task_and_outcome(name): int(value) for name, value in fields.items() if name.startswith(ENDED_FIELD)},
        ready=ready,
        pods=pods,
    )


def _task_and_outcome(name: str) -> tuple[str, FinishedOutcome]:
    _, outcome, task = name.split(":", maxsplit=2)
    return task, FinishedOutcome(outcome)


class MinuteCounters:
    """Counts the deliveries of one worker into the minutes of its queue; an observer (`app.worker.requests`)."""

    def __init__(self, counts: StoredCounts, document: WorkerDocument, tasks: Iterable[str]) -> None:
        """`tasks` are the names that the application has."""
        self._counts = counts
        self._fleet = document.producer.fleet
        self._queue = document.queue
        self._bounds = document.metrics.wait_bounds_seconds
        self._tasks = frozenset(tasks)

    def redelivered(self, task: str) -> None:
        """What was cut short before is among the lost."""

    def started(self, task: str, wait_seconds: float | None) -> None:
        """A slot took up a task; None when its publisher did not say when it was due."""
        waits = [] if wait_seconds is None else [(WAIT_FIELD + bucket(wait_seconds, self._bounds), 1)]
        self._add((STARTED, 1), *waits)

    def ended(self, task: str, outcome: TaskOutcome, run_seconds: float | None) -> None:
        """A delivery came to its end."""
        known = task if task in self._tasks else UNREGISTERED
        runs = [] if run_seconds is None else [(RUNS, 1), (RUN_MICROSECONDS, math.ceil(run_seconds * 1e6))]
        self._add((f"{ENDED_FIELD}{FINISHED[outcome]}:{known}", 1), *runs)

    def _add(self, *counts: tuple[str, int]) -> None:
        key = minute_key(self._fleet, self._queue, minute_of(time.time()))
        self._counts.add(key, counts, expire_seconds=KEPT_SECONDS)
