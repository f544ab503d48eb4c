"""Previews and engine events of the review's tests, made of a few words each."""

import json
from collections.abc import Mapping
from typing import Any

from fleet.comparing import CostChange
from fleet.demand import Month
from stacks.review.model import (
    FORMAT,
    Operation,
    Outcome,
    PolicyFinding,
    Preview,
    PromiseChange,
    PropertyChange,
    Step,
)

PROJECT = "urn:pulumi:prod::celery-fleet"
VPC = "aws:ec2/vpc:Vpc"
BROKER = "kubernetes:rabbitmq.com/v1beta1:RabbitmqCluster"
DEPLOYMENT = "kubernetes:apps/v1:Deployment"
QUEUE = "kubernetes:rabbitmq.com/v1beta1:Queue"
SECRET = "kubernetes:core/v1:Secret"


def month(expected: float, *, peak: float | None = None) -> Month:
    return Month(idle=expected / 2, expected=expected, peak=expected * 2 if peak is None else peak)


def step(operation: str, typ: str, name: str, *changes: PropertyChange, **more: Any) -> Step:
    urn = f"{PROJECT}::{typ}::{name}"
    return Step(urn=urn, type=typ, name=name, operation=Operation(operation), changes=changes, **more)


def change(path: str, before: str | None, after: str | None, *, replaces: bool = False) -> PropertyChange:
    return PropertyChange(path=path, before=before, after=after, replaces=replaces)


def promise(*, before: float | None, after: float, queue: str = "reports") -> PromiseChange:
    """A queue that promises 95 %, with what its worst load gave on both sides."""

    def outcome(percent: float) -> Outcome:
        return Outcome(kept=percent >= 95, worst_trace="flash", within_percent=percent)

    return PromiseChange(
        queue=queue, promise="95 % within 10m", before=None if before is None else outcome(before), after=outcome(after)
    )


def violation(*, mandatory: bool = True, message: str = "spec is wrong") -> PolicyFinding:
    return PolicyFinding(rule="pod-size", mandatory=mandatory, resource="worker", message=message)


def preview(stack: str = "prod", **fields: Any) -> Preview:
    """A preview in which nothing changes, with some fields of its own."""
    plain: dict[str, Any] = {
        "format": FORMAT, "stack": stack, "imagined": True, "base": "main (0123456789ab)", "stood_in": (), "errors": (),
        "unchanged": 200, "steps": (), "policies_ran": True, "policies": (), "graph": (),
        "versions": {"Kubernetes": "1.36", "chart keda": "2.21.0"}, "comparison": None,
        "cost": CostChange(before=month(1000), after=month(1000)), "promises": (),
    }  # fmt: skip
    return Preview(**{**plain, **fields})


def state(typ: str, name: str, inputs: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    urn = f"{PROJECT}::{typ}::{name}"
    return {"type": typ, "urn": urn, "custom": True, "id": name, "parent": "", "inputs": inputs, "outputs": {}, **more}


def planned(
    operation: str, typ: str, name: str, *, old: Mapping[str, Any] | None = None, new: Mapping[str, Any] | None = None,
    detailed: Mapping[str, str] | None = None, held: Mapping[str, Any] | None = None, **metadata: Any,
) -> str:  # fmt: skip
    """The event of one step: `detailed` is path -> kind of difference, `held` how both sides are protected."""
    sides = {side: None if given is None else state(typ, name, given, **(held or {})) for side, given in (("old", old), ("new", new))}  # fmt: skip
    told = {path: {"diffKind": kind, "inputDiff": True} for path, kind in (detailed or {}).items()}
    body = {"op": operation, "urn": f"{PROJECT}::{typ}::{name}", "type": typ, **sides, "detailedDiff": told, **metadata}
    return json.dumps({"sequence": 1, "resourcePreEvent": {"metadata": body, "planning": True}})


def said(severity: str, message: str) -> str:
    return json.dumps({"diagnosticEvent": {"severity": severity, "message": message, "color": "never"}})


def ended(*, policies: bool = True) -> str:
    packs = {"celery-fleet": "0.1.0"} if policies else {}
    return json.dumps({"summaryEvent": {"resourceChanges": {}, "PolicyPacks": packs, "isPreview": True}})
