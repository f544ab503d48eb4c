"""Every number of a plan has a reason, and the arithmetic that a reason shows is the arithmetic that was used."""

import math
import re
import tempfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given

from fleet.environment import default_environment
from fleet.loading import load_plan
from fleet.plan import Plan, Promise
from fleet.reasons.explaining import MODULES, SHARED_MODULES
from fleet.reasons.rules import Rule, rules_of
from fleet.records import SHARED, Basis, Reason
from fleet.sizing import RetryPlan
from tests.fleet.arithmetic import evaluate, to_python
from tests.fleet.strategies import catalogues, load_from, sample_catalogue

ROOT = Path(__file__).parents[2]

STATED = {
    "name", "tasks", "profile", "idempotent", "promise.mean_seconds", "promise.p99_seconds", "promise.limit_seconds",
    "topology.ingress_patterns", "worker.max_tasks_per_child", "worker.optimization", "autoscaling.windows",
    "pod", "downstream", "aws_policies",
}  # fmt: skip
"""Fields of a queue that are what the user wrote, or nothing where the user wrote nothing."""

STATED_SHARED = {"fleet", "environment", "application"}


def explained(raw: dict[str, Any], environment: str = "dev") -> Plan:
    with tempfile.TemporaryDirectory() as folder:
        return load_from(raw, Path(folder), environment=environment, explain=True)


def reasons_of(plan: Plan) -> dict[str, Reason]:
    return {reason.path: reason for reason in plan.reasons}


def leaves(data: Any, prefix: str = "") -> Iterator[str]:
    """The key paths of everything in a record that is no mapping itself."""
    if isinstance(data, dict) and data:
        for key, value in data.items():
            yield from leaves(value, f"{prefix}{key}.")
    else:
        yield prefix.rstrip(".")


def unexplained(record: Any, stated: set[str], fields: dict[str, str], given_paths: set[str]) -> list[str]:
    """The leaves of a record that are neither stated nor explained by a reason that the plan carries."""
    return [
        leaf
        for leaf in leaves(msgspec.to_builtins(record))
        if not any(leaf == field or leaf.startswith(f"{field}.") for field in stated)
        and all(path not in given_paths for field, path in fields.items() if f"{leaf}.".startswith(f"{field}."))
    ]


def fields_of(modules: Any) -> dict[str, str]:
    """Field of the Plan -> path of the reason that explains it."""
    return {field: rule.number.path for module in modules for rule in rules_of(module) for field in rule.number.fields}


@given(catalogues())
def test_every_number_has_a_reason(raw: dict[str, Any]) -> None:
    """Whatever is in the plan is stated, or somebody can ask why; a field that is added is neither until it is explained."""
    plan = explained(raw)
    paths = {reason.path for reason in plan.reasons}
    for queue in plan.queues:
        own = {path.removeprefix(f"{queue.name}.") for path in paths if path.startswith(f"{queue.name}.")}
        assert unexplained(queue, STATED, fields_of(MODULES), own) == []
    shared = {path.removeprefix("fleet.") for path in paths if path.startswith("fleet.")}
    whole = msgspec.structs.replace(plan, queues=(), reasons=())
    assert unexplained(whole, STATED_SHARED | {"queues", "reasons", "notes"}, fields_of(SHARED_MODULES), shared) == []


def test_a_field_without_a_reason_is_found() -> None:
    """The walk sees what nobody explained."""
    plan = explained(sample_catalogue())
    assert unexplained(plan.queues[0], STATED - {"idempotent"}, fields_of(MODULES), {"worker.pool"})[:2] == [
        "capacity",
        "idempotent",
    ]


@given(catalogues())
def test_no_number_has_two_reasons(raw: dict[str, Any]) -> None:
    """One path, one answer."""
    paths = [reason.path for reason in explained(raw).reasons]
    assert len(paths) == len(set(paths))


@given(catalogues())
def test_the_arithmetic_that_is_shown_gives_the_value(raw: dict[str, Any]) -> None:
    """Evaluated as a person would, within the six digits that are shown."""
    for reason in explained(raw).reasons:
        if reason.basis is Basis.COMPUTED:
            assert_evaluates(reason)


