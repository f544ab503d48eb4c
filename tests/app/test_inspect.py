"""What an application says about itself, whatever way it states its routes."""

import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from celery import Celery
from kombu import Exchange, Queue

from app import inspect as inspecting
from app.inspect import inspect_application

ROOT = Path(__file__).parents[2]

# Celery discourages `queue=` of a task since 5.7; applications have it all the same.
pytestmark = pytest.mark.filterwarnings("ignore::celery.exceptions.CDeprecationWarning")


def inspected(monkeypatch: pytest.MonkeyPatch, **conf: Any) -> dict[str, Any]:
    """Facts of an application with a task that has options of its own and one that has none."""
    app = Celery("shop", set_as_current=False)
    app.conf.update(conf)

    @app.task(name="shop.tasks.send", shared=False)
    def send() -> None: ...

    @app.task(name="shop.tasks.pay", shared=False, queue="money", priority=9, time_limit=20, soft_time_limit=15)
    def pay() -> None: ...

    module = ModuleType("shop_of_a_test")
    module.app = app  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "shop_of_a_test", module)
    facts = inspect_application("shop_of_a_test:app")
    # Shared tasks that other tests import are registered with every application of the process.
    return {**facts, "tasks": [task for task in facts["tasks"] if task["name"].startswith("shop.")]}


def route_all(name: str, args: Any, kwargs: Any, options: Any, task: Any = None, **_: Any) -> dict[str, str]:
    return {"queue": f"by-function-{name.rpartition('.')[2]}"}


def route_badly(name: str, args: Any, kwargs: Any, options: Any, task: Any = None, **_: Any) -> dict[str, str]:
    return {"queue": args[0]}


@pytest.mark.parametrize(
    ("conf", "queue"),
    [
        pytest.param({}, "celery", id="no-routes-end-in-the-default-queue"),
        pytest.param({"task_default_queue": "low"}, "low", id="a-default-queue-of-its-own"),
        pytest.param({"task_routes": {"shop.tasks.send": {"queue": "mail"}}}, "mail", id="a-mapping"),
        pytest.param({"task_routes": {"shop.tasks.send": "mail"}}, "mail", id="a-queue-as-plain-text"),
        pytest.param({"task_routes": {"shop.*": {"queue": "mail"}}}, "mail", id="a-pattern"),
        pytest.param(
            {"task_routes": ([("other.*", {"queue": "no"}), ("shop.*", {"queue": "mail"})],)},
            "mail",
            id="a-list-of-pairs",
        ),
        pytest.param({"task_routes": (route_all,)}, "by-function-send", id="a-function"),
    ],
)
def test_the_queue_that_celery_itself_would_choose(
    conf: dict[str, Any], queue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every form of `task_routes` is resolved by Celery's own router; a task's own queue wins."""
    facts = inspected(monkeypatch, **conf)
    pay, send = facts["tasks"]
    assert (send["name"], send["route"]["queue"], send["queue"]) == ("shop.tasks.send", queue, None)
    assert (pay["queue"], pay["route"]["queue"], pay["priority"]) == ("money", "money", 9)
    assert (pay["time_limit"], pay["soft_time_limit"], pay["module"]) == (20.0, 15.0, __name__)


def test_a_router_that_needs_the_arguments_of_a_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told, and does not end the inspection."""
    _, send = inspected(monkeypatch, task_routes=(route_badly,))["tasks"]
    assert (send["route"]["queue"], send["route"]["error"]) == (None, "IndexError: tuple index out of range")


def test_routes_as_they_are_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pattern with its route, or the name of a router."""
    facts = inspected(monkeypatch, task_routes=({"shop.*": {"queue": "mail", "routing_key": "m.x"}}, route_all))
    first, second = facts["task_routes"]
    assert (first["pattern"], first["queue"], first["routing_key"], first["router"]) == ("shop.*", "mail", "m.x", None)
    assert (second["pattern"], second["router"]) == (None, f"{__name__}.route_all")


@pytest.mark.parametrize(
    "stated",
    [
        pytest.param([Queue("mail", Exchange("media", type="topic"), routing_key="media.#")], id="a-list-of-queues"),
        pytest.param(
            {"mail": {"exchange": "media", "exchange_type": "topic", "binding_key": "media.#"}}, id="a-mapping"
        ),
    ],
)
def test_declared_queues(stated: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """With their exchange and key."""
    (queue,) = inspected(monkeypatch, task_queues=stated)["task_queues"]
    assert queue == {"name": "mail", "exchange": "media", "exchange_type": "topic", "routing_key": "media.#"}


def test_annotations_and_the_schedule(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits that annotations set count as the task's own."""
    facts = inspected(
        monkeypatch,
        task_annotations={"shop.tasks.send": {"time_limit": 7}},
        beat_schedule={"nightly": {"task": "shop.tasks.send", "schedule": 60, "options": {"queue": "night"}}},
    )
    assert facts["tasks"][1]["time_limit"] == 7.0
    assert facts["schedule"] == [{"name": "nightly", "task": "shop.tasks.send", "queue": "night"}]


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        pytest.param("import no_such_module\n", "No module named 'no_such_module'", id="a-missing-module"),
        pytest.param("app = undefined\n", "cannot be imported: NameError: name 'undefined'", id="an-error"),
        pytest.param("import sys; sys.exit(0)\n", "cannot be imported: SystemExit: 0", id="an-exit"),
        pytest.param("app = 3\n", "app is a int, no Celery application", id="something-else"),
        pytest.param("def app(:\n", "cannot be imported: SyntaxError", id="no-python"),
    ],
)
def test_an_application_that_cannot_be_asked_says_why(
    code: str, problem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As JSON for programs, as one message for people, never as a traceback."""
    name = f"broken_{abs(hash(code))}"
    (tmp_path / f"{name}.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "argv", ["inspect", "--application", f"{name}:app"])
    assert inspecting.main() == 1
    printed = capsys.readouterr()
    assert problem in json.loads(printed.out)["error"]["problem"]
    assert "Traceback" not in printed.err


def test_what_an_application_prints_does_not_spoil_the_answer(tmp_path: Path) -> None:
    """Standard output is JSON alone."""
    (tmp_path / "loud.py").write_text("from celery import Celery\nprint('hello')\napp = Celery('loud')\n")
    done = subprocess.run(
        [sys.executable, "-m", "app.inspect", "--application", "loud:app"],
        cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert json.loads(done.stdout)["tasks"] == []
    assert done.stderr == "hello\n"
