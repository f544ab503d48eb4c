"""What a Prometheus has seen of a fleet, in a dozen queries whatever the number of queues.

Source: Prometheus docs, "HTTP API" (instant queries, range queries, the format of answers and errors).
"""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

import msgspec

from fleet.errors import FleetError
from fleet.measure.asking import ask, token
from fleet.measure.histograms import Histogram, from_buckets
from fleet.measure.observation import Arrivals, Look, Observation
from fleet.metrics import FinishedOutcome
from fleet.plan import Plan
from fleet.series import (
    QUEUE_MESSAGES,
    TASK_RUN,
    TASK_WAIT,
    TASKS_FINISHED,
    WORKER_MEMORY,
    WORKER_STARTUP,
    series,
)
from fleet.units import format_duration

STEP_SECONDS = 300
"""Arrivals are counted over stretches of this length."""

STEPS_AT_LEAST = 10
STEP_SECONDS_LEAST = 60
"""In a window too short for ten stretches they are shorter, down to four readings at Prometheus' usual 15 s."""

STARTUP_SHARE = 0.95

ARRIVED = tuple(outcome.value for outcome in FinishedOutcome if outcome is not FinishedOutcome.LOST)
"""Outcomes of deliveries that arrived once: what was lost comes back and ends again."""

Answer = dict[str, Any]


class Prometheus:
    """One server, asked about one fleet."""

    def __init__(self, address: str, fleet: str) -> None:
        self.address = address
        self._fleet = fleet
        self._token = token()

    def query(self, expression: str, at: float) -> list[tuple[Mapping[str, str], float]]:
        """Labels and value of each series of an answer."""
        found = self._ask("query", {"query": expression, "time": f"{at:.3f}"}, "vector")
        return [(item["metric"], float(item["value"][1])) for item in found]

    def query_range(
        self, expression: str, *, start: float, end: float, step: float
    ) -> list[tuple[Mapping[str, str], dict[float, float]]]:
        """Labels and moment -> value of each series of an answer."""
        words = {"query": expression, "start": f"{start:.3f}", "end": f"{end:.3f}", "step": f"{step:g}"}
        found = self._ask("query_range", words, "matrix")
        return [(item["metric"], {float(moment): float(value) for moment, value in item["values"]}) for item in found]

    def series(self, metric: str, **labels: str | tuple[str, ...]) -> str:
        """A selector of the fleet's series of a metric."""
        return series(metric, self._fleet, **labels)

    def _ask(self, path: str, words: Mapping[str, str], kind: str) -> list[Any]:
        where = f"{self.address}/api/v1/{path}"
        body = ask(f"{where}?{urlencode(words)}", token=self._token)
        with _understood(where):
            answer = msgspec.json.decode(body)
            if answer["status"] != "success":
                problem = f"cannot answer {words['query']}: {answer['error']}"
                raise FleetError(where, problem, "Ask for a shorter --window, or see what ails Prometheus.")
            if answer["data"]["resultType"] != kind:
                raise TypeError(kind)
            return list(answer["data"]["result"])


def look_at_prometheus(address: str, plan: Plan, *, window_seconds: float, now: float) -> Look:
    """Every queue of a plan over the last `window_seconds`.

    Raises: FleetError when Prometheus cannot be asked, or has never heard of the fleet.
    """
    prometheus = Prometheus(address, plan.fleet)
    window = format_duration(window_seconds)
    with _understood(address):
        look = _look(prometheus, plan, window, window_seconds, now)
    if not look.queues:
        raise FleetError(
            address,
            f"has no series of the fleet {plan.fleet} in the last {window}",
            "See whether it reads the workers (docs/how-to/monitoring.md); --name says which fleet, --window how far back.",
        )
    return look


def _look(prometheus: Prometheus, plan: Plan, window: str, seconds: float, now: float) -> Look:
    runs = _histograms(prometheus, TASK_RUN, window, now)
    waits = _histograms(prometheus, TASK_WAIT, window, now)
    memory = _by_queue(
        prometheus.query(f"max by (queue) (max_over_time({prometheus.series(WORKER_MEMORY)}[{window}]))", now)
    )
    starts = f"(max_over_time({prometheus.series(WORKER_STARTUP)}[{window}]) > 0)"
    startup = _by_queue(prometheus.query(f"quantile by (queue) ({STARTUP_SHARE}, {starts})", now))
    pods = _by_queue(prometheus.query(f"count by (queue) ({starts})", now))
    arrivals = _arrivals(prometheus, plan, seconds, now)
    seen = {*runs, *waits, *memory, *startup}
    return Look(
        source=f"{prometheus.address}, the last {window}",
        seconds=seconds,
        queues={
            queue.name: Observation(
                runs=runs.get(queue.name),
                waits=waits.get(queue.name),
                peak_resident_bytes=memory.get(queue.name),
                startup_seconds=startup.get(queue.name),
                pods=round(pods.get(queue.name, 0)),
                arrivals=arrivals.get(queue.name, ()),
            )
            for queue in plan.queues
            if queue.name in seen
        },
    )


