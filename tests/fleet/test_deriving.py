"""The plan of the sample catalogue in numbers worked out by hand, and the laws that hold for every catalogue."""

import re
import tempfile
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.documents import producer_document
from fleet.environment import default_environment, load_environment
from fleet.loading import load_plan
from fleet.plan import Plan
from fleet.scaling import Regime
from fleet.sizing import Shutdown
from fleet.units import parse_duration_seconds
from tests.fleet.strategies import catalogues, load_from, sample_catalogue

ROOT = Path(__file__).parents[2]
DNS_LABEL = re.compile(r"[a-z]([a-z0-9-]*[a-z0-9])?")


def sample_plan(environment: str) -> Plan:
    return load_plan(ROOT / "queues.yaml", default_environment(environment))


def plan_of(raw: dict[str, Any], environment: str = "dev") -> Plan:
    with tempfile.TemporaryDirectory() as folder:
        return load_from(raw, Path(folder), environment=environment)


@pytest.mark.parametrize("environment", ["local", "dev", "staging", "prod"])
def test_the_repositorys_catalogue_passes_in_every_environment(environment: str) -> None:
    """What a user copies first is right everywhere, with the repository's own stack files too."""
    plan = load_plan(ROOT / "queues.yaml", load_environment(ROOT, environment))
    assert [queue.name for queue in plan.queues] == ["high", "default", "thumbnails", "reports"]


@pytest.mark.parametrize(
    ("environment", "queue", "regime", "peak", "minimum", "maximum"),
    [
        # local: a quarter of the load, pods in 5 s: reaction 18 s.
        pytest.param("local", "high", Regime.SHORT, 1, 1, 2, id="local-high-2.4-slots-in-one-pod-of-8"),
        pytest.param("local", "default", Regime.MID, 1, 1, 2, id="local-default-0.75-slots-a-shard"),
        pytest.param("local", "thumbnails", Regime.LONG, 2, 1, 4, id="local-thumbnails-one-busy-slot-needs-two"),
        pytest.param("local", "reports", Regime.LONG, 3, 0, 6, id="local-reports-two-busy-slots-need-three"),
        # prod: the whole load, nodes in 75 s: reaction 88 s, so only ten minutes are long.
        pytest.param("prod", "high", Regime.SHORT, 2, 2, 4, id="prod-high-9.6-over-0.9-is-11-slots"),
        pytest.param("prod", "default", Regime.SHORT, 1, 1, 2, id="prod-default-3-over-0.9-is-4-slots-a-shard"),
        pytest.param("prod", "thumbnails", Regime.SHORT, 5, 3, 10, id="prod-thumbnails-4.21-by-half-are-there-before"),
        pytest.param("prod", "reports", Regime.LONG, 9, 0, 18, id="prod-reports-8-over-0.95-is-9"),
    ],
)
def test_the_sample_scales_as_worked_out_by_hand(
    *, environment: str, queue: str, regime: Regime, peak: int, minimum: int, maximum: int
) -> None:
    """docs/designs/scaling.md works these out."""
    (auto,) = [item.autoscaling for item in sample_plan(environment).queues if item.name == queue]
    assert (auto.regime, auto.peak_replicas, auto.min_replicas, auto.max_replicas) == (regime, peak, minimum, maximum)


def test_the_samples_workers_are_as_worked_out_by_hand() -> None:
    """Slots, soft limit, grace, CPU and memory of each queue in production."""
    numbers = [
        (
            queue.name, queue.worker.pool.value, queue.worker.concurrency, queue.worker.soft_limit_seconds,
            queue.worker.grace_seconds, queue.resources.cpu_request_millicores, queue.resources.memory_bytes // 2**20,
        )
        for queue in sample_plan("prod").queues
    ]  # fmt: skip
    assert numbers == [
        ("high", "gevent", 8, None, 65, 496, 688),
        ("default", "gevent", 4, None, 70, 248, 320),
        ("thumbnails", "prefork", 1, 25, 120, 1000, 352),
        ("reports", "prefork", 1, 540, 660, 1000, 400),
    ]


def test_spot_capacity_is_used_only_where_the_environment_has_it() -> None:
    """Locally a spot queue is a plain one, with a warm shutdown."""
    shutdowns = {
        name: next(queue.worker.shutdown for queue in sample_plan(name).queues if queue.name == "thumbnails")
        for name in ("local", "prod")
    }
    assert shutdowns == {"local": Shutdown.WARM, "prod": Shutdown.SOFT}


def test_an_environments_minimum_stands_in_for_the_catalogues(tmp_path: Path) -> None:
    """A minimum for one environment needs no second catalogue."""
    (tmp_path / "Pulumi.dev.yaml").write_text("config:\n  celery-fleet:environment:\n    minimums: {mail: 7}\n")
    environment = load_environment(tmp_path, "dev")
    load_from(sample_catalogue(wait={"promise": "20m"}), tmp_path)
    (queue,) = load_plan(tmp_path / "queues.yaml", environment).queues
    assert (queue.autoscaling.min_replicas, queue.autoscaling.max_replicas) == (7, 7)


