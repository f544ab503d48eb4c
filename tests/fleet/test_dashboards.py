"""The dashboards of the shipped catalogue, and what Grafana asks of any."""

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from fleet.dashboards import Dashboard, derive_dashboards
from fleet.environment import load_environment
from fleet.loading import load_plan
from tests.fleet.promql import metrics, problems, texts
from tests.fleet.strategies import Raw, catalogues, load_from
from tests.fleet.test_alerts import KNOWN

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def shipped() -> dict[str, Dashboard]:
    """Of the repository's catalogue, by their kind."""
    plan = load_plan(ROOT / "queues.yaml", load_environment(ROOT, "prod"))
    return {item.uid.removeprefix("celery-fleet-"): item for item in derive_dashboards(plan)}


def test_there_is_one_for_the_fleet_one_for_a_queue_and_one_for_the_broker(shipped: dict[str, Dashboard]) -> None:
    """Each with a title that a search finds."""
    assert {name: item.title for name, item in shipped.items()} == {
        "overview": "celery-fleet: the fleet", "queue": "celery-fleet: one queue", "broker": "celery-fleet: the broker",
    }  # fmt: skip


def test_a_queue_is_chosen_among_those_of_the_catalogue(shipped: dict[str, Dashboard]) -> None:
    """By a variable; its promise stands beside its waits."""
    document = shipped["queue"].document()
    chosen = [item for item in document["templating"]["list"] if item["name"] == "queue"]
    assert [item["query"] for item in chosen] == ["high,default,thumbnails,reports"]
    wait = document["panels"][0]["targets"]
    assert wait[-1]["expr"] == 'max(fleet:promise_seconds{namespace="celery-fleet",queue="$queue"})'
    assert wait[1]["expr"] == (
        "histogram_quantile(0.95, sum by (le)"
        ' (rate(fleet_task_wait_seconds_bucket{namespace="celery-fleet",queue="$queue"}[5m])))'
    )


def test_a_query_is_asked_for_each_queue(shipped: dict[str, Dashboard]) -> None:
    """So that a test can ask them all."""
    asked = shipped["queue"].queries()
    assert not [text for text in asked if "$" in text]
    assert 'max(rabbitmq_detailed_queue_messages_ready{namespace="celery-fleet",queue="reports-dead"})' in asked
    assert len(asked) == 4 * sum(len(panel.queries) for panel in shipped["queue"].panels)


def test_what_grafana_reads_is_there(shipped: dict[str, Dashboard]) -> None:
    """Panels have ids and places of their own, targets a letter and the data source that is chosen above."""
    for dashboard in shipped.values():
        document: dict[str, Any] = json.loads(json.dumps(dashboard.document()))
        assert document["schemaVersion"] == 39
        assert document["templating"]["list"][0]["type"] == "datasource"
        panels = document["panels"]
        assert [panel["id"] for panel in panels] == list(range(1, len(panels) + 1))
        places = {(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels}
        assert len(places) == len(panels)
        for panel in panels:
            assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24
            assert panel["title"]
            assert panel["description"].endswith((".", "`."))
            assert [target["refId"] for target in panel["targets"]] == list("ABCDE")[: len(panel["targets"])]
            assert {target["datasource"]["uid"] for target in panel["targets"]} == {"${datasource}"}


@given(raw=catalogues(max_queues=2))
@settings(max_examples=5)
def test_every_query_of_any_catalogue_is_whole(raw: Raw) -> None:
    """It has its form, and is about this fleet and about series that somebody exports."""
    with tempfile.TemporaryDirectory() as folder:
        plan = load_from(raw, Path(folder), environment="prod")
    for dashboard in derive_dashboards(plan):
        assert len(dashboard.uid) <= 40
        for text in dashboard.queries():
            assert list(problems(text)) == [], text
            assert metrics(text) <= KNOWN | {"ALERTS"}, text
            assert texts(text).count(plan.fleet) == text.count("{")
