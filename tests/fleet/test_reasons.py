"""A reason shows the number that is deployed, not another one."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import given

from fleet.plan import Plan, QueuePlan
from fleet.units import parse_duration_seconds, parse_size_bytes
from tests.fleet.strategies import catalogues, load_from, sample_catalogue


def millicores(text: str) -> int:
    return int(text[:-1]) if text.endswith("m") else int(text) * 1000


# Number -> how a person reads what is shown, and the value that is deployed.
SHOWN: dict[str, tuple[Callable[[str], object], Callable[[QueuePlan], object]]] = {
    "worker.concurrency": (int, lambda queue: queue.worker.concurrency),
    "worker.prefetch": (int, lambda queue: queue.worker.concurrency),
    "worker.soft_limit": (parse_duration_seconds, lambda queue: queue.worker.soft_limit_seconds),
    "worker.retries": (int, lambda queue: queue.worker.retries and queue.worker.retries.max_retries),
    "worker.grace": (parse_duration_seconds, lambda queue: queue.worker.grace_seconds),
    "broker.consumer_timeout": (parse_duration_seconds, lambda queue: queue.topology.policy.consumer_timeout_seconds),
    "resources.cpu_request": (millicores, lambda queue: queue.resources.cpu_request_millicores),
    "resources.cpu_limit": (millicores, lambda queue: queue.resources.cpu_limit_millicores),
    "resources.memory": (parse_size_bytes, lambda queue: queue.resources.memory_bytes),
    "scaling.regime": (str, lambda queue: queue.autoscaling.regime.value),
    "scaling.window": (parse_duration_seconds, lambda queue: queue.autoscaling.scale_down_window_seconds),
    "replicas.peak": (int, lambda queue: queue.autoscaling.peak_replicas),
    "replicas.min": (int, lambda queue: queue.autoscaling.min_replicas),
    "replicas.max": (int, lambda queue: queue.autoscaling.max_replicas),
}
OPTIONAL = {"worker.soft_limit", "worker.retries", "resources.cpu_limit"}


def plan_of(raw: dict[str, Any]) -> Plan:
    with tempfile.TemporaryDirectory() as folder:
        return load_from(raw, Path(folder))


@given(catalogues())
def test_every_reason_shows_the_number_that_is_deployed(raw: dict[str, Any]) -> None:
    """Read as a person reads it, the shown value is the plan's, up to the six digits that are shown."""
    plan = plan_of(raw)
    queues = {queue.name: queue for queue in plan.queues}
    for reason in plan.reasons:
        name, number = reason.path.split(".", 1)
        assert reason.formula
        assert reason.source
        if number == "scaling.metric":
            auto = queues[name].autoscaling
            assert reason.value == auto.formula or float(reason.value.split()[0]) - auto.target < 1e-4 * auto.target
            continue
        read, deployed = SHOWN[number]
        shown, value = read(reason.value), deployed(queues[name])
        assert shown == value or abs(float(str(shown)) - float(str(value))) <= 1e-5 * float(str(value)), reason


@given(catalogues())
def test_every_derived_number_has_one_reason(raw: dict[str, Any]) -> None:
    """Nothing is deployed that cannot be explained; soft and CPU limits only where there are any."""
    plan = plan_of(raw)
    for queue in plan.queues:
        paths = [reason.path.split(".", 1)[1] for reason in plan.reasons if reason.path.startswith(f"{queue.name}.")]
        wanted = {
            number for number, (_, deployed) in SHOWN.items() if number not in OPTIONAL or deployed(queue) is not None
        }
        assert sorted(paths) == sorted({*wanted, "scaling.metric"})


def test_what_was_declared_is_said_to_be_declared() -> None:
    """A stated concurrency and maximum are not passed off as derived."""
    plan = plan_of(sample_catalogue(concurrency=2, replicas={"min": 3, "max": 30}, wait={"promise": "20m"}))
    formulas = {reason.path: reason.formula for reason in plan.reasons}
    assert formulas["mail.worker.concurrency"] == "stated in the catalogue"
    assert formulas["mail.replicas.max"] == "30 declared"
    assert formulas["mail.replicas.min"] == "3 declared"


def test_the_pauses_between_retries_are_shown_with_their_sum() -> None:
    """1 + 2 + 4 + 8 + 10 + 10."""
    plan = plan_of(sample_catalogue(retries={"max": 6, "longest": "10s", "jitter": False}))
    formulas = {reason.path: reason.formula for reason in plan.reasons}
    assert formulas["mail.worker.retries"] == (
        "on Exception, after 1s, 2s, 4s, 8s, ... at most 10s: a task that always fails has failed 35s of pauses later"
    )
