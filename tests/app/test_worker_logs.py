"""What a worker says of its tasks, traced as a worker does it, and what a worker process writes."""

import io
import json
import logging
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from celery import Celery, signals
from celery.app.trace import build_tracer
from celery.exceptions import Ignore, Reject, Retry, TimeLimitExceeded, WorkerLostError

from app.logs import JsonFormatter, Redaction
from app.waits import DUE_HEADER
from app.worker.logs import log_tasks, task_fields
from fleet.documents import dump_document
from tests.app.documents import ENVIRONMENT, worker_document

ROOT = Path(__file__).parents[2]
SIGNALS = (
    (signals.task_prerun, "start"),
    (signals.task_postrun, "end"),
    (signals.task_failure, "failure"),
    (signals.task_retry, "retry"),
    (signals.task_revoked, "revoked"),
)


class Log:
    """What one task's deliveries log, as objects."""

    def __init__(self, stream: io.StringIO) -> None:
        self._stream = stream

    def deliver(self, body: Any, **options: Any) -> list[dict[str, Any]]:
        """The lines of one delivery, which had waited for two seconds and was retried once."""
        app: Any = Celery("logs", set_as_current=False)
        task = app.task(name="shop.orders.confirm", shared=False, ignore_result=True, **options)(body)
        app.finalize()
        request = {"id": "7", "retries": 1, "delivery_info": {}, "is_eager": False, DUE_HEADER: time.time() - 2}
        build_tracer(task.name, task, app=app)("7", ["A-1"], {}, request)
        return self.lines()

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._stream.getvalue().splitlines()]


