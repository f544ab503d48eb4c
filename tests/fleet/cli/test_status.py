"""`fleet status`: whether each promise is kept today."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from fleet.cli import app
from tests.fleet.cli.test_measure import CATALOGUE
from tests.fleet.measure.servers import FakePrometheus, histogram, serving, vector

TODAY = histogram("fleet_task_wait_seconds", "mail", {"60.0": 9880, "+Inf": 10_000}, 1.0)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "queues.yaml").write_text(CATALOGUE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def prometheus() -> Iterator[str]:
    with serving(FakePrometheus(TODAY)) as address:
        yield address


def run(*words: str) -> Any:
    return CliRunner().invoke(app, ["status", "-s", "prod", *words], env={"COLUMNS": "120", "TZ": "UTC"})


def test_each_promise_has_its_share_and_what_is_left_of_its_budget(folder: Path, prometheus: str) -> None:
    """1.2 % late where 5 % may be is 24 % of the budget; of a queue without a task nobody knows."""
    result = run("--prometheus", prometheus)
    rows = [line.split("  ") for line in result.stdout.splitlines()[-2:]]
    cells = [[cell.strip() for cell in row if cell.strip()] for row in rows]
    assert result.exit_code == 0
    assert cells == [
        ["mail", "95 % in 1m", "98.80 %", "10,000 tasks", "24 %", "98.80 %", "kept"],
        ["quiet", "95 % in 30s", "-", "0 tasks", "-", "-", "-"],
    ]


def test_json_says_the_same(folder: Path, prometheus: str) -> None:
    answer = json.loads(run("--prometheus", prometheus, "--json").stdout)
    mail = answer["queues"][0]
    assert (mail["today"]["percent"], mail["today"]["tasks"], mail["budget_used_percent"]) == (98.8, 10_000, 24.0)
    assert 0 < answer["at"] - answer["began_at"] <= 25 * 3600


def test_a_broken_promise_is_told(folder: Path) -> None:
    late = histogram("fleet_task_wait_seconds", "mail", {"60.0": 900, "+Inf": 1000}, 1.0)
    with serving(FakePrometheus(late)) as address:
        (mail, _) = json.loads(run("--prometheus", address, "--json").stdout)["queues"]
    assert (mail["today"]["percent"], mail["budget_used_percent"]) == (90.0, 200.0)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        pytest.param([], 2, id="no-prometheus"),
        pytest.param(["--prometheus", "localhost:9090"], 2, id="no-address"),
        pytest.param(["--prometheus", "http://127.0.0.1:9", "--watch", "--json"], 2, id="two-forms-at-once"),
        pytest.param(["--prometheus", "http://127.0.0.1:9"], 1, id="nobody-answers"),
        pytest.param(["--prometheus", "http://127.0.0.1:9", "--watch"], 1, id="nobody-answers-from-the-beginning"),
    ],
)
def test_it_ends_without_a_traceback(words: list[str], code: int, folder: Path) -> None:
    result = run(*words)
    assert (result.exit_code, type(result.exception)) == (code, SystemExit)


def test_a_prometheus_without_the_fleet_is_told(folder: Path) -> None:
    with serving(FakePrometheus({})) as address:
        assert "has no waits of the fleet celery-fleet today" in run("--prometheus", address).stderr
    words = vector(({"queue": "mail", "le": "soon"}, 1))
    with serving(FakePrometheus({"fleet_task_wait_seconds_bucket": words})) as address:
        assert "answers, but not as a Prometheus does" in run("--prometheus", address).stderr


def test_watching_ends_with_ctrl_c_and_that_is_no_error(folder: Path, prometheus: str) -> None:
    """Where nobody looks, tables follow each other without codes for a screen."""
    words = [sys.executable, "-m", "fleet", "status", "-s", "prod", "--prometheus", prometheus, "--watch"]
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3]), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environ) as process:
        assert process.stdout is not None
        shown = []
        for line in process.stdout:
            shown.append(line)
            if line.startswith("quiet"):
                break
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 0
    assert shown[0].startswith("Fleet celery-fleet, environment prod: since ")
    assert "\x1b" not in "".join(shown)