def wait_histograms(prometheus: Prometheus, seconds: float, now: float) -> dict[str, Histogram]:
    """Queue -> the waits of the last `seconds`.

    Raises: FleetError when Prometheus cannot be asked.
    """
    with _understood(prometheus.address):
        return _histograms(prometheus, TASK_WAIT, format_duration(round(seconds)), now)


@contextmanager
def _understood(address: str) -> Iterator[None]:
    """Raises: FleetError where an answer has the form of Prometheus' and no sense."""
    try:
        yield
    except (LookupError, TypeError, ValueError):
        raise FleetError(
            address, "answers, but not as a Prometheus does", "Name the address of its HTTP API, without /api/v1."
        ) from None


def _histograms(prometheus: Prometheus, metric: str, window: str, now: float) -> dict[str, Histogram]:
    """Queue -> all its tasks in one histogram."""
    buckets = f"{prometheus.series(f'{metric}_bucket')}[{window}]"
    counted = _by_bound(prometheus.query(f"sum by (queue, le) (increase({buckets}))", now))
    having = _by_bound(prometheus.query(f"count by (queue, le) (increase({buckets}))", now))
    totals = _by_queue(
        prometheus.query(f"sum by (queue) (increase({prometheus.series(f'{metric}_sum')}[{window}]))", now)
    )
    made = {queue: from_buckets(counted[queue], having.get(queue, {}), totals.get(queue, 0.0)) for queue in counted}
    return {queue: histogram for queue, histogram in made.items() if histogram is not None}


def step_seconds(window_seconds: float) -> float:
    """Length of the stretches in which arrivals are counted."""
    return float(min(STEP_SECONDS, max(STEP_SECONDS_LEAST, window_seconds // STEPS_AT_LEAST)))


def _arrivals(prometheus: Prometheus, plan: Plan, seconds: float, now: float) -> dict[str, tuple[Arrivals, ...]]:
    """Queue -> what arrived in each stretch: what came to an end in it, and what the broker holds more than at its beginning."""
    step = step_seconds(seconds)
    ended = prometheus.series(TASKS_FINISHED, outcome=ARRIVED)
    finished = prometheus.query_range(
        f"sum by (queue) (increase({ended}[{format_duration(step)}]))", start=now - seconds + step, end=now, step=step
    )
    shards = {shard: queue.name for queue in plan.queues for shard in queue.topology.shards}
    held = prometheus.query_range(
        f"max by (queue) ({prometheus.series(QUEUE_MESSAGES, queue=tuple(shards))})",
        start=now - seconds, end=now, step=step,
    )  # fmt: skip
    backlog: dict[str, dict[float, float]] = {}
    for labels, values in held:
        if (name := shards.get(labels.get("queue", ""))) is not None:
            of_queue = backlog.setdefault(name, {})
            for moment, value in values.items():
                of_queue[moment] = of_queue.get(moment, 0.0) + value
    return {
        labels["queue"]: tuple(
            Arrivals(ended_at=moment, seconds=step, tasks=max(0.0, value + _growth(backlog, labels["queue"], moment, step)))
            for moment, value in sorted(values.items())
        )
        for labels, values in finished
        if "queue" in labels
    }  # fmt: skip


def _growth(backlog: Mapping[str, Mapping[float, float]], queue: str, moment: float, step: float) -> float:
    """By how much the broker's messages grew in a stretch; nothing where it was not read at both ends."""
    held = backlog.get(queue, {})
    # Moments travel as milliseconds.
    before = next((value for at, value in held.items() if abs(at - (moment - step)) < 0.01), None)
    after = held.get(moment)
    return 0.0 if before is None or after is None else after - before


def _by_queue(found: list[tuple[Mapping[str, str], float]]) -> dict[str, float]:
    return {labels["queue"]: value for labels, value in found if "queue" in labels and math.isfinite(value)}


def _by_bound(found: list[tuple[Mapping[str, str], float]]) -> dict[str, dict[float, float]]:
    made: dict[str, dict[float, float]] = {}
    for labels, value in found:
        if "queue" in labels and "le" in labels and math.isfinite(value):
            made.setdefault(labels["queue"], {})[float(labels["le"])] = value
    return made
