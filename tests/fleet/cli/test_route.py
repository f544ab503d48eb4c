"""`fleet route` and `fleet check --app`."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from app.routing import TaskRouter
from fleet.cli import app
from fleet.documents import producer_document
from tests.fleet.strategies import load_from, sample_queue

ROOT = Path(__file__).parents[3]

RAW = {
    "application": "shop.celery:app",
    "queues": {
        "mail": sample_queue(tasks=["shop.mail.*"], shards=2, priority={"shop.mail.reset": 9, "shop.mail.n*": 1}),
        "money": sample_queue(tasks=["shop.money.pay", "shop.money.book"], binds=["money.#"]),
    },
}


@pytest.fixture
def catalogue(tmp_path: Path) -> Path:
    path = tmp_path / "queues.yaml"
    path.write_text(yaml.safe_dump(RAW, sort_keys=False))
    return path


def routed(catalogue: Path, *tasks: str) -> list[dict[str, object]]:
    result = CliRunner().invoke(app, ["route", *tasks, "-f", str(catalogue), "--json"])
    assert result.exit_code == 0
    found: list[dict[str, object]] = json.loads(result.stdout)
    return found


@pytest.mark.parametrize(
    ("task", "queue", "pattern", "priority"),
    [
        pytest.param("shop.mail.send", "mail", "shop.mail.*", 4, id="a-pattern-and-the-default-priority"),
        pytest.param("shop.mail.reset", "mail", "shop.mail.*", 9, id="a-priority-by-name"),
        pytest.param("shop.mail.news", "mail", "shop.mail.*", 1, id="a-priority-by-pattern"),
        pytest.param("shop.money.book", "money", "shop.money.book", 4, id="a-name"),
    ],
)
def test_a_task_and_its_queue(task: str, queue: str, pattern: str, priority: int, catalogue: Path) -> None:
    """The queue that the pods' own router chooses, with the pattern and the priority."""
    (route,) = routed(catalogue, task)
    assert (route["queue"], route["pattern"], route["priority"], route["routing_key"]) == (
        queue, pattern, priority, queue,
    )  # fmt: skip
    router = TaskRouter(producer_document(load_from(RAW, catalogue.parent)), confirm_timeout_seconds=1)
    published = router(task, (), {}, {})
    assert (published["queue"], published["priority"]) == (queue, priority)


def test_several_tasks_with_shards_and_other_publishers(catalogue: Path) -> None:
    """Everything that decides where a message lies."""
    mail, money = routed(catalogue, "shop.mail.send", "shop.money.pay")
    assert (mail["shards"], mail["shard_rule"]) == (
        ["mail-0", "mail-1"],
        "consistent hash of the task id over 2 queues",
    )
    assert (money["shards"], money["ingress"]) == (["money"], ["ingress: money.#"])


def test_a_task_without_a_queue_ends_in_exit_code_1(catalogue: Path) -> None:
    """With the patterns that look most like it; the others are shown all the same."""
    result = CliRunner().invoke(app, ["route", "shop.money.pya", "shop.money.pay", "-f", str(catalogue)])
    assert result.exit_code == 1
    assert "nearest: shop.money.pay (money)" in result.stdout
    assert "shop.money.pay -> money" in result.stdout


SHOP = """
from celery import Celery
app = Celery("shop")
@app.task(name="shop.mail.send")
def send(): ...
@app.task(name="shop.other")
def other(): ...
"""


def check_app(folder: Path, *words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "fleet", "check", "--app", "-f", str(folder / "queues.yaml"), *words],
        cwd=cwd, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.scan
def test_an_application_outside_this_project_is_asked(tmp_path: Path) -> None:
    """It lies beside the catalogue; findings of the file and of the application come in one run."""
    queues = {"mail": sample_queue(tasks=["shop.mail.*"], runtime={"mean": "2s", "p99": "1s", "limit": "10s"})}
    (tmp_path / "queues.yaml").write_text(yaml.safe_dump({"application": "shop:app", "queues": queues}))
    (tmp_path / "shop.py").write_text(SHOP)
    done = check_app(tmp_path, "--json", cwd=tmp_path.parent)
    assert (done.returncode, done.stderr) == (1, "")
    assert [finding["path"] for finding in json.loads(done.stdout)["findings"]] == [
        "queues",
        "queues.mail.runtime.mean",
    ]


@pytest.mark.scan
def test_an_application_that_cannot_be_imported_is_a_finding(tmp_path: Path) -> None:
    """At the line that names it, with its own words."""
    (tmp_path / "queues.yaml").write_text(
        yaml.safe_dump({"application": "shop:app", "queues": {"mail": sample_queue()}})
    )
    (tmp_path / "shop.py").write_text("app = undefined\n")
    done = check_app(tmp_path, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith(
        f"{tmp_path}/queues.yaml:1:1: application is 'shop:app', which cannot be imported: NameE"
    )
    assert "Traceback" not in done.stderr