@pytest.fixture
def log() -> Iterator[Log]:
    """The lines of the worker's logger and of the task's own, in the worker's format."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    fields = {"queue": "high", "shard": "high-1", "pod": "pod-1"}
    handler.setFormatter(JsonFormatter(redact=Redaction([]), fields=fields, context=task_fields))
    loggers = [logging.getLogger(name) for name in ("app.worker.logs", "shop")]
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
    log_tasks()
    yield Log(stream)
    for logger in loggers:
        logger.removeHandler(handler)
        logger.setLevel(logging.NOTSET)
    for sent, name in SIGNALS:
        sent.disconnect(dispatch_uid=f"fleet.log.{name}")


def test_a_task_has_a_line_when_it_starts_and_one_when_it_has_ended(log: Log) -> None:
    """With what is known of it, and neither its arguments nor its result."""

    def confirm(order: str) -> str:
        time.sleep(0.05)
        return "the result"

    start, end = log.deliver(confirm)
    known = {"queue", "shard", "pod", "task_id", "task_name", "retries", "wait_seconds"}
    assert set(start) == {"time", "level", "logger", "message"} | known
    assert set(end) == set(start) | {"run_seconds", "outcome"}
    assert (end["task_id"], end["task_name"], end["retries"]) == ("7", "shop.orders.confirm", 1)
    assert (end["queue"], end["shard"], end["pod"]) == ("high", "high-1", "pod-1")
    assert (end["outcome"], end["level"]) == ("succeeded", "INFO")
    assert 2 <= end["wait_seconds"] < 4
    assert 0.05 <= end["run_seconds"] < 2
    assert not any(words in str((start, end)) for words in ("A-1", "the result"))


def test_what_a_task_logs_says_which_task_it_was(log: Log) -> None:
    def confirm(order: str) -> None:
        logging.getLogger("shop.orders").info("asked the provider", extra={"provider": "bank"})

    said = log.deliver(confirm)[1]
    assert (said["logger"], said["task_id"], said["shard"], said["provider"]) == ("shop.orders", "7", "high-1", "bank")


def _raise(error: BaseException) -> Any:
    def confirm(order: str) -> None:
        raise error

    return confirm


@pytest.mark.parametrize(
    ("error", "outcome", "level"),
    [
        pytest.param(ValueError("no"), "failed", "ERROR", id="failed"),
        pytest.param(KeyError("A-1"), "failed", "INFO", id="failed-as-it-said-it-might"),
        pytest.param(Retry("soon", exc=ValueError("no")), "retried", "INFO", id="to-be-tried-again"),
        pytest.param(Ignore(), "ignored", "INFO", id="ignored"),
        pytest.param(Reject("no"), "rejected", "INFO", id="rejected"),
    ],
)
def test_a_task_that_does_not_succeed_says_how(log: Log, error: Exception, outcome: str, level: str) -> None:
    """One line, whatever Celery writes of it."""
    _, end = log.deliver(_raise(error), throws=(KeyError,))
    assert (end["outcome"], end["level"]) == (outcome, level)


def test_a_failure_has_its_traceback_in_one_field(log: Log) -> None:
    _, end = log.deliver(_raise(ValueError("no way")))
    assert end["exception"].startswith("Traceback (most recent call last):")
    assert end["exception"].rstrip().endswith("ValueError: no way")


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        pytest.param(TimeLimitExceeded(5), "timed-out", id="over-its-hard-limit"),
        pytest.param(WorkerLostError("signal 9"), "lost", id="its-process-was-killed"),
    ],
)
def test_what_ends_without_a_word_is_told_by_the_main_process(log: Log, error: Exception, outcome: str) -> None:
    app: Any = Celery("logs", set_as_current=False)
    task = app.task(name="shop.orders.confirm", shared=False)(_raise(error))
    signals.task_failure.send(sender=task, task_id="7", exception=error, einfo=None)
    (said,) = log.lines()
    assert (said["task_id"], said["task_name"], said["outcome"], said["level"]) == (
        "7", "shop.orders.confirm", outcome, "ERROR",
    )  # fmt: skip


def test_a_limit_that_prefork_tells_of_twice_is_told_once(log: Log) -> None:
    app: Any = Celery("logs", set_as_current=False)
    task = app.task(name="shop.orders.confirm", shared=False)(_raise(ValueError()))
    for lent in (True, False):
        if lent:
            task.push_request(id="7")
        signals.task_failure.send(sender=task, task_id="7", exception=TimeLimitExceeded(5), einfo=None)
        if lent:
            task.pop_request()
    assert [said["outcome"] for said in log.lines()] == ["timed-out"]


def _read_until(process: "subprocess.Popen[str]", words: str, within_seconds: float) -> list[str]:
    lines, end = [], time.monotonic() + within_seconds
    assert process.stderr is not None
    while time.monotonic() < end:
        lines.append(process.stderr.readline())
        if words in lines[-1] or not lines[-1]:
            break
    return lines


@pytest.mark.scan
def test_every_line_of_a_worker_process_is_an_object_without_its_passwords(tmp_path: Path) -> None:
    """From its start without a broker to the signal that ends it, whichever of Celery's loggers it comes from."""
    path = tmp_path / "document.json"
    path.write_text(dump_document(worker_document()), encoding="utf-8")
    with subprocess.Popen(
        [sys.executable, "-m", "app.worker"],
        cwd=ROOT, env={**ENVIRONMENT, "FLEET_DOCUMENT": str(path), "FLEET_RUN_DIR": str(tmp_path)},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        said = _read_until(process, "Cannot connect", 60)
        process.send_signal(signal.SIGTERM)
        try:
            out, rest = process.communicate(timeout=60)
        finally:
            process.kill()
    lines = [json.loads(line) for line in [*said, *rest.splitlines()]]
    assert out == ""
    assert any("Cannot connect to amqp://" in line["message"] for line in lines)
    assert any("Warm shutdown" in line["message"] for line in lines)
    assert {(line["pod"], line["queue"], line["shard"]) for line in lines} == {("pod-1", "high", "high")}
    assert not any(secret in str(lines) for secret in ("broker-secret", "results-secret"))
