"""What the workers tell of themselves, without a Prometheus between: one look since their start, or two and what happened between.

Needs prometheus-client (the extra `measure`), whose parser reads the texts. Source: Prometheus docs, "Exposition formats".
"""

import math
from collections.abc import Iterable, Iterator
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from fleet.errors import FleetError, UsageError
from fleet.measure.asking import ask
from fleet.measure.histograms import Histogram, from_buckets
from fleet.measure.observation import Arrivals, Observation
from fleet.measure.prometheus import ARRIVED, STARTUP_SHARE
from fleet.series import TASK_RUN, TASK_WAIT, TASKS_FINISHED, WORKER_MEMORY, WORKER_STARTUP

COUNTED = ("_total", "_bucket", "_sum", "_count")
"""Endings of what only ever rises, until its worker starts anew."""

Labels = frozenset[tuple[str, str]]

Samples = dict[tuple[str, Labels], float]
"""Name and labels of each series of one worker -> its value."""


def read_worker(address: str) -> Samples:
    """What a worker shows; `/metrics` is added to an address without a path.

    Raises: FleetError when it does not answer, or with something else.
    """
    url = address if address.count("/") > 2 else f"{address}/metrics"
    try:
        text = ask(url, accept="text/plain").decode("utf-8")
    except UnicodeDecodeError:
        text = ""
    return parse(text, url)


def read_file(path: Path) -> Samples:
    """What was kept of a worker's answer.

    Raises: UsageError when the file cannot be read; FleetError when it holds something else.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise UsageError(str(path), f"cannot be read: {reason}", "Keep there what a worker's /metrics says.") from None
    return parse(text, str(path))


def parse(text: str, where: str) -> Samples:
    """The series of a text; `where` is what a refusal calls it.

    Raises: FleetError when it is no text of Prometheus, or of no worker.
    """
    try:
        samples = {
            (sample.name, frozenset(sample.labels.items())): float(sample.value)
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }
    except (ValueError, LookupError, TypeError):
        raise FleetError(where, "is no text that Prometheus reads", "Name a worker's /metrics.") from None
    if not any(name.startswith(TASK_RUN) for name, _ in samples):
        fix = "Name the port `metrics` (9464) of worker pods: kubectl port-forward deployment/worker-<queue> 9464"
        raise FleetError(where, "has none of a worker's series", fix)
    return samples


def between(first: Samples, second: Samples) -> Samples:
    """What happened from one look at a worker to the next; of one that started anew between them, all since."""
    restarted = any(
        value < first.get(key, 0.0) for key, value in second.items() if key[0].endswith(COUNTED)
    )  # fmt: skip
    if restarted:
        return second
    return {
        key: value - first.get(key, 0.0) if key[0].endswith(COUNTED) else value for key, value in second.items()
    }  # fmt: skip


def observe(
    workers: Iterable[Samples], *, ended_at: float = 0.0, seconds: float | None = None
) -> dict[str, Observation]:
    """Queue -> what its workers tell together; `seconds` is the time between two looks, None where there was one."""
    all_workers = list(workers)
    queues = {
        dict(labels)["queue"]
        for samples in all_workers
        for name, labels in samples
        if name.startswith("fleet_") and "queue" in dict(labels)
    }
    return {queue: _observation(queue, all_workers, ended_at, seconds) for queue in sorted(queues)}


def _observation(queue: str, workers: list[Samples], ended_at: float, seconds: float | None) -> Observation:
    starts = sorted(value for value in _values(workers, WORKER_STARTUP, queue) if value > 0)
    arrived = math.fsum(
        value for outcome in ARRIVED for value in _values(workers, TASKS_FINISHED, queue, outcome=outcome)
    )
    return Observation(
        runs=_histogram(workers, TASK_RUN, queue),
        waits=_histogram(workers, TASK_WAIT, queue),
        peak_resident_bytes=max(_values(workers, WORKER_MEMORY, queue), default=None),
        startup_seconds=starts[math.ceil(STARTUP_SHARE * len(starts)) - 1] if starts else None,
        pods=len(starts),
        arrivals=() if seconds is None else (Arrivals(ended_at=ended_at, seconds=seconds, tasks=arrived),),
    )  # fmt: skip


def _values(workers: list[Samples], metric: str, queue: str, **labels: str) -> Iterator[float]:
    wanted = {"queue": queue, **labels}.items()
    for samples in workers:
        for (name, found), value in samples.items():
            if name == metric and wanted <= dict(found).items():
                yield value


def _histogram(workers: list[Samples], metric: str, queue: str) -> Histogram | None:
    counted: dict[float, float] = {}
    having: dict[float, float] = {}
    for samples in workers:
        for (name, found), value in samples.items():
            labels = dict(found)
            if name == f"{metric}_bucket" and labels.get("queue") == queue:
                bound = float(labels["le"])
                counted[bound] = counted.get(bound, 0.0) + value
                having[bound] = having.get(bound, 0.0) + 1
    return from_buckets(counted, having, math.fsum(_values(workers, f"{metric}_sum", queue)))
