"""`fleet simulate`: the answer in the first lines, the exit code, and the three forms of the result."""

import json
import re
import subprocess
import sys
from importlib import util
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from fleet.cli import app
from fleet.cli.simulate import POLICIES, TRACES
from fleet.simulate import PolicyName, Trace

ROOT = Path(__file__).parents[3]
SAMPLE = str(ROOT / "queues.yaml")
WIDE = {"COLUMNS": "240"}


def simulate(*words: str) -> Any:
    return CliRunner().invoke(app, ["simulate", "-f", SAMPLE, *words], env=WIDE)


def test_the_names_in_the_help_are_those_of_the_simulator() -> None:
    """They are written out there, because the command line starts without numpy."""
    assert list(TRACES) == [trace.value for trace in Trace]
    assert list(POLICIES) == [policy.value for policy in PolicyName]


def test_the_first_lines_answer_the_three_questions() -> None:
    """Does it keep its promises, at what cost, what breaks first."""
    result = simulate("-s", "prod", "--queue", "thumbnails", "--policy", "plan", "--hours", "0.4", "--price", "0.05")
    lines = result.stdout.splitlines()
    assert result.exit_code == 0
    assert lines[0] == "Fleet celery-fleet, environment prod: 1 queues, seed 1"
    assert lines[1] == "Keeps its promises: yes, on all 10 traces that count."
    assert re.fullmatch(r"Costs: [\d.]+ pod-hours, USD [\d.]+; 10 of 10 traces kept\.", lines[2])
    assert re.fullmatch(r"  thumbnails: [\d.]+ pod-hours at USD 0\.05, USD [\d.]+", lines[3])
    assert lines[4].startswith("Breaks first under more load: thumbnails, above 2.")
    assert lines[5].startswith("With runtimes twice as long as declared: breaks thumbnails (flash")
    assert lines[6] == "With pods that start 5 s later: every promise still holds."
    assert sum(line.startswith("thumbnails ") for line in lines) == 10


@pytest.mark.scan
def test_a_dump_beyond_the_plan_is_shown_and_counts_only_when_it_was_asked_for() -> None:
    """900 messages at once on a queue that promises a second: arithmetic says no, so it is no finding, unless it was the question."""
    quiet = simulate("--queue", "high", "--policy", "plan", "--hours", "0.2")
    assert (quiet.exit_code, "on all 9 traces that count; 1 batch dump(s) are beyond it" in quiet.stdout) == (0, True)
    assert "900 messages at once are 9 pod-seconds (900 x 80ms / 8 slots); within 1s there are 1" in quiet.stdout
    asked = simulate("--queue", "high", "--policy", "plan", "--hours", "0.2", "--trace", "batch")
    assert asked.exit_code == 1
    assert "Keeps its promises: no, it misses 1 of 1 traces that count: high on batch" in asked.stdout


def test_json_has_every_run_and_every_limit() -> None:
    """Programs get the same answer under stable names."""
    result = simulate("--queue", "reports", "--hours", "1", "--json")
    report = json.loads(result.stdout)
    assert (report["fleet"], report["environment"], report["kept"], report["counted"]) == (
        "celery-fleet",
        "local",
        True,
        10,
    )
    assert {run["policy"] for run in report["outcomes"]} == {"plan", "keda-default", "fixed-peak", "clairvoyant"}
    steady = report["outcomes"][0]
    assert (steady["queue"], steady["trace"], steady["kept"], steady["cost"]) == ("reports", "steady", True, None)
    assert steady["ratio"] >= 1
    assert report["stresses"][0]["load_multiple"] >= 1


def test_a_pod_hour_costs_what_the_plan_says_unless_a_price_is_given() -> None:
    """A pod of reports takes a core of the 3690m of a node in prod; where nothing is paid there is no cost."""
    words = ("--queue", "reports", "--trace", "steady", "--policy", "fixed-peak", "--hours", "1", "--json")
    planned = json.loads(simulate("-s", "prod", *words).stdout)
    given = json.loads(simulate("-s", "prod", "--price", "0.5", *words).stdout)
    own = json.loads(simulate(*words).stdout)
    assert [(price["queue"], round(price["usd_per_hour"], 4)) for price in planned["prices"]] == [("reports", 0.0408)]
    assert [round(run["cost"] / run["pod_hours"], 3) for run in planned["outcomes"]] == [0.041, 0.041]
    assert given["prices"] == [{"queue": "reports", "usd_per_hour": 0.5}]
    assert [round(run["cost"] / run["pod_hours"], 3) for run in given["outcomes"]] == [0.5, 0.5]
    assert (own["prices"], [run["cost"] for run in own["outcomes"]]) == ([], [None, None])


