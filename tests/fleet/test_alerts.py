"""The alerts of the shipped catalogue, number by number, and the laws that hold for any."""

import tempfile
from collections import Counter
from functools import cache
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings

import fleet.series
from fleet.alerts import Alert, derive_alerts
from fleet.alerts.rules import rule_file, rule_groups
from fleet.environment import load_environment
from fleet.loading import load_plan
from fleet.plan import Plan
from tests.fleet.promql import metrics, problems, texts
from tests.fleet.strategies import Raw, catalogues, load_from, sample_catalogue

ROOT = Path(__file__).parents[2]
RUNBOOK = ROOT / "docs" / "runbooks" / "alerts.md"

KINDS_OF_A_QUEUE = [
    "FleetPromiseAtRisk", "FleetPromiseAtRisk", "FleetBacklogWithoutConsumers", "FleetAtMaximum", "FleetUnackedAboveSlots",
    "FleetRedeliveries", "FleetDeadLetters", "FleetScalerErrors", "FleetRuntimeAwayFromDeclared",
]  # fmt: skip
KINDS_OF_THE_FLEET = [
    "FleetBrokerAlarm",
    "FleetQuorumAtRisk",
    "FleetUnrouted",
    "FleetDelayedStuck",
    *["FleetUnseen"] * 4,
]

KNOWN = {
    f"{name}{suffix}"
    for name in vars(fleet.series).values()
    if isinstance(name, str) and name.startswith(("fleet_", "fleet:", "rabbitmq_", "keda_"))
    for suffix in ("", "_bucket", "_count", "_sum")
}
"""Series that somebody exports."""


@cache
def shipped(environment: str) -> Plan:
    """The plan of the repository's catalogue."""
    return load_plan(ROOT / "queues.yaml", load_environment(ROOT, environment))


def one(environment: str, name: str, queue: str | None = None, **labels: str) -> Alert:
    """One alert of the shipped catalogue."""
    found = [
        item
        for item in derive_alerts(shipped(environment))
        if (item.name, item.queue) == (name, queue) and labels.items() <= item.labels.items()
    ]
    assert len(found) == 1, found
    return found[0]


def test_each_queue_has_every_kind_of_alert() -> None:
    """And what the queues share comes first."""
    found = [(item.queue, item.name) for item in derive_alerts(shipped("prod"))]
    expected: list[tuple[str | None, str]] = [(None, name) for name in KINDS_OF_THE_FLEET]
    expected += [(queue, name) for queue in ("high", "default", "thumbnails", "reports") for name in KINDS_OF_A_QUEUE]
    assert found == expected


def test_one_broker_node_has_no_quorum_to_lose() -> None:
    """Where it is gone, everything is; `FleetUnseen` tells that."""
    names = [item.name for item in derive_alerts(shipped("local"))]
    assert "FleetQuorumAtRisk" not in names
    assert names.count("FleetUnseen") == 4


def test_a_promise_burns_over_two_windows_at_once() -> None:
    """95 % within a second leave 5 %: at six times that a quarter of a day's budget is gone in an hour, at twice, half of it in six hours."""
    assert one("prod", "FleetPromiseAtRisk", "high", pace="fast").expression == (
        '(1 - sum(rate(fleet_task_wait_seconds_bucket{namespace="celery-fleet",queue="high",le="1.0"}[1h]))'
        ' / sum(rate(fleet_task_wait_seconds_count{namespace="celery-fleet",queue="high"}[1h]))) > 0.3\n'
        'and (1 - sum(rate(fleet_task_wait_seconds_bucket{namespace="celery-fleet",queue="high",le="1.0"}[5m]))'
        ' / sum(rate(fleet_task_wait_seconds_count{namespace="celery-fleet",queue="high"}[5m]))) > 0.3\n'
        'and (sum(increase(fleet_task_wait_seconds_count{namespace="celery-fleet",queue="high"}[1h]))'
        ' - sum(increase(fleet_task_wait_seconds_bucket{namespace="celery-fleet",queue="high",le="1.0"}[1h]))) >= 5'
    )
    slow = one("prod", "FleetPromiseAtRisk", "high", pace="slow").expression
    assert "[6h]))) > 0.1\n" in slow
    assert "[30m]))) > 0.1\n" in slow


