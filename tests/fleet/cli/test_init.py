"""`fleet init`: from an application to a catalogue that passes the check."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from app.inspect import inspect_application
from fleet.cli import app
from fleet.environment import default_environment
from fleet.inspection import ApplicationFacts, ScheduleEntry, StatedQueue
from fleet.loading import load_plan
from fleet.plan import Plan
from fleet.starter import starter_catalogue
from tests.fleet.applications import application_facts, task_facts

ROOT = Path(__file__).parents[3]

APPLICATIONS = {
    "no-routes": "",
    "a-mapping": 'app.conf.task_routes = {"shop.mail.send": {"queue": "mail"}}',
    "a-pattern": 'app.conf.task_routes = {"shop.mail.*": "mail.high"}',
    "a-list": 'app.conf.task_routes = ([("shop.mail.*", {"queue": "mail", "priority": 7})],)',
    "a-router-class": """
class Router:
    def __call__(self, name, args, kwargs, options, task=None, **kw):
        return {"queue": name.split(".")[1]}
app.conf.task_routes = (Router(),)
""",
    "declared-queues": """
from kombu import Exchange, Queue
app.conf.task_queues = [Queue("Media_In", Exchange("media", type="topic"), routing_key="media.#"), Queue("idle")]
app.conf.task_routes = {"shop.mail.*": {"queue": "Media_In"}}
app.conf.task_create_missing_queues = True
""",
}

SHOP = """
from celery import Celery
app = Celery("shop", set_as_current=False)
{}
@app.task(name="shop.mail.send", shared=False, time_limit=20)
def send(): ...
@app.task(name="shop.mail.news", shared=False)
def news(): ...
@app.task(name="shop.money.pay", shared=False, queue="money", priority=9)
def pay(): ...
"""


def run_init(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "fleet", "init", "--app", "shop:app", *words],
        cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip


def queues_of(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(path.read_text())["queues"]
    return found


def planned(facts: ApplicationFacts, folder: Path) -> Plan:
    """The plan of the starter: it passes every check."""
    path = folder / "queues.yaml"
    path.write_text(starter_catalogue(facts), encoding="utf-8")
    return load_plan(path, default_environment("dev"))


# Celery discourages `queue=` of a task since 5.7; applications have it all the same.
@pytest.mark.filterwarnings("ignore::celery.exceptions.CDeprecationWarning")
@pytest.mark.parametrize(
    ("name", "queues"),
    [
        ("no-routes", {"celery": ["shop.mail.*"], "money": ["shop.money.*"]}),
        ("a-mapping", {"celery": ["shop.mail.news"], "mail": ["shop.mail.send"], "money": ["shop.money.*"]}),
        ("a-pattern", {"mail-high": ["shop.mail.*"], "money": ["shop.money.*"]}),
        ("a-list", {"mail": ["shop.mail.*"], "money": ["shop.money.*"]}),
        ("a-router-class", {"mail": ["shop.mail.*"], "money": ["shop.money.*"]}),
        ("declared-queues", {"media-in": ["shop.mail.*"], "money": ["shop.money.*"]}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_application_gets_a_catalogue_that_passes_the_check(
    name: str, queues: dict[str, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its tasks are in the queues that Celery sends them to today."""
    module = ModuleType("shop")
    exec(SHOP.format(APPLICATIONS[name]), module.__dict__)  # noqa: S102 -- text of this file
    monkeypatch.setitem(sys.modules, "shop", module)
    facts = msgspec.convert(inspect_application("shop:app"), ApplicationFacts)
    # Shared tasks that other tests import are registered with every application of the process.
    own = tuple(task for task in facts.tasks if task.name.startswith("shop."))
    assert planned(msgspec.structs.replace(facts, tasks=own), tmp_path).application == "shop:app"
    path = tmp_path / "queues.yaml"
    assert {queue: spec["tasks"] for queue, spec in queues_of(path).items()} == queues
    assert queues_of(path)["money"]["priority"] == {"shop.money.pay": 9}


