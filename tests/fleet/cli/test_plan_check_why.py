"""The `fleet` command: what a person and a program get, and how it ends."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fleet.cli import app

ROOT = Path(__file__).parents[3]
SAMPLE = str(ROOT / "queues.yaml")
WIDE = {"COLUMNS": "240"}


@pytest.fixture
def broken(tmp_path: Path) -> str:
    """A catalogue with one mistake."""
    path = tmp_path / "queues.yaml"
    path.write_text((ROOT / "queues.yaml").read_text().replace("limit: 10m", "limit: 2m"))
    return str(path)


def test_plan_shows_every_queue_and_why() -> None:
    """One table of the queues, one of what they share, one of reasons for each."""
    result = CliRunner().invoke(app, ["plan", "-f", SAMPLE, "-s", "prod"])
    assert result.exit_code == 0
    for text in ("Fleet celery-fleet, environment prod: 4 queues", "Why: reports", "reports.replicas.max", "unrouted"):
        assert text in result.stdout


def test_plan_as_json_is_the_whole_plan() -> None:
    """Programs get every number and every reason."""
    result = CliRunner().invoke(app, ["plan", "-f", SAMPLE, "-s", "prod", "--name", "shop", "--json"])
    plan = json.loads(result.stdout)
    assert (plan["fleet"], plan["topology"]["vhost"], plan["environment"]) == ("shop", "shop", "prod")
    assert [queue["autoscaling"]["max_replicas"] for queue in plan["queues"]] == [4, 2, 10, 18]
    assert {reason["path"] for reason in plan["reasons"]} >= {"high.replicas.min", "reports.worker.grace"}


def test_check_says_that_a_catalogue_fits() -> None:
    """One line, or an empty list of findings."""
    assert (
        "4 queues fit the environment dev"
        in CliRunner().invoke(app, ["check", "-f", SAMPLE, "-s", "dev"], env=WIDE).stdout
    )
    assert json.loads(CliRunner().invoke(app, ["check", "-f", SAMPLE, "--json"]).stdout) == {"findings": []}


def test_check_as_json_lists_findings_with_their_places(broken: str) -> None:
    """An editor or a pipeline can point at the line."""
    result = CliRunner().invoke(app, ["check", "-f", broken, "--json"])
    (finding,) = json.loads(result.stdout)["findings"]
    assert result.exit_code == 1
    assert (finding["path"], finding["line"], finding["column"]) == ("queues.reports.runtime.p99", 34, 26)


@pytest.mark.parametrize(
    ("path", "lines"),
    [
        pytest.param("reports.replicas.max", ["reports.replicas.max"], id="one-number"),
        pytest.param(
            "reports.scaling",
            [
                f"reports.scaling.{number}"
                for number in ("reaction", "regime", "metric", "target", "window", "polling", "cooldown")
            ],
            id="a-group",
        ),
    ],
)
def test_why_explains_one_number_or_a_group(path: str, lines: list[str]) -> None:
    """The arithmetic of what was asked for, and of nothing else."""
    result = CliRunner().invoke(app, ["why", path, "-f", SAMPLE, "--json"])
    assert [reason["path"] for reason in json.loads(result.stdout)] == lines
    assert lines[0] in CliRunner().invoke(app, ["why", path, "-f", SAMPLE], env=WIDE).stdout


def test_plan_shows_the_reasons_of_one_path_as_why_does() -> None:
    """Whoever looks at a plan need not learn a second command."""
    asked = ["-f", SAMPLE, "-s", "prod"]
    shown = CliRunner().invoke(app, ["plan", "--why", "reports.replicas", *asked])
    assert (shown.exit_code, shown.stdout) == (0, CliRunner().invoke(app, ["why", "reports.replicas", *asked]).stdout)


def test_plan_writes_a_page_for_a_browser(tmp_path: Path) -> None:
    """One file that needs nothing else."""
    page = tmp_path / "plan.html"
    result = CliRunner().invoke(app, ["plan", "-f", SAMPLE, "--html", str(page)])
    assert (result.exit_code, result.stdout) == (0, "")
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")


def test_why_names_the_queues_when_it_knows_no_such_number() -> None:
    """A wrong path gets the right beginnings."""
    result = CliRunner().invoke(app, ["why", "report", "-f", SAMPLE])
    assert (result.exit_code, result.stdout) == (1, "")
    assert "Did you mean `reports`? Begin with a queue (high, default, thumbnails, reports) or" in result.stderr


def run(*words: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-m", "fleet", *words], cwd=folder, env=environ, capture_output=True, text=True, check=False
    )


def test_findings_end_in_exit_code_1_and_no_traceback(broken: str) -> None:
    """The message alone, on stderr, with the name of the file as it was given."""
    done = run("plan", "-f", broken)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(
        f"{broken}:34:26: queues.reports.runtime.p99 is 4m, above runtime.limit (2m)\n  One task in a hundred"
    )
    assert "Traceback" not in done.stderr


def test_a_missing_file_ends_in_exit_code_1(tmp_path: Path) -> None:
    """Where there is no catalogue, the command says which file it looked for."""
    done = run("check", folder=tmp_path)
    assert (done.returncode, done.stderr.splitlines()[0]) == (
        1,
        "queues.yaml: cannot be read: No such file or directory",
    )


@pytest.mark.parametrize("command", [["plan"], ["check"], ["why", "reports"]], ids=lambda words: words[0])
def test_findings_are_json_for_every_command_that_speaks_it(broken: str, command: list[str]) -> None:
    """A program reads standard output alone, whatever the outcome."""
    result = CliRunner().invoke(app, [*command, "-f", broken, "--json"])
    assert (result.exit_code, result.stderr) == (1, "")
    assert [finding["path"] for finding in json.loads(result.stdout)["findings"]] == ["queues.reports.runtime.p99"]


def test_an_error_without_a_place_in_a_file_is_json_too() -> None:
    """Where, what and what instead, as three fields."""
    result = CliRunner().invoke(app, ["why", "report", "-f", SAMPLE, "--json"])
    assert (result.exit_code, result.stderr) == (1, "")
    error = json.loads(result.stdout)["error"]
    assert (error["where"], sorted(error)) == ("report", ["fix", "problem", "where"])


def test_wrong_usage_ends_in_exit_code_2() -> None:
    """As every command line program does."""
    assert CliRunner().invoke(app, ["plan", "--nonsense"]).exit_code == 2