@pytest.mark.parametrize(
    ("percentile", "fast", "slow"),
    [
        pytest.param(99.9, "0.006", "0.002", id="hardly-any-may-be-late"),
        pytest.param(99, "0.06", "0.02", id="one-in-a-hundred"),
        pytest.param(90, "0.55", "0.2", id="six-times-one-in-ten-is-out-of-sight"),
        pytest.param(50, "0.75", "0.75", id="half-of-all-cannot-burn-twice-as-fast"),
    ],
)
def test_the_percentile_gives_the_error_budget(tmp_path: Path, percentile: float, fast: str, slow: str) -> None:
    """No threshold is out of reach."""
    plan = load_from(sample_catalogue(wait={"promise": "10s", "percentile": percentile}), tmp_path)
    found = {item.labels["pace"]: item.expression for item in derive_alerts(plan) if "pace" in item.labels}
    assert f" > {fast}\n" in found["fast"]
    assert f" > {slow}\n" in found["slow"]


@pytest.mark.parametrize(
    ("environment", "seconds"),
    [pytest.param("local", 60, id="pods-start-in-5s"), pytest.param("prod", 180, id="nodes-are-made-first-in-75s")],
)
def test_a_queue_at_zero_has_time_to_start(environment: str, seconds: int) -> None:
    """5 s of polling, statistics of 8 s and the start of a pod, twice, in whole minutes."""
    assert one(environment, "FleetBacklogWithoutConsumers", "reports").for_seconds == seconds


def test_the_shards_of_a_queue_count_one_by_one() -> None:
    """One of two without a consumer is enough; its other shard does not hide it."""
    assert one("prod", "FleetBacklogWithoutConsumers", "default").expression == (
        'max(max by (queue) (rabbitmq_detailed_queue_messages_ready{namespace="celery-fleet",queue=~"default-0|default-1"}) > 0'
        ' unless max by (queue) (rabbitmq_detailed_queue_consumers{namespace="celery-fleet",queue=~"default-0|default-1"}) > 0)'
    )


@pytest.mark.parametrize(
    ("queue", "slots"),
    [
        pytest.param("high", 32, id="4-pods-of-8"),
        pytest.param("default", 16, id="2-shards-of-2-pods-of-4"),
        pytest.param("reports", 18, id="18-pods-of-1"),
    ],
)
def test_the_maximum_is_told_in_slots(queue: str, slots: int) -> None:
    """The workers tell of theirs, so nothing that watches Kubernetes is needed."""
    expression = one("prod", "FleetAtMaximum", queue).expression
    assert expression.endswith(f'sum(fleet_worker_slots{{namespace="celery-fleet",queue="{queue}"}}) >= {slots}')


@pytest.mark.parametrize(
    ("prefetch_multiplier", "factor"),
    [pytest.param(1, "1.5", id="a-message-a-slot"), pytest.param(4, "6", id="four-messages-a-slot")],
)
def test_held_messages_are_measured_by_what_slots_may_hold(
    tmp_path: Path, prefetch_multiplier: int, factor: str
) -> None:
    """Also where no worker is left: whoever holds messages then has no slot at all."""
    raw = sample_catalogue(
        runtime={"mean": "10ms", "p99": "50ms", "limit": "5s"}, args={"prefetch_multiplier": prefetch_multiplier}
    )
    found = [item for item in derive_alerts(load_from(raw, tmp_path)) if item.name == "FleetUnackedAboveSlots"]
    assert f" > {factor} * (sum(fleet_worker_slots{{" in found[0].expression
    assert found[0].expression.endswith(" or vector(0))")


@pytest.mark.parametrize(
    ("queue", "high", "low"),
    [pytest.param("high", "0.12", "0.04", id="80ms"), pytest.param("reports", "60", "20", id="40s")],
)
def test_a_runtime_is_away_from_the_declared_by_half_or_half_again(queue: str, high: str, low: str) -> None:
    """The catalogue's mean is what minimum and maximum are derived from."""
    expression = one("prod", "FleetRuntimeAwayFromDeclared", queue).expression
    assert f" > {high} or " in expression
    assert f" < {low})\n" in expression