@pytest.mark.parametrize(
    ("facts", "runtime"),
    [
        pytest.param(
            application_facts(task_facts("a.b")), {"mean": "1s", "p99": "5s", "limit": "5m"}, id="nothing-known"
        ),
        pytest.param(
            application_facts(task_facts("a.b", time_limit=20.0), task_facts("a.c", time_limit=90.0)),
            {"mean": "1s", "p99": "5s", "limit": "90s"},
            id="the-longest-limit-of-its-tasks",
        ),
        pytest.param(
            application_facts(task_facts("a.b"), time_limit=3.0),
            {"mean": "1s", "p99": "3s", "limit": "3s"},
            id="the-applications-limit",
        ),
        pytest.param(
            application_facts(task_facts("a.b", soft_time_limit=90.0)),
            {"mean": "1s", "p99": "5s", "limit": "100s"},
            id="a-soft-limit",
        ),
    ],
)
def test_limits_are_the_applications_own(facts: ApplicationFacts, runtime: dict[str, str], tmp_path: Path) -> None:
    """Everything else of the runtime is a guess that fits below them."""
    planned(facts, tmp_path)
    (queue,) = queues_of(tmp_path / "queues.yaml").values()
    assert queue["runtime"] == runtime


@given(
    st.lists(
        st.tuples(
            st.text("ab.:_- 1é", min_size=1, max_size=12),
            st.text("aA.-_9 é", min_size=1, max_size=50) | st.none(),
            st.none() | st.integers(-3, 300),
        ),
        min_size=1,
        max_size=6,
        unique_by=lambda item: item[0],
    )
)
def test_any_names_become_a_catalogue(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str | None, int | None]]
) -> None:
    """Whatever tasks and queues are called, what is written can be read, and every task has a queue."""
    tasks = sorted(
        (task_facts(name, routed_to=queue, priority=priority) for name, queue, priority in rows),
        key=lambda task: task.name,
    )
    text = starter_catalogue(application_facts(*tasks))
    data = yaml.safe_load(text)
    assert sum(len(queue["tasks"]) for queue in data["queues"].values()) >= 1
    assert len(data["queues"]) == len({task.route.queue or "celery" for task in tasks})


def test_what_has_no_place_is_told_in_comments() -> None:
    """Queues without tasks, schedules of unknown tasks, routers that could not be asked."""
    text = starter_catalogue(
        application_facts(
            task_facts("a.b", router_error="KeyError: 'x'\nhere"),
            queues=(StatedQueue(name="idle", exchange="e", exchange_type="direct", routing_key="idle"),),
            schedule=(ScheduleEntry(name="nightly", task="gone", queue=None),),
        )
    )
    comments = [line for line in text.splitlines() if line.lstrip().startswith("#")]
    assert len([line for line in comments if "idle" in line]) == 1
    assert len([line for line in comments if "nightly" in line]) == 1
    assert len([line for line in comments if "KeyError: 'x'\\nhere" in line]) == 1


@pytest.mark.scan
def test_a_file_that_exists_is_kept(tmp_path: Path) -> None:
    """Until it is said that it may go."""
    (tmp_path / "queues.yaml").write_text("mine")
    refused = run_init(tmp_path)
    assert refused.returncode == 2
    assert (tmp_path / "queues.yaml").read_text() == "mine"
    (tmp_path / "shop.py").write_text(SHOP.format(""))
    done = run_init(tmp_path, "--force", "--json")
    assert load_plan(tmp_path / "queues.yaml", default_environment("prod")).application == "shop:app"
    assert (done.returncode, json.loads(done.stdout)) == (0, {"file": "queues.yaml", "guesses": 9})


@pytest.mark.parametrize(
    ("application", "code"),
    [
        pytest.param("shop", 2, id="no-attribute"),
        pytest.param("no_such_module_of_a_test:app", 1, id="no-such-module"),
    ],
)
def test_an_application_that_is_not_there(application: str, code: int, tmp_path: Path) -> None:
    """Told in one message."""
    result = CliRunner().invoke(app, ["init", "--app", application, "-o", str(tmp_path / "queues.yaml")])
    assert (result.exit_code, result.stdout) == (code, "")
    assert result.stderr.startswith("application ")
    assert not (tmp_path / "queues.yaml").exists()
