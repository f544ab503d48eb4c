"""`fleet measure`: what was seen, what to write, what follows; and how it ends where nobody answers."""

import json
import math
from collections.abc import Iterator
from importlib import util
from pathlib import Path
from statistics import NormalDist
from typing import Any

import pytest
from typer.testing import CliRunner

from fleet.cli import app
from fleet.metrics import derive_metrics
from fleet.series import bucket_bound
from tests.fleet.measure.servers import NOW, Answer, FakePrometheus, histogram, matrix, serving, vector
from tests.fleet.measure.test_scrapes import Worker

CATALOGUE = """\
# What our tasks take; ask Ada before you change it.
application: shop.celery:app
queues:
  mail: # letters
    tasks: [shop.mail.*]
    profile: cpu
    runtime: {mean: 2s, p99: 6s, limit: 60s} # guessed
    load: {peak: 2/s} # Mondays
    wait: {promise: 60s}
    memory: 150Mi
  quiet:
    tasks: [shop.quiet.*]
    profile: io
    runtime: {mean: 100ms, p99: 400ms, limit: 5s}
    load: {peak: 1/h}
"""
MAIL = {"queue": "mail"}
TASKS = 20_000


def twice_as_long() -> dict[str, Answer]:
    """The tasks of `mail` take 4 s on average and 12 s in the 99th percentile: log sigma 0.533."""
    sigma = 0.533
    log = NormalDist(math.log(4) - sigma**2 / 2, sigma)
    bounds = derive_metrics(promise_seconds=60, mean_seconds=2, p99_seconds=6, limit_seconds=60).run_bounds_seconds
    counts = {bucket_bound(bound): TASKS * log.cdf(math.log(bound)) for bound in bounds} | {"+Inf": float(TASKS)}
    return {
        **histogram("fleet_task_run_seconds", "mail", counts, 4.0 * TASKS),
        **histogram("fleet_task_wait_seconds", "mail", {"60.0": 0.8 * TASKS, "+Inf": float(TASKS)}, 1.0),
        "fleet_worker_peak_resident_bytes": vector((MAIL, (96 + 150) * 2**20)),
        "quantile fleet_worker_startup_seconds": vector((MAIL, 31.0)),
        "count fleet_worker_startup_seconds": vector((MAIL, 44)),
        "fleet_tasks_finished_total": matrix((MAIL, {NOW - 300 * at: 580.0 for at in range(12, -1, -1)})),
    }


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "queues.yaml").write_text(CATALOGUE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def prometheus() -> Iterator[str]:
    with serving(FakePrometheus(twice_as_long())) as address:
        yield address


def run(*words: str) -> Any:
    return CliRunner().invoke(app, ["measure", "-s", "prod", *words], env={"COLUMNS": "200"})


def test_a_runtime_declared_at_half_the_truth_is_found_proposed_and_simulated(folder: Path, prometheus: str) -> None:
    """Mean within a tenth, p99 within a fourth, and the promise that the old plan breaks is kept by the new one."""
    result = run("--prometheus", prometheus, "--json")
    assert result.exit_code == 0
    answer = json.loads(result.stdout)
    mail, quiet = answer["queues"]
    mean, p99, peak, memory = mail["figures"]
    assert mean["measured"] == pytest.approx(4.0, rel=0.1)
    assert p99["measured"] == pytest.approx(12.0, rel=0.25)
    assert [figure["verdict"] for figure in mail["figures"]] == ["differs", "differs", "fits", "fits"]
    assert (peak["measured"], memory["samples"]) == (pytest.approx(580 / 300), TASKS)
    assert mail["promise"] == {"percent": 80.0, "promised_percent": 95.0, "promised_wait_seconds": 60.0, "tasks": TASKS}
    assert {figure["verdict"] for figure in quiet["figures"]} == {"unseen"}
    assert [(change["path"], change["before"]) for change in answer["changes"]] == [
        ("runtime.mean", "2s"),
        ("runtime.p99", "6s"),
    ]
    (promise,) = answer["promises"]
    assert (promise["queue"], promise["before"]["kept"], promise["after"]["kept"]) == ("mail", False, True)
    assert answer["comparison"]["queues"][0]["queue"] == "mail"
    assert (answer["written"], (folder / "queues.yaml").read_text()) == ([], CATALOGUE)


def test_text_tells_figures_change_promise_replicas_and_cost(folder: Path, prometheus: str) -> None:
    lines = run("--prometheus", prometheus).stdout.splitlines()
    text = "\n".join(" ".join(line.split()) for line in lines)
    assert lines[0] == f"Fleet celery-fleet, environment prod: {prometheus}, the last 24h"
    assert "mail runtime.mean 2s 4s 20,000 tasks DIFFERS 2.00 x, not within 0.8 to 1.25" in text
    assert "mail wait 95 % in 1m 80.00 % 20,000 tasks NOT kept" in text
    assert "quiet memory 64Mi - 0 tasks unseen nothing was seen" in text
    assert "startup 75s 31s 44 pods told" in text
    assert "- runtime: {mean: 2s, p99: 6s, limit: 60s} # guessed" in text
    assert "mail: 95 % within 1m, NOT kept (" in text
    assert "mail.replicas.max:" in text
    assert "costs, USD a month:" in text
    assert lines[-1] == "Nothing is written; --write does it."


def test_write_keeps_every_comment_and_then_nothing_is_left_to_change(folder: Path, prometheus: str) -> None:
    assert run("--prometheus", prometheus, "--write").stdout.splitlines()[-1] == "Written: queues.yaml"
    written = (folder / "queues.yaml").read_text()
    changed = [
        after for before, after in zip(CATALOGUE.splitlines(), written.splitlines(), strict=True) if before != after
    ]
    (line,) = changed
    assert line.startswith("    runtime: {mean: 4s, p99: ")
    assert line.endswith(", limit: 60s} # guessed")
    again = run("--prometheus", prometheus, "--write")
    assert "Nothing to change: no figure differs enough with enough behind it." in again.stdout
    assert (folder / "queues.yaml").read_text() == written


def test_without_numpy_the_promise_is_not_simulated_and_that_is_said(
    folder: Path, prometheus: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everything else is there."""
    found = util.find_spec
    monkeypatch.setattr(util, "find_spec", lambda name, *rest: None if name == "numpy" else found(name, *rest))
    result = run("--prometheus", prometheus)
    assert result.exit_code == 0
    assert "Promises were not simulated: that takes numpy (the extra `simulate`)." in result.stdout


def test_a_change_that_would_not_pass_is_shown_with_its_findings_and_never_written(
    folder: Path, prometheus: str
) -> None:
    """Above 20 ms no slot may hold several messages."""
    wrong = CATALOGUE.replace("mean: 2s, p99: 6s", "mean: 10ms, p99: 30ms") + ""
    wrong = wrong.replace("    memory: 150Mi\n", "    memory: 150Mi\n    args: {prefetch_multiplier: 4}\n")
    (folder / "queues.yaml").write_text(wrong)
    result = run("--prometheus", prometheus, "--write")
    assert result.exit_code == 1
    assert (
        "The changed catalogue would not pass:\nqueues.yaml:11:12: queues.mail.args.prefetch_multiplier "
        in result.stdout
    )
    assert "Nothing is written" in result.stdout
    assert (folder / "queues.yaml").read_text() == wrong


def worker_of(queue: str = "mail", tasks: int = 400) -> Worker:
    worker = Worker(queue, bounds=(2.0, 6.0, 60.0))
    for _ in range(tasks):
        worker.did(4.0)
    return worker


def test_files_of_workers_are_looked_at_since_their_start(folder: Path) -> None:
    """Arrivals take two looks."""
    (folder / "one.txt").write_text(worker_of().text())
    (folder / "two.txt").write_text(worker_of().text())
    answer = json.loads(run("--scrape", "one.txt", "--scrape", "two.txt", "--json").stdout)
    mean, _, peak, _ = answer["queues"][0]["figures"]
    assert (mean["measured"], mean["samples"], mean["verdict"]) == (4.0, 800, "differs")
    assert (peak["verdict"], peak["why"]) == ("unseen", "takes two looks (--for 10m) or a Prometheus")
    assert (answer["window_seconds"], answer["source"]) == (None, "one.txt, two.txt, since the workers' start")


def test_a_worker_is_looked_at_twice(folder: Path) -> None:
    """700 tasks between the looks, a second apart."""
    looks = iter([worker_of(tasks=400).text(), worker_of(tasks=1100).text()])
    with serving(lambda *_: (200, next(looks).encode())) as address:
        answer = json.loads(run("-s", "local", "--worker", address, "--for", "1s", "--json").stdout)
    mean, _, peak, _ = answer["queues"][0]["figures"]
    assert (mean["samples"], peak["samples"]) == (700, 700)
    assert 0 < peak["measured"] <= 700


@pytest.mark.parametrize(
    "words",
    [
        pytest.param([], id="nobody-to-ask"),
        pytest.param(["--prometheus", "localhost:9090"], id="an-address-without-a-scheme"),
        pytest.param(["--prometheus", "http://me:hidden@localhost"], id="a-password-in-an-address"),
        pytest.param(["--prometheus", "http://localhost:9", "--window", "soon"], id="a-window-that-is-no-time"),
        pytest.param(["--prometheus", "http://localhost:9", "--window", "90d"], id="a-window-of-a-season"),
        pytest.param(["--prometheus", "http://localhost:9", "--for", "10m"], id="waiting-on-a-prometheus"),
        pytest.param(["--worker", "worker-mail"], id="a-worker-that-is-no-address"),
        pytest.param(["--worker", "http://localhost:9", "--for", "10"], id="a-time-without-a-unit"),
        pytest.param(["--scrape", "missing.txt"], id="a-file-that-is-not-there"),
        pytest.param(["--scrape", "queues.yaml", "--for", "10m"], id="waiting-on-a-file"),
    ],
)
def test_2_where_the_command_line_is_wrong(words: list[str], folder: Path) -> None:
    result = run(*words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert isinstance(result.exception, SystemExit)
    assert "hidden" not in result.stderr


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(["--prometheus", "http://127.0.0.1:9"], id="a-prometheus-that-does-not-answer"),
        pytest.param(["--worker", "http://127.0.0.1:9"], id="a-worker-that-does-not-answer"),
        pytest.param(["--scrape", "queues.yaml"], id="a-file-of-something-else"),
        pytest.param(["--scrape", "other.txt"], id="a-worker-of-another-fleet"),
    ],
)
def test_1_where_what_is_asked_gives_no_answer(words: list[str], folder: Path) -> None:
    """With place and cure, in JSON as well, and never a traceback."""
    (folder / "other.txt").write_text(worker_of("letters").text())
    result = run(*words, "--json")
    assert (result.exit_code, result.stderr) == (1, "")
    assert isinstance(result.exception, SystemExit)
    error = json.loads(result.stdout)["error"]
    assert error["where"]
    assert error["fix"]


def test_the_address_may_stand_in_the_environment(folder: Path, prometheus: str) -> None:
    words = ["measure", "-s", "prod", "--json"]
    result = CliRunner().invoke(app, words, env={"FLEET_PROMETHEUS": prometheus})
    assert json.loads(result.stdout)["source"] == f"{prometheus}, the last 24h"