def test_dead_letters_are_those_of_the_queue_alone() -> None:
    """By name: a queue of the user's may end in `-dead` too."""
    assert one("prod", "FleetDeadLetters", "default").expression == (
        'max(rabbitmq_detailed_queue_messages_ready{namespace="celery-fleet",queue="default-dead"}) > 0'
    )


def test_delayed_messages_are_stuck_when_their_second_is_over() -> None:
    """Ready ones of the last level are on their way; what neither is ready nor held cannot be handed on."""
    metric = 'rabbitmq_detailed_queue_messages{}{{namespace="celery-fleet",queue="celery_delayed_0"}}'
    every, ready, unacked = (f"max({metric.format(suffix)})" for suffix in ("", "_ready", "_unacked"))
    assert one("prod", "FleetDelayedStuck").expression == f"{every} - {ready} - {unacked} > 0"


def test_every_alert_has_its_section_in_the_runbook() -> None:
    """In the order in which a Prometheus shows them, and with something to run."""
    sections = RUNBOOK.read_text(encoding="utf-8").split("\n## ")[1:]
    expected = list(dict.fromkeys([*KINDS_OF_THE_FLEET, *KINDS_OF_A_QUEUE]))
    assert [section.splitlines()[0] for section in sections] == expected
    assert [section.splitlines()[0] for section in sections if "```console" not in section] == []


def test_the_promise_stands_beside_what_is_measured() -> None:
    """Recorded as the catalogue has it, so that a dashboard compares the two without knowing any."""
    found = rule_groups(shipped("prod"))["reports"]["rules"]
    recorded = {rule["record"]: rule["expr"] for rule in found if "record" in rule and "window" not in rule["labels"]}
    assert recorded == {
        "fleet:promise_seconds": "vector(600)",
        "fleet:promise_share": "vector(0.95)",
        "fleet:runtime_mean_seconds": "vector(40)",
        "fleet:slots_maximum": "vector(18)",
    }
    late = {rule["labels"]["window"]: rule["expr"] for rule in found if rule.get("record") == "fleet:tasks_late:share"}
    assert late.keys() == {"5m", "1h"}
    assert 'le="600.0"}[5m]' in late["5m"]


def _plan(raw: Raw) -> Plan:
    with tempfile.TemporaryDirectory() as folder:
        return load_from(raw, Path(folder), environment="prod")


@given(raw=catalogues())
def test_the_rules_of_any_catalogue_are_whole(raw: Raw) -> None:
    """No two alerts are the same, every expression has its form, and each is about this fleet alone."""
    plan = _plan(raw)
    alerts = derive_alerts(plan)
    assert [item for item, times in Counter(alert.identity for alert in alerts).items() if times > 1] == []
    for alert in alerts:
        assert list(problems(alert.expression)) == [], alert.expression
        assert texts(alert.expression).count(plan.fleet) == alert.expression.count("{")
        assert metrics(alert.expression) <= KNOWN, alert.expression


@given(raw=catalogues(max_queues=2))
@settings(max_examples=5)
def test_a_rule_file_says_what_the_alerts_say(raw: Raw) -> None:
    """Read back, it has a group for each queue and one for what they share, with every label and annotation a text."""
    plan = _plan(raw)
    groups = rule_groups(plan, runbook="https://runbooks.example/alerts.md")
    read = yaml.safe_load(rule_file(*groups.values()))["groups"]
    assert read == list(groups.values())
    assert [group["name"] for group in read] == [f"celery-fleet.{name}" for name in ("fleet", *raw["queues"])]
    rules = [rule for group in read for rule in group["rules"]]
    for rule in (rule for rule in rules if "record" in rule):
        assert set(rule) == {"record", "expr", "labels"}
        assert list(problems(rule["expr"])) == [], rule["expr"]
        assert rule["labels"]["namespace"] == plan.fleet
    for rule in (rule for rule in rules if "alert" in rule):
        assert set(rule) - {"for"} == {"alert", "expr", "labels", "annotations"}
        assert all(isinstance(text, str) for text in (*rule["labels"].values(), *rule["annotations"].values()))
        assert {"fleet", "environment", "severity"} <= rule["labels"].keys()
        assert rule["annotations"]["runbook_url"] == f"https://runbooks.example/alerts.md#{rule['alert'].lower()}"
