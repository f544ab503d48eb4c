"""What the probes answer, and when a worker says that it lives."""

import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from celery import Celery
from celery.worker import state
from celery.worker.consumer import Consumer

from app.beat import with_heartbeat
from app.worker import health
from app.worker.consumer import QueueConsumer, overdue_tasks
from app.worker.health import BEAT, HealthFiles, judge


def test_a_worker_is_ready_from_its_first_to_its_last_message(tmp_path: Path) -> None:
    files = HealthFiles(tmp_path)
    answers = [judge("ready", tmp_path, 0)]
    files.ready()
    answers.append(judge("ready", tmp_path, 0))
    files.not_ready()
    files.not_ready()
    answers.append(judge("ready", tmp_path, 0))
    assert answers == ["the worker does not consume", None, "the worker does not consume"]


@pytest.mark.parametrize(
    ("age_seconds", "alive"),
    [
        pytest.param(0, True, id="just-turned"),
        pytest.param(179, True, id="slow-for-three-minutes-less-one-second"),
        pytest.param(180, False, id="stuck"),
    ],
)
@pytest.mark.parametrize(("question", "file"), [("live", "alive"), ("beat", "beat")])
def test_liveness_fails_when_the_loop_stands_still(
    tmp_path: Path, question: str, file: str, age_seconds: int, alive: bool
) -> None:
    (tmp_path / file).write_text("1000")
    assert (judge(question, tmp_path, 1000 + age_seconds) is None) is alive


def test_before_its_first_turn_a_process_is_not_alive(tmp_path: Path) -> None:
    """The start-up probe gives it the time."""
    assert judge("live", tmp_path, 0) == "its loop has not turned yet"


def test_a_wrong_question_is_no(tmp_path: Path) -> None:
    assert "ask live, ready or beat" in str(judge("alive", tmp_path, 0))


@pytest.mark.parametrize(("question", "code"), [("live", 0), ("ready", 1), ("beat", 1), ("", 1)])
def test_the_probe_runs_without_the_application(tmp_path: Path, question: str, code: int) -> None:
    """As in the pod: an isolated interpreter without site packages."""
    HealthFiles(tmp_path).turned()
    done = subprocess.run(
        [sys.executable, "-I", "-S", health.__file__, *([question] if question else [])],
        env={"FLEET_RUN_DIR": str(tmp_path)}, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    assert bool(done.stdout) is bool(code)


def consumer(tmp_path: Path, *, hub: bool = True, connected: bool = True, consumes: bool = True) -> Any:
    """A consumer at its edges: a connection, a channel that consumes or not, a pool with an event loop or without."""
    made: Any = object.__new__(QueueConsumer)
    made.health = HealthFiles(tmp_path)
    made.app = Celery("health", set_as_current=False)
    made.app.conf.task_time_limit = 5
    made.connection = object() if connected else None
    made.task_consumer = SimpleNamespace(queues=["high"], consuming_from=lambda queue: consumes)
    made.controller = SimpleNamespace(use_eventloop=hub)
    made._loop_turned = time.monotonic()
    return made


def lives(tmp_path: Path) -> bool:
    return judge("live", tmp_path, time.monotonic()) is None


def test_a_consumer_that_consumes_says_so(tmp_path: Path) -> None:
    consumer(tmp_path).prove_life()
    assert lives(tmp_path)


@pytest.mark.parametrize(
    "state_of_consumer",
    [
        pytest.param({"connected": False}, id="no-connection"),
        pytest.param({"consumes": False}, id="connected-but-consuming-nothing"),
    ],
)
def test_a_consumer_that_does_not_consume_stays_silent(tmp_path: Path, state_of_consumer: dict[str, bool]) -> None:
    """A worker that is up, answers and consumes nothing is the failure that liveness is for."""
    consumer(tmp_path, **state_of_consumer).prove_life()
    assert not lives(tmp_path)


def test_a_blocking_loop_that_hangs_stays_silent(tmp_path: Path) -> None:
    """Timers of gevent and threads go on beside a main loop that hangs."""
    stuck = consumer(tmp_path, hub=False)
    stuck._loop_turned -= 61
    stuck.prove_life()
    assert not lives(tmp_path)


def test_a_task_that_outlives_its_limit_by_a_minute_silences_the_worker(tmp_path: Path) -> None:
    class Running:
        id = "1"
        time_start = time.time() - 66

    running = Running()
    state.active_requests.add(running)
    try:
        assert overdue_tasks(5, time.time()) == ["1"]
        consumer(tmp_path).prove_life()
        assert not lives(tmp_path)
    finally:
        state.active_requests.discard(running)


def test_waiting_for_a_broker_is_life(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An outage of the broker restarts no worker: every try to connect is a sign of life."""
    tries: list[bool] = []

    class Connection:
        """A broker that answers at the third try."""

        def ensure_connection(self, errback: Any, max_retries: Any, callback: Any) -> "Connection":
            for _ in range(3):
                callback()
                tries.append(lives(tmp_path))
                HealthFiles(tmp_path)._write("alive", "-1000")
            return self

    monkeypatch.setattr(
        Consumer, "ensure_connected", lambda self, conn: conn.ensure_connection(None, None, callback=lambda: None)
    )
    consumer(tmp_path).ensure_connected(Connection())
    assert tries == [True, True, True]


def test_a_worker_leaves_the_delay_tree_alone() -> None:
    steps = QueueConsumer.Blueprint.default_steps
    assert not any("DelayedDelivery" in step for step in steps)
    assert "celery.worker.consumer.tasks:Tasks" in steps


def test_beat_tells_of_every_tick(tmp_path: Path) -> None:
    class Scheduler:
        def tick(self) -> float:
            return 5.0

    scheduler = with_heartbeat(Scheduler, HealthFiles(tmp_path))()
    assert judge("beat", tmp_path, time.monotonic()) is not None
    assert scheduler.tick() == 5.0
    assert judge("beat", tmp_path, time.monotonic()) is None
    assert (tmp_path / BEAT).exists()
