"""What changes and what does not, when `pulumi` runs again on a fleet that is up."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.program_changes import catalogue_with, planned_steps, resource_changes, settings_with
from tests.cluster.running_fleet import ROOT, RunningFleet

pytestmark = pytest.mark.cluster

QUEUES: tuple[str, ...] = tuple(yaml.safe_load((ROOT / "queues.yaml").read_text())["queues"])


def test_a_second_up_changes_nothing(fleet: RunningFleet) -> None:
    """An `up` of what is up already leaves every resource as it is."""
    done = fleet.pulumi("up", "--yes", "--skip-preview", "--expect-no-changes", "--json")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert set(resource_changes(done.stdout)) == {"same"}


def test_what_the_autoscaler_and_the_controllers_write_is_no_drift(fleet: RunningFleet) -> None:
    """After scaling has settled the cluster holds what the program says, replicas of autoscaled Deployments aside."""
    fleet.wait_until_at_minimum()
    done = fleet.pulumi("refresh", "--preview-only", "--expect-no-changes")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


def _longer_limit(queues: dict[str, Any]) -> None:
    queues["reports"]["runtime"]["limit"] = "11m"


def _more_load(queues: dict[str, Any]) -> None:
    queues["thumbnails"]["load"]["peak"] = "20/s"


def _more_memory(queues: dict[str, Any]) -> None:
    queues["high"]["memory"] = "100Mi"


PAGE = frozenset({"web-document", "web-deployment"})
"""What shows a queue's peak and promise: the page of the web layer."""


@pytest.mark.parametrize(
    ("queue", "change", "shown"),
    [
        pytest.param("reports", _longer_limit, frozenset[str](), id="limit-of-reports"),
        pytest.param("thumbnails", _more_load, PAGE, id="peak-of-thumbnails"),
        pytest.param("high", _more_memory, frozenset[str](), id="memory-of-high"),
    ],
)
def test_one_number_of_one_queue_touches_that_queue_alone(
    fleet: RunningFleet, tmp_path: Path, queue: str, change: Callable[[dict[str, Any]], None], shown: frozenset[str]
) -> None:
    """Every resource that a preview would touch carries the name of the queue whose number changed, or shows it."""
    settings = settings_with(tmp_path, catalogue=catalogue_with(change))
    done = fleet.pulumi("preview", "--json", "--config-file", str(settings))
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    touched = {step.name for step in planned_steps(done.stdout)}
    assert touched, "the change reached no resource"
    assert {name for name in touched if queue not in name} == shown


def test_the_catalogue_as_it_stands_read_from_elsewhere_changes_nothing(fleet: RunningFleet, tmp_path: Path) -> None:
    """The other tests of one number rest on this: where the catalogue lies is no difference."""
    settings = settings_with(tmp_path, catalogue=catalogue_with(lambda queues: None))
    done = fleet.pulumi("preview", "--expect-no-changes", "--config-file", str(settings))
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


def _as_deployed(fleet: RunningFleet) -> tuple[dict[str, Any], dict[str, int]]:
    """Which objects Pulumi's state holds and when it changed each last, and their generations, which move with a specification.

    Values are left out: secrets are encrypted anew each time the state is written.
    """
    state = json.loads(fleet.pulumi("stack", "export").stdout)
    resources = {
        resource["urn"]: (resource.get("id"), resource.get("modified"))
        for resource in state["deployment"].get("resources", [])
        if resource["custom"]
    }
    objects = fleet.objects("deployments.apps,statefulsets.apps,services,networkpolicies.networking.k8s.io")
    generations = {
        f"{item['kind']}/{item['metadata']['name']}": item["metadata"].get("generation", 0)
        for item in objects
        # The autoscaler moves the generation of these by the replicas that it owns.
        if item["metadata"].get("labels", {}).get("app.kubernetes.io/component") not in {"worker", "web"}
    }
    return resources, generations


def test_a_broken_catalogue_changes_nothing_and_names_the_line(fleet: RunningFleet, tmp_path: Path) -> None:
    """All findings come in one run with their places, before the first resource, without a traceback."""

    def broken(queues: dict[str, Any]) -> None:
        queues["reports"]["runtime"]["p99"] = "15m"
        queues["high"]["wait"]["promise"] = "soon"

    text = catalogue_with(broken)
    line_of = {value: text[: text.index(value)].count("\n") + 1 for value in ("p99: 15m", "promise: soon")}
    settings = settings_with(tmp_path, catalogue=text)
    before = _as_deployed(fleet)
    done = fleet.pulumi("up", "--yes", "--skip-preview", "--config-file", str(settings))
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert f"queues.yaml:{line_of['p99: 15m']}:" in said
    assert f"queues.yaml:{line_of['promise: soon']}:" in said
    assert "queues.reports.runtime.p99" in said
    assert "queues.high.wait.promise" in said
    assert "Traceback" not in said
    assert _as_deployed(fleet) == before


def test_queues_of_the_catalogue_and_of_the_cluster_are_the_same(fleet: RunningFleet) -> None:
    """No queue without workers, no workers without a queue."""
    labelled = {
        item["metadata"]["labels"]["celery-fleet/queue"]
        for item in fleet.objects("deployments.apps", "-l", "app.kubernetes.io/component=worker")
    }
    assert labelled == set(QUEUES)
