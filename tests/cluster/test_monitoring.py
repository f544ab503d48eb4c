"""A real Prometheus reads a running fleet: it finds everything, takes the rules, no panel is empty, and it tells of what is wrong and of nothing else."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import httpx
import pytest

from fleet.alerts import derive_alerts
from fleet.alerts.rules import rule_groups
from fleet.dashboards import derive_dashboards
from fleet.measure.prometheus import look_at_prometheus
from fleet.measure.today import look_at_today
from fleet.plan import Plan
from ops.target import ROOT, load_local_plan
from tests.cluster.brokers import Broker
from tests.cluster.prometheus import answer, firing, monitored, panels, values, without_data
from tests.cluster.running_fleet import RunningFleet, enqueue, eventually
from tests.cluster.sample_tasks import TASK_OF_QUEUE, arguments

pytestmark = pytest.mark.cluster

JOBS = {f"celery-fleet/{name}" for name in ("workers", "web", "broker", "broker-queues", "keda")}
DATA_WITHIN_SECONDS = 300
SCRAPED_WITHIN_SECONDS = 120
FIRES_WITHIN_SECONDS = 180
WINDOW_SECONDS = 900


@pytest.fixture(scope="module")
def prometheus(fleet: RunningFleet) -> Iterator[httpx.Client]:
    """It reads the fleet of the other tests."""
    with monitored(fleet) as client:
        yield client


@pytest.fixture(scope="module")
def plan() -> Plan:
    """What the fleet was deployed from."""
    return load_local_plan(ROOT)


@contextmanager
def _message(broker: Broker, plan: Plan, queue: str) -> Iterator[None]:
    """One that lies in the queue while the block runs."""
    message = {"properties": {}, "routing_key": queue, "payload": "", "payload_encoding": "string"}
    broker.post(f"/exchanges/{plan.topology.vhost}/amq.default/publish", message)
    try:
        yield
    finally:
        broker.delete(f"/queues/{plan.topology.vhost}/{queue}/contents")


@pytest.fixture(scope="module")
def dead_letter(prometheus: httpx.Client, broker: Broker, plan: Plan) -> Iterator[str]:
    """The queue that has given one message up, from before the first test on: its alert waits a minute before it fires."""
    queue = plan.queues[0]
    with _message(broker, plan, queue.topology.dead_letter_queue):
        yield queue.name


@pytest.mark.usefixtures("dead_letter")
def test_everything_is_found_and_answers(prometheus: httpx.Client) -> None:
    """Workers, web layer, both endpoints of the broker, KEDA."""
    found: dict[str, set[str]] = {}

    def look() -> bool | None:
        found.clear()
        for target in answer(prometheus, "/api/v1/targets", state="active")["activeTargets"]:
            found.setdefault(target["labels"]["job"], set()).add(target["lastError"] or target["health"])
        return True if found == {job: {"up"} for job in JOBS} else None

    try:
        eventually(look, within_seconds=SCRAPED_WITHIN_SECONDS, waiting_for=f"targets of {sorted(JOBS)}, all up")
    except AssertionError as late:
        raise AssertionError(f"{late}; found {found}") from None


def test_prometheus_has_taken_the_rules(prometheus: httpx.Client, plan: Plan) -> None:
    """Those of the plan, and none of them fails."""
    expected = {group["name"]: len(group["rules"]) for group in rule_groups(plan).values()}

    def look() -> bool | None:
        groups = answer(prometheus, "/api/v1/rules")["groups"]
        healths = {rule["health"] for group in groups for rule in group["rules"]}
        return True if {item["name"]: len(item["rules"]) for item in groups} == expected and healths == {"ok"} else None

    eventually(look, within_seconds=SCRAPED_WITHIN_SECONDS, waiting_for=f"groups {expected}, all ok")


def test_no_panel_is_without_data(prometheus: httpx.Client, fleet: RunningFleet, plan: Plan) -> None:
    """Each query of each dashboard has an answer while every queue has a little to do."""
    missing = sorted({text for texts in panels(derive_dashboards(plan)).values() for text in texts})
    with fleet.http() as client:

        def look() -> bool | None:
            nonlocal missing
            for queue, task in TASK_OF_QUEUE.items():
                enqueue(client, task, kwargs=arguments(queue, "panel", seconds=0.5))
            missing = without_data(prometheus, missing)
            return None if missing else True

        try:
            eventually(look, within_seconds=DATA_WITHIN_SECONDS, waiting_for="data in every panel", every_seconds=5)
        except AssertionError as late:
            raise AssertionError(f"{late}; without data: {missing}") from None


def test_the_fleet_can_be_measured(prometheus: httpx.Client, plan: Plan) -> None:
    """`fleet measure` and `fleet status` read the same series: of every queue its runs, waits, memory, start-up and arrivals."""
    address = str(prometheus.base_url).rstrip("/")
    every = {queue.name for queue in plan.queues}

    def look() -> bool | None:
        seen = look_at_prometheus(address, plan, window_seconds=WINDOW_SECONDS, now=time.time()).queues
        whole = {
            name
            for name, one in seen.items()
            if one.runs and one.runs.count and one.waits and one.waits.count and one.peak_resident_bytes
            and one.startup_seconds and sum(stretch.tasks for stretch in one.arrivals) > 0
        }  # fmt: skip
        return True if whole == every else None

    eventually(look, within_seconds=SCRAPED_WITHIN_SECONDS, waiting_for=f"everything of {sorted(every)}")
    today = look_at_today(address, plan, now=datetime.now(UTC).astimezone())
    assert [queue.queue for queue in today.queues if queue.today.percent is None] == []


def test_a_delayed_message_that_is_stuck_is_told_from_one_that_waits(
    prometheus: httpx.Client, broker: Broker, plan: Plan
) -> None:
    """RabbitMQ counts what dead-lettering cannot hand on, and calls it neither ready nor held."""
    expression = next(item.expression for item in derive_alerts(plan) if item.name == "FleetDelayedStuck")
    assert values(prometheus, expression) == []
    # Its second over, it goes to the exchange of delayed messages with a key that no queue is bound by.
    with _message(broker, plan, "celery_delayed_0"):
        eventually(
            lambda: values(prometheus, expression) or None,
            within_seconds=SCRAPED_WITHIN_SECONDS,
            waiting_for="the stuck message",
        )
    eventually(
        lambda: True if values(prometheus, expression) == [] else None,
        within_seconds=SCRAPED_WITHIN_SECONDS,
        waiting_for="its end",
    )


def test_of_all_alerts_the_one_fires_whose_trouble_is_there(
    prometheus: httpx.Client, plan: Plan, dead_letter: str
) -> None:
    """What the other queues do is no trouble, nor is what all of them share."""
    told = {"alertname": "FleetDeadLetters", "fleet": plan.fleet, "environment": "local"}
    expected = {**told, "severity": "warning", "queue": dead_letter}
    seen = eventually(
        lambda: firing(prometheus) or None, within_seconds=FIRES_WITHIN_SECONDS, waiting_for="an alert that fires"
    )
    # A promise of a second may be broken where the tests beside this one take the processors.
    assert [labels for labels in seen if labels["alertname"] != "FleetPromiseAtRisk"] == [expected]
