"""Each gate lets pass what it should, stops what it should, and is overridden by a reason alone."""

from typing import Any

import pytest

from fleet.comparing import CostChange
from stacks.review.gates import GATES, Status, judge
from stacks.review.model import Preview
from stacks.review.overrides import Override, read_overrides
from tests.stacks.review.samples import (
    BROKER,
    DEPLOYMENT,
    QUEUE,
    VPC,
    change,
    month,
    preview,
    promise,
    step,
    violation,
)

REASON = "agreed with the owners of the data"

SMALLER_DISK = change("spec.persistence.storage", "100Gi", "50Gi")


def statuses(*previews: Preview, overrides: tuple[Override, ...] = (), **more: Any) -> dict[str, str]:
    """Gate -> status, without those that pass."""
    found = judge(previews, overrides, **more)
    return {item.gate.id: item.status.value for item in found if item.status is not Status.PASSED}


FAILING = [
    pytest.param({"steps": (step("replace", VPC, "vpc"),)}, "replace-stateful", id="a-network-is-replaced"),
    pytest.param({"steps": (step("delete", "aws:kms/key:Key", "key"),)}, "replace-stateful", id="a-key-is-deleted"),
    pytest.param({"steps": (step("delete", DEPLOYMENT, "web", protected=True),)}, "replace-stateful", id="what-is-protected-is-deleted"),
    pytest.param({"steps": (step("update", BROKER, "broker", change("spec.replicas", "3", "1")),)}, "replace-stateful", id="a-broker-loses-nodes"),
    pytest.param({"steps": (step("update", BROKER, "broker", SMALLER_DISK),)}, "replace-stateful", id="a-broker-loses-disk"),
    pytest.param({"steps": (step("delete", QUEUE, "queue-reports-reports-queue"),)}, "remove-queue", id="a-queue-is-deleted"),
    pytest.param({"steps": (step("replace", QUEUE, "queue-reports-reports-queue"),)}, "remove-queue", id="a-queue-is-made-anew"),
    pytest.param({"cost": CostChange(before=month(1000), after=month(1201))}, "cost", id="a-fifth-dearer-and-more"),
    pytest.param({"cost": CostChange(before=month(1000), after=month(1000, peak=2500))}, "cost", id="dearer-at-peak-alone"),
    pytest.param({"promises": (promise(before=100, after=90),)}, "promise", id="a-promise-is-broken"),
    pytest.param({"promises": (promise(before=None, after=90),)}, "promise", id="a-new-queue-breaks-its-promise"),
    pytest.param({"policies": (violation(),)}, "policy", id="a-mandatory-rule-is-broken"),
    pytest.param({"policies_ran": False}, "policy", id="no-policy-was-asked"),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "gate"), FAILING)
def test_a_gate_fails(fields: dict[str, Any], gate: str) -> None:
    """That one and no other."""
    assert statuses(preview(**fields)) == {gate: "failed"}


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"steps": (step("update", VPC, "vpc", change("tags.owner", "a", "b")),)}, id="a-network-is-changed"),
        pytest.param({"steps": (step("replace", "kubernetes:core/v1:ConfigMap", "plan"),)}, id="what-can-be-made-again"),
        pytest.param({"steps": (step("create", VPC, "vpc", protected=True),)}, id="what-is-protected-is-new"),
        pytest.param({"steps": (step("update", BROKER, "broker", change("spec.replicas", "1", "3")),)}, id="a-broker-gets-nodes"),
        pytest.param({"steps": (step("update", BROKER, "broker", change("spec.persistence.storage", "900Mi", "1Gi")),)}, id="a-broker-gets-disk"),
        pytest.param({"steps": (step("create", QUEUE, "queue-new-new-queue"),)}, id="a-queue-is-new"),
        pytest.param({"cost": CostChange(before=month(1000), after=month(1200))}, id="just-a-fifth-dearer"),
        pytest.param({"cost": CostChange(before=month(1000), after=month(10))}, id="cheaper"),
        pytest.param({"cost": CostChange(before=None, after=month(1000))}, id="a-new-stack"),
        pytest.param({"promises": (promise(before=90, after=95),)}, id="a-promise-is-mended"),
        pytest.param({"promises": (promise(before=90, after=80),)}, id="a-promise-that-was-not-kept-before"),
        pytest.param({"policies": (violation(mandatory=False),)}, id="advice"),
    ],
)  # fmt: skip
def test_what_is_harmless_passes(fields: dict[str, Any]) -> None:
    """No gate says anything."""
    assert statuses(preview(**fields)) == {}