def assert_evaluates(reason: Reason) -> None:
    cpu = ".cpu" in reason.path
    low, high = evaluate(reason.formula, cpu=cpu)
    value = evaluate(reason.value, cpu=cpu)
    if cpu and not reason.value.endswith("m"):
        value = (value[0] * 1000, value[1] * 1000)
    assert low <= value[1], reason
    assert value[0] <= high, reason


@given(catalogues())
def test_the_condition_of_a_regime_holds(raw: dict[str, Any]) -> None:
    """A choice by comparison shows a comparison that is true."""
    for reason in explained(raw).reasons:
        if reason.path.endswith(".scaling.regime"):
            parts = [evaluate(part) for part in reason.formula.replace(">=", "<").replace("<=", "<").split("<")]
            ordered = parts[::-1] if ">=" in reason.formula else parts
            assert all(left[0] <= right[1] for left, right in pairwise(ordered)), reason


SLOTS_SHOWN = re.compile(
    r"fewest m with busy slots (\S+) / m <= share (\S+) and late\(m\) <= allowed (\S+ %); late (\S+ %)"
)


def late_share(promise: Promise, busy: float, slots: int) -> float:
    """Erlang C by its sum of a^k/k!, each term over the last one so that nothing overflows, times the decay of the waiting."""
    terms, term = 0.0, 1.0
    for number in range(slots, 0, -1):
        term *= number / busy
        terms += term
    waiting = 1 / (1 + (1 - busy / slots) * terms)
    ratio = min(promise.p99_seconds / promise.mean_seconds, 14.9)
    sigma = max(0.0, 2.326 - math.sqrt(max(0.0, 5.41 - 2 * math.log(ratio))))
    stretch = 2 / math.exp(sigma**2)
    return waiting * math.exp(-(slots - busy) * promise.wait_seconds / promise.mean_seconds * stretch)


@given(catalogues())
def test_the_slots_at_peak_are_the_fewest(raw: dict[str, Any]) -> None:
    """What is shown meets the condition that is shown, and one slot less does not; the late share is Erlang's sum, worked out here."""
    plan = explained(raw)
    reasons = reasons_of(plan)
    for queue in plan.queues:
        reason = reasons[f"{queue.name}.replicas.slots"]
        shown = SLOTS_SHOWN.fullmatch(reason.formula)
        assert shown, reason
        busy, share, allowed, late = (sum(evaluate(number)) / 2 for number in shown.groups())
        slots = int(reason.value)
        assert busy / slots <= share * 1.0001
        assert late <= allowed * 1.001
        assert late_share(queue.promise, busy, slots) == pytest.approx(late, rel=0.01, abs=1e-12)
        fewer = slots - 1
        assert (
            fewer <= busy or busy / fewer > share * 0.9999 or late_share(queue.promise, busy, fewer) > allowed * 0.999
        )


@given(catalogues())
def test_a_reason_shows_the_number_that_is_deployed(raw: dict[str, Any]) -> None:
    """The shown value is the plan's, read as a person reads it."""
    plan = explained(raw)
    reasons = reasons_of(plan)
    owners: list[tuple[Any, str, Any]] = [(queue, queue.name, MODULES) for queue in plan.queues]
    for record, owner, modules in (*owners, (plan, SHARED, SHARED_MODULES)):
        for field, path in fields_of(modules).items():
            deployed = record
            for step in field.split("."):
                deployed = getattr(deployed, step)
            assert_shows(reasons[f"{owner}.{path}"], deployed)


def assert_shows(reason: Reason, deployed: Any) -> None:
    if deployed is None:
        assert reason.value in ("none", "ready + unacknowledged"), reason
    elif isinstance(deployed, tuple):
        assert reason.value == str(len(deployed)), reason
    elif isinstance(deployed, dict):
        shown = [entry.rsplit(" ", 1) for entry in reason.value.split(", ")] if reason.value != "none" else []
        assert {key: int(number) for key, number in shown} == deployed, reason
    elif isinstance(deployed, RetryPlan):
        assert reason.value == str(deployed.max_retries), reason
    elif isinstance(deployed, bool):
        assert reason.value == {True: "yes", False: "no"}[deployed], reason
    elif isinstance(deployed, str):
        assert reason.value == deployed, reason
    else:
        cpu = ".cpu" in reason.path
        low, high = evaluate(reason.value, cpu=cpu)
        factor = 100 if reason.value.endswith("%") else 1000 if cpu and not reason.value.endswith("m") else 1
        assert low * factor <= deployed <= high * factor, reason


