"""Workers are read as they are: since their start, or between two looks."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from fleet.errors import FleetError, UsageError
from fleet.measure.asking import TOKEN_VARIABLE
from fleet.measure.scrapes import between, observe, parse, read_file, read_worker
from tests.fleet.measure.servers import serving


class Worker:
    """What the worker of one queue shows."""

    def __init__(self, queue: str = "mail", bounds: tuple[float, ...] = (0.1, 1.0)) -> None:
        self._registry = CollectorRegistry()
        labels = ("queue", "task")
        run = Histogram("fleet_task_run_seconds", "-", labels, buckets=bounds, registry=self._registry)
        wait = Histogram("fleet_task_wait_seconds", "-", labels, buckets=(30.0,), registry=self._registry)
        self._finished = Counter("fleet_tasks_finished", "-", (*labels, "outcome"), registry=self._registry)
        self._queue, self._run, self._wait = queue, run.labels(queue, "shop.send"), wait.labels(queue, "shop.send")
        memory = Gauge("fleet_worker_peak_resident_bytes", "-", ("queue",), registry=self._registry)
        startup = Gauge("fleet_worker_startup_seconds", "-", ("queue",), registry=self._registry)
        self.memory, self.startup = memory.labels(queue), startup.labels(queue)

    def did(self, run_seconds: float, wait_seconds: float = 1.0, outcome: str = "succeeded") -> None:
        self._run.observe(run_seconds)
        self._wait.observe(wait_seconds)
        self._finished.labels(self._queue, "shop.send", outcome).inc()

    def text(self) -> str:
        return generate_latest(self._registry).decode()


def test_workers_of_a_queue_are_added_up() -> None:
    """Counts are summed, of memory the highest counts, of starts the 95th percentile; a worker that has not begun has no start."""
    first, second, third = Worker(), Worker(), Worker()
    for seconds in (0.05, 0.5):
        first.did(seconds)
    second.did(2.0, wait_seconds=60)
    first.memory.set(100)
    second.memory.set(300)
    first.startup.set(4)
    second.startup.set(6)
    seen = observe(parse(worker.text(), "a worker") for worker in (first, second, third))["mail"]
    assert seen.runs is not None
    assert seen.waits is not None
    assert seen.runs.bounds_seconds == (0.1, 1.0)
    assert list(seen.runs.counts) == [1, 1, 1]
    assert seen.runs.mean_seconds == pytest.approx(0.85)
    assert seen.waits.share_within(30.0) == pytest.approx(2 / 3)
    assert (seen.peak_resident_bytes, seen.startup_seconds, seen.pods) == (300, 6, 2)
    assert seen.arrivals == ()


def test_workers_of_two_catalogues_share_the_bounds_that_both_have() -> None:
    """While a change rolls out."""
    first, second = Worker(bounds=(0.1, 1.0)), Worker(bounds=(0.2, 1.0))
    first.did(0.05)
    second.did(2.0)
    seen = observe(parse(worker.text(), "a worker") for worker in (first, second))["mail"]
    assert seen.runs is not None
    assert (seen.runs.bounds_seconds, seen.runs.counts) == ((1.0,), (1, 1))


def test_two_looks_tell_what_happened_between_them() -> None:
    """Four tasks in a minute arrived; what was lost comes again and is not counted twice."""
    worker = Worker()
    worker.did(0.05)
    before = parse(worker.text(), "a worker")
    for _ in range(4):
        worker.did(0.5)
    worker.did(0.5, outcome="lost")
    seen = observe([between(before, parse(worker.text(), "a worker"))], ended_at=100.0, seconds=60.0)["mail"]
    assert seen.runs is not None
    assert list(seen.runs.counts) == [0, 5, 0]
    assert [(one.ended_at, one.seconds, one.tasks) for one in seen.arrivals] == [(100.0, 60.0, 4)]


def test_a_worker_that_began_anew_tells_all_since() -> None:
    old, new = Worker(), Worker()
    for _ in range(9):
        old.did(0.05)
    new.did(0.5)
    after = parse(new.text(), "a worker")
    assert between(parse(old.text(), "a worker"), after) == after


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param("<html>\n", id="a-page"),
        pytest.param('fleet_task_run_seconds_sum{queue="mail" 1\n', id="half-a-line"),
        pytest.param('fleet_task_run_seconds_sum{queue="mail"} soon\n', id="a-word-for-a-number"),
        pytest.param("process_cpu_seconds_total 3\n", id="another-program"),
    ],
)
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(FleetError) as refused:
        parse(text, "http://127.0.0.1:9464/metrics")
    assert refused.value.where == "http://127.0.0.1:9464/metrics"


def test_a_worker_is_asked_at_its_metrics(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless the address has a path of its own; the token is Prometheus' and no worker gets it."""
    monkeypatch.setenv(TOKEN_VARIABLE, "very-secret")
    paths: list[str] = []
    text = Worker().text().encode()

    def respond(path: str, _query: object, headers: Mapping[str, str]) -> tuple[int, bytes]:
        paths.append(path)
        return (500, b"") if "Authorization" in headers else (200, text)

    with serving(respond) as address:
        assert read_worker(address) == read_worker(f"{address}/api/proxy/metrics")
    assert paths == ["/metrics", "/api/proxy/metrics"]


@pytest.mark.parametrize("content", [pytest.param(None, id="missing"), pytest.param(b"\xff\xfe", id="not-utf-8")])
def test_a_file_that_cannot_be_read_is_told(content: bytes | None, tmp_path: Path) -> None:
    file = tmp_path / "worker.txt"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(UsageError, match="cannot be read"):
        read_file(file)