def test_a_queue_whose_nodes_have_no_price_is_said_to_be_left_out(tmp_path: Path) -> None:
    """The sum would look whole without it."""
    path = tmp_path / "queues.yaml"
    path.write_text(Path(SAMPLE).read_text() + "    pod: {gpu: 1}\n")
    words = ["-s", "prod", "--queue", "thumbnails", "--queue", "reports", "--trace", "steady", "--policy", "plan"]
    result = CliRunner().invoke(app, ["simulate", "-f", str(path), *words, "--hours", "0.2"], env=WIDE)
    thumbnails, reports = result.stdout.splitlines()[3:5]
    assert re.fullmatch(r"  thumbnails: [\d.]+ pod-hours at USD 0\.0172, USD 0\.\d+", thumbnails)
    assert re.fullmatch(r"  reports: [\d.]+ pod-hours on nodes that are not counted", reports)


def test_the_page_needs_nothing_else_and_shows_each_trace(tmp_path: Path) -> None:
    """No network, no script; four charts a trace, the missed ones open."""
    page = tmp_path / "report.html"
    result = simulate(
        "-s",
        "prod",
        "--queue",
        "high",
        "--trace",
        "step",
        "--trace",
        "batch",
        "--policy",
        "plan",
        "--hours",
        "0.2",
        "--html",
        str(page),
    )
    text = page.read_text()
    assert result.exit_code == 1
    assert text.count("<svg ") == 8
    assert text.count("<details open>") == 1
    assert "prefers-color-scheme: dark" in text
    assert not re.search(r"https?://|<script|src=", text)
    assert all(len(numbers.split()) % 2 == 0 for numbers in re.findall(r'd="M([\d. -]+)"', text))


def test_a_recorded_trace_of_one_queue_counts(tmp_path: Path) -> None:
    """Ten minutes of two thumbnails a second, then a dump of 300 that ten pods cannot start within a minute."""
    path = tmp_path / "monday.csv"
    path.write_text("time,runtime\n" + "".join(f"{number / 2},2\n" for number in range(1200)) + "600,4\n" * 300)
    result = simulate("-s", "prod", "--queue", "thumbnails", "--trace-file", str(path), "--policy", "plan", "--json")
    (run,) = json.loads(result.stdout)["outcomes"]
    assert (run["trace"], run["tasks"], run["kept"]) == ("monday.csv", 1500, False)
    assert result.exit_code == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param(["--trace", "stedy"], "--trace stedy: is no trace\n  Did you mean steady?", id="a-trace"),
        pytest.param(
            ["--policy", "hpa"],
            "--policy hpa: is no policy\n  Did you mean hpa-cpu? There are plan, hpa-cpu",
            id="a-policy",
        ),
        pytest.param(["--queue", "report"], "--queue report: is no queue\n  Did you mean reports?", id="a-queue"),
        pytest.param(["--trace-file", "x.csv"], "is for one queue, and there are high, default", id="a-file-for-all"),
    ],
)
def test_a_name_that_is_not_there_is_wrong_usage(words: list[str], said: str) -> None:
    """Exit code 2, with what there is."""
    result = simulate(*words)
    assert result.exit_code == 2
    assert said in result.stderr


def test_more_tasks_than_fit_are_refused_with_the_hours_that_fit() -> None:
    """Nobody waits an hour to run out of memory."""
    result = simulate("-s", "prod", "--queue", "high", "--hours", "100")
    assert result.exit_code == 1
    assert "would have up to 43,200,000 tasks" in result.stderr
    assert "--hours 23" in result.stderr


def test_without_numpy_it_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The core alone has no numpy."""
    find = util.find_spec
    monkeypatch.setattr(util, "find_spec", lambda name, *rest: None if name == "numpy" else find(name, *rest))
    result = simulate()
    assert result.exit_code == 1
    assert "pip install 'celery-fleet[simulate]'" in result.stderr


def test_the_other_commands_do_not_load_it() -> None:
    """`fleet plan` pays for no numpy."""
    code = "import sys; from fleet.cli import app; assert 'numpy' not in sys.modules and 'fleet.simulate' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
