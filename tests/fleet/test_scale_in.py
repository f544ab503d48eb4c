"""Where idle pods are stopped first, and that nowhere else anybody says so."""

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from fleet.documents import scale_in_document
from fleet.environment import default_environment
from fleet.loading import load_plan
from fleet.plan import Plan
from fleet.records import Basis
from fleet.rendering import shared_rows
from tests.fleet.strategies import Raw, catalogues, load_from, sample_catalogue

ROOT = Path(__file__).parents[2]

MINUTES = {"mean": "60s", "p99": "4m", "limit": "10m"}
ON_SPOT = {"capacity": "spot", "idempotent": True}


@pytest.mark.parametrize(
    ("environment", "fields", "pays"),
    [
        pytest.param("dev", {**ON_SPOT, "runtime": MINUTES}, True, id="minutes-on-spot"),
        pytest.param("local", {**ON_SPOT, "runtime": MINUTES}, False, id="minutes-where-there-is-no-spot"),
        pytest.param("dev", {"runtime": MINUTES}, False, id="minutes-with-a-grace-that-covers-them"),
        pytest.param("dev", {**ON_SPOT, "runtime": {**MINUTES, "limit": "241s"}}, True, id="beyond-the-soft-shutdown"),
        pytest.param("dev", {**ON_SPOT, "runtime": {"mean": "2s", "p99": "9s", "limit": "100s"}}, False, id="just-within-it"),
        pytest.param("dev", {**ON_SPOT, "runtime": {"mean": "2s", "p99": "9s", "limit": "101s"}}, True, id="just-beyond-it"),
        pytest.param("dev", {**ON_SPOT, "runtime": MINUTES, "replicas": {"min": 0, "max": 1}}, False, id="one-pod-or-none"),
        pytest.param("dev", {**ON_SPOT, "runtime": MINUTES, "replicas": {"min": 0, "max": 2}}, True, id="two-pods-or-fewer"),
        pytest.param("dev", {**ON_SPOT, "runtime": MINUTES, "replicas": {"min": 3, "max": 3}}, False, id="a-fixed-number"),
    ],
)  # fmt: skip
def test_it_pays_where_a_scale_in_may_interrupt_and_choose(
    tmp_path: Path, environment: str, fields: dict[str, Any], pays: bool
) -> None:
    """A worker on spot gives its tasks 100 s, whether its node goes or only its pod."""
    raw = sample_catalogue(**{"load": {"peak": "1/min"}, "wait": {"promise": "20m"}, **fields})
    plan = load_from(raw, tmp_path, environment=environment)
    assert bool(plan.scale_in.queues) is pays


@pytest.mark.parametrize("environment", ["local", "dev", "staging", "prod"])
def test_the_shipped_catalogue_has_no_controller(environment: str) -> None:
    """Its one queue on spot has tasks of seconds."""
    assert load_plan(ROOT / "queues.yaml", default_environment(environment)).scale_in.queues == ()


@given(catalogues())
def test_every_queue_that_is_named_may_lose_work(raw: Raw) -> None:
    """And every one that is not finishes what it holds, or has no choice of pods."""
    with tempfile.TemporaryDirectory() as folder:
        plan = load_from(raw, Path(folder))
    for queue in plan.queues:
        finishes = queue.worker.hard_limit_seconds < queue.worker.grace_seconds and queue.worker.shutdown == "warm"
        fixed = queue.autoscaling.max_replicas in (1, queue.autoscaling.min_replicas)
        if queue.name in plan.scale_in.queues:
            assert not finishes
            assert not fixed
            assert queue.capacity == "spot"
        else:
            assert finishes or fixed or queue.worker.hard_limit_seconds <= 100


def rows(plan: Plan) -> dict[str, str]:
    """What is shown beside the queues."""
    return {row[0]: row[1] for row in shared_rows(plan)}


def test_the_plan_says_where_and_why(tmp_path: Path) -> None:
    """In its table, among its reasons, and in what the controller is given."""
    plan = load_from(sample_catalogue(**ON_SPOT, runtime=MINUTES, load={"peak": "1/s"}), tmp_path, explain=True)
    [name] = [queue.name for queue in plan.queues]
    [reason] = [reason for reason in plan.reasons if reason.path == "fleet.scale_in.queues"]
    assert (reason.value, reason.basis) == ("1", Basis.CHOSEN)
    assert reason.formula == f"on spot with a limit above soft shutdown 100s, and pods to choose from: queues {name}"
    assert rows(plan)["scale-in"] == f"a controller: of {name} the idlest pods are stopped first"
    assert scale_in_document(plan).queues == (name,)


def test_a_plan_without_one_says_why_not(tmp_path: Path) -> None:
    """Only among its reasons."""
    plan = load_from(sample_catalogue(), tmp_path, explain=True)
    [reason] = [reason for reason in plan.reasons if reason.path == "fleet.scale_in.queues"]
    assert reason.value == "0"
    assert "scale-in" not in rows(plan)