@pytest.mark.parametrize(
    ("formula", "value"),
    [
        pytest.param("peak 0.2/s x mean 40s", 8.0, id="a-rate-times-a-time"),
        pytest.param("limit 10m + margin 60s", 660.0, id="minutes-and-seconds"),
        pytest.param("ceil(idle 90Mi / step 16Mi) x step 16Mi", 100663296.0, id="whole-steps-of-memory"),
        pytest.param("max(declared 1, burst pods 2)", 2.0, id="the-larger-of-two"),
        pytest.param("2 ^ levels 28 - 1", 268435455.0, id="a-power"),
    ],
)
def test_the_reader_of_formulas_reads_as_a_person_does(formula: str, value: float) -> None:
    """What holds the formulas is held itself."""
    low, high = evaluate(formula)
    assert low == pytest.approx(value, rel=1e-4)
    assert high == pytest.approx(value, rel=1e-4)


def test_the_reader_of_formulas_refuses_what_is_no_arithmetic() -> None:
    """A sign that it does not know is not passed over."""
    with pytest.raises(ValueError, match="no arithmetic"):
        to_python("peak 3 & mean 4")


def test_what_was_stated_is_said_to_be_stated() -> None:
    """A stated concurrency and maximum are not passed off as derived, nor a default as stated."""
    reasons = reasons_of(
        explained(sample_catalogue(concurrency=2, replicas={"min": 3, "max": 30}, wait={"promise": "20m"}))
    )
    bases = {path.removeprefix("mail."): reason.basis for path, reason in reasons.items()}
    assert bases["worker.concurrency"] is Basis.STATED
    assert bases["replicas.max"] is Basis.STATED
    assert bases["replicas.declared"] is Basis.STATED
    assert bases["promise.wait"] is Basis.STATED
    assert bases["promise.percentile"] is Basis.DEFAULT
    assert bases["worker.pool"] is Basis.CHOSEN


def test_the_pauses_between_retries_are_shown_with_their_sum() -> None:
    """1 + 2 + 4 + 8 + 10 + 10."""
    reasons = reasons_of(explained(sample_catalogue(retries={"max": 6, "longest": "10s", "jitter": False})))
    assert reasons["mail.worker.retries"].formula == (
        "on Exception, after 1s, 2s, 4s, 8s, ... at most 10s; in all 35s of pauses until a task that always fails has failed"
    )


def test_nobody_pays_for_reasons_that_nobody_asks_for(tmp_path: Path) -> None:
    """The Pulumi program and the workers read numbers alone."""
    assert load_from(sample_catalogue(), tmp_path).reasons == ()


def all_rules() -> list[Rule]:
    return [rule for module in (*MODULES, *SHARED_MODULES) for rule in rules_of(module)]


def test_every_rule_says_why_and_where_it_comes_from() -> None:
    """No reason is a bare number; what points into the repository is there."""
    for rule in all_rules():
        assert rule.because or rule.basis is Basis.STATED
        assert rule.number.means
        if "/" in rule.source and rule.source.startswith(("docs/", "fleet/")):
            assert (ROOT / rule.source).is_file(), rule


@pytest.mark.parametrize("environment", ["local", "dev", "staging", "prod"])
def test_the_arithmetic_of_the_sample_holds_in_every_environment(environment: str) -> None:
    """Zones, several brokers and a cluster that nobody pays for have other inputs than dev."""
    plan = load_plan(ROOT / "queues.yaml", default_environment(environment), explain=True)
    computed = [reason for reason in plan.reasons if reason.basis is Basis.COMPUTED]
    assert len(computed) > 80
    for reason in computed:
        assert_evaluates(reason)


@pytest.mark.parametrize("name", ["broker", "nodes", "cost", "web"])
def test_a_queue_may_be_named_like_what_the_queues_share(name: str) -> None:
    """What they share stands below `fleet`, which is no queue's name."""
    raw = sample_catalogue()
    raw["queues"] = {name: raw["queues"]["mail"]}
    paths = [reason.path for reason in explained(raw).reasons]
    assert len(paths) == len(set(paths))
    assert {f"{name}.cost.idle", f"{name}.worker.pool", "fleet.broker.memory.needed"} <= set(paths)
