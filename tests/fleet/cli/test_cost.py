"""`fleet cost`: what a person and a program get."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fleet.cli import app

SAMPLE = str(Path(__file__).parents[3] / "queues.yaml")


def lines(*words: str) -> list[str]:
    result = CliRunner().invoke(app, [*words, "-f", SAMPLE])
    assert result.exit_code == 0
    return result.stdout.splitlines()


def test_cost_shows_queues_shared_lines_and_promises() -> None:
    """The total, each queue, each shared line, and the date and region of the prices."""
    shown = lines("cost", "-s", "prod")
    (total,) = [line.split() for line in shown if line.startswith("TOTAL")]
    assert total[1:] == ["1,662.62", "1,882.32", "1,992.17"]
    (reports,) = [line for line in shown if line.startswith("reports") and "on-demand" in line]
    assert reports.split() == [
        "reports",
        "c7g.xlarge,",
        "on-demand",
        "0.00",
        "160.76",
        "267.93",
        "0.50975",
        "on-demand",
        "only",
    ]
    for text in (
        "EKS control plane",
        "broker nodes",
        "half as long",
        "Prices of 2026-07-20, us-east-1",
        "60% of the declared peak",
    ):
        assert any(text in line for line in shown)


def test_a_cluster_of_your_own_costs_nothing_here() -> None:
    """One line, not a table of zeros."""
    assert lines("cost") == ["Environment local: nothing to pay for: a cluster of your own."]


def test_cost_as_json_has_every_figure() -> None:
    """Programs get the parts, the total and the promises."""
    answer = json.loads("\n".join(lines("cost", "-s", "prod", "--json")))
    assert (answer["environment"], answer["cost"]["currency"], answer["cost"]["region"]) == ("prod", "USD", "us-east-1")
    assert answer["cost"]["total"]["expected"] == pytest.approx(1882.32, abs=0.01)
    assert [queue["queue"] for queue in answer["cost"]["queues"]] == ["high", "default", "thumbnails", "reports"]
    assert [promise["wait_seconds"] for promise in answer["promises"]] == [1, 30, 60, 600]


def test_plan_shows_nodes_and_cost_beside_the_queues() -> None:
    """Whoever plans sees what it takes."""
    shown = lines("plan", "-s", "prod")
    (nodes,) = [line for line in shown if line.startswith("nodes ")]
    (cost,) = [line for line in shown if line.startswith("cost ")]
    assert "3 x r7g.xlarge (broker)" in nodes
    assert "2 / 5 / 9 x c7g.xlarge (on-demand workers, idle / peak / most)" in nodes
    assert "USD 1,882 a month expected" in cost


@pytest.mark.parametrize(
    ("path", "first", "count"),
    [
        pytest.param("broker.memory", "fleet.broker.memory", 3, id="given-used-and-needed"),
        pytest.param("fleet.broker.memory.needed", "fleet.broker.memory.needed", 1, id="one-number-of-the-broker"),
        pytest.param("nodes.on-demand", "fleet.nodes.on-demand.minimum", 4, id="a-capacity-type"),
        pytest.param("cost.reports", "reports.cost.node", 5, id="one-queues-cost"),
        pytest.param("cost.total.peak", "fleet.cost.total.peak", 1, id="a-total"),
    ],
)
def test_why_explains_what_the_queues_share(path: str, first: str, count: int) -> None:
    """As it does a queue's own numbers."""
    found = json.loads("\n".join(lines("why", path, "-s", "prod", "--json")))
    assert (found[0]["path"], len(found)) == (first, count)


def test_a_broken_catalogue_ends_in_exit_code_1(tmp_path: Path) -> None:
    """With its findings, as every command."""
    path = tmp_path / "queues.yaml"
    path.write_text(Path(SAMPLE).read_text().replace("limit: 10m", "limit: 2m"))
    result = CliRunner().invoke(app, ["cost", "-f", str(path), "-s", "prod", "--json"])
    assert (result.exit_code, json.loads(result.stdout)["findings"][0]["path"]) == (1, "queues.reports.runtime.p99")