def test_a_declared_burst_sets_the_minimum_of_a_short_promise() -> None:
    """100/s for 20 s on 4 slots of 200 ms: 20 / 3.8 x 20/(20 + 1) = 5.01."""
    raw = sample_catalogue(load={"peak": "10/s", "burst": {"rate": "100/s", "lasts": "20s"}}, wait={"promise": "1s"})
    (queue,) = plan_of(raw).queues
    assert queue.autoscaling.min_replicas == 6


def test_a_queue_can_stay_out_of_the_retries_of_the_defaults(tmp_path: Path) -> None:
    """0 leaves retries to the tasks; pauses are whole seconds, never shorter than stated."""
    raw = sample_catalogue()
    raw["defaults"] = {"retries": {"max": 3, "backoff": "1500ms"}}
    raw["queues"]["other"] = {**raw["queues"]["mail"], "tasks": ["other.*"], "retries": {"max": 0}}
    mail, other = load_from(raw, tmp_path).queues
    assert mail.worker.retries is not None
    assert mail.worker.retries.pauses_seconds == (2, 4, 8)
    assert other.worker.retries is None


@given(catalogues())
def test_the_numbers_of_every_queue_are_in_order(raw: dict[str, Any]) -> None:
    """soft < hard < grace < consumer timeout (grace: where running tasks are finished), min <= max, requests <= limits."""
    for queue in plan_of(raw).queues:
        worker, auto, resources = queue.worker, queue.autoscaling, queue.resources
        soft = worker.soft_limit_seconds or 0
        assert soft < worker.hard_limit_seconds < queue.topology.policy.consumer_timeout_seconds
        assert worker.grace_seconds < queue.topology.policy.consumer_timeout_seconds
        if worker.shutdown is Shutdown.WARM:
            assert worker.hard_limit_seconds < worker.grace_seconds
        else:
            assert worker.soft_shutdown_seconds < worker.grace_seconds <= 120
        assert auto.min_replicas <= auto.max_replicas
        assert 1 <= auto.peak_replicas <= auto.max_replicas
        assert auto.fallback_replicas >= 1
        assert resources.cpu_request_millicores >= 1
        assert (
            resources.cpu_limit_millicores is None or resources.cpu_request_millicores <= resources.cpu_limit_millicores
        )


@given(catalogues())
def test_every_name_that_is_derived_is_a_short_enough_label(raw: dict[str, Any]) -> None:
    """KEDA's HPA of a shard is the longest name of an object, the dead-letter queue the longest in the broker."""
    for queue in plan_of(raw).queues:
        for name in (*queue.topology.shards, queue.topology.dead_letter_queue):
            assert DNS_LABEL.fullmatch(name)
            assert len(f"keda-hpa-worker-{name}") <= 63
        assert len(set(queue.topology.shards)) == len(queue.topology.shards)


@given(catalogues())
def test_every_broker_name_belongs_to_one_queue(raw: dict[str, Any]) -> None:
    """No two queues share a shard or a dead-letter queue."""
    names = [
        name for queue in plan_of(raw).queues for name in (*queue.topology.shards, queue.topology.dead_letter_queue)
    ]
    assert len(names) == len(set(names))


@given(catalogues())
def test_every_task_has_exactly_one_queue(raw: dict[str, Any]) -> None:
    """A task that a queue names finds one route, and it leads to that queue."""
    plan = plan_of(raw)
    routes = producer_document(plan).routes
    for queue in plan.queues:
        task = queue.tasks[0].replace("*", "send")
        assert [route.queue for route in routes if fnmatchcase(task, route.pattern)] == [queue.name]


@given(catalogues(max_queues=1), st.integers(2, 5))
def test_more_load_never_means_fewer_pods(raw: dict[str, Any], factor: int) -> None:
    """Peak, minimum and maximum only grow with the load."""
    (queue,) = raw["queues"].values()
    (before,) = plan_of(raw).queues
    number, unit = queue["load"]["peak"].split("/")
    queue["load"]["peak"] = f"{int(number) * factor}/{unit}"
    (after,) = plan_of(raw, "prod").queues
    for field in ("peak_replicas", "min_replicas", "max_replicas"):
        assert getattr(after.autoscaling, field) >= getattr(before.autoscaling, field)


@given(catalogues(max_queues=1), st.integers(2, 20))
def test_a_longer_promise_never_needs_more_pods(raw: dict[str, Any], factor: int) -> None:
    """Patience is never punished."""
    (queue,) = raw["queues"].values()
    (before,) = plan_of(raw).queues
    seconds = parse_duration_seconds(queue["wait"]["promise"])
    queue["wait"]["promise"] = f"{seconds * factor:g}s"
    (after,) = plan_of(raw).queues
    assert after.autoscaling.peak_replicas <= before.autoscaling.peak_replicas
    assert after.autoscaling.min_replicas <= before.autoscaling.min_replicas


@given(catalogues())
def test_the_same_catalogue_gives_the_same_plan(raw: dict[str, Any]) -> None:
    """Nothing rolls because of a set's order or a clock."""
    assert plan_of(raw) == plan_of(raw)