@pytest.mark.parametrize(
    ("dev", "prod", "drifts"),
    [
        pytest.param({"Kubernetes": "1.36"}, {"Kubernetes": "1.35"}, False, id="an-upgrade-on-its-way"),
        pytest.param({"Kubernetes": "1.37"}, {"Kubernetes": "1.35"}, True, id="two-minor-versions"),
        pytest.param({"chart keda": "2.21.0"}, {"chart keda": "2.20.1"}, True, id="an-operator"),
        pytest.param({"chart keda": "2.21.0"}, {}, False, id="a-part-that-one-has-not"),
        pytest.param({"Kubernetes": "latest"}, {"Kubernetes": "1.36"}, True, id="what-cannot-be-compared"),
    ],
)
def test_stacks_stay_together(dev: dict[str, str], prod: dict[str, str], *, drifts: bool) -> None:
    """What was tried in one is what comes to the next."""
    found = statuses(preview("dev", versions=dev), preview("prod", versions=prod))
    assert found == ({"versions": "failed"} if drifts else {})


@pytest.mark.parametrize(("fields", "gate"), FAILING)
def test_a_reason_overrides_a_gate(fields: dict[str, Any], gate: str) -> None:
    """What was found stays in the verdict, with the reason beside it."""
    overrides = read_overrides(f"Some words.\n\ngate-override: {gate} {REASON}\n")
    assert statuses(preview(**fields), overrides=overrides) == {gate: "overridden"}
    (verdict,) = [item for item in judge([preview(**fields)], overrides) if item.gate.id == gate]
    assert verdict.reason == REASON
    assert verdict.findings


@pytest.mark.parametrize(
    "description",
    [
        pytest.param("gate-override: cost", id="no-reason"),
        pytest.param("gate-override: cost ok", id="a-reason-that-says-nothing"),
        pytest.param("gate-override: cost ..............", id="no-letter"),
        pytest.param(f"gate-override: promise {REASON}", id="another-gate"),
        pytest.param(f"<!-- gate-override: cost {REASON} -->", id="left-over-from-a-template"),
        pytest.param(f"<!--\ngate-override: cost {REASON}\n", id="in-a-comment-that-never-ends"),
        pytest.param(f"please gate-override: cost {REASON}", id="in-the-middle-of-a-line"),
    ],
)
def test_nothing_less_overrides_a_gate(description: str) -> None:
    """Whoever reads it in a year has to see why."""
    dearer = preview(cost=CostChange(before=month(1000), after=month(2000)))
    assert statuses(dearer, overrides=read_overrides(description)) == {"cost": "failed"}


def test_a_reason_is_shown_only_where_something_was_found() -> None:
    """An override that is left over from an earlier push hides nothing and says nothing."""
    assert statuses(preview(), overrides=read_overrides(f"gate-override: cost {REASON}")) == {}


def test_the_share_of_cost_is_a_choice() -> None:
    """In percent of the month before."""
    dearer = preview(cost=CostChange(before=month(1000), after=month(1100)))
    assert statuses(dearer, cost_rise_percent=9) == {"cost": "failed"}
    assert statuses(dearer, cost_rise_percent=10) == {}


def test_every_gate_has_a_failing_case() -> None:
    """So that none is forgotten when one is added."""
    assert {case.values[1] for case in FAILING} | {"versions"} == {gate.id for gate in GATES}
