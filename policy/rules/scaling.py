"""How workloads, their autoscalers and their disruption budgets fit together.

Sources: KEDA 2.21 docs, "ScaledObject specification" (target kind Deployment and 100 replicas where nothing is said; KEDA's admission webhook
refuses a second one for a target, where it runs); Kubernetes docs, "Horizontal Pod Autoscaling" and "Specifying a Disruption Budget for your Application".
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from policy.graph import Resource, at, count, section, text
from policy.pods import BROKERS, is_upstream
from policy.rule import Finding, StackRule

DEPLOYMENTS = ("kubernetes:apps/*:Deployment", "kubernetes:apps/*:StatefulSet")
SCALERS = ("kubernetes:keda.sh/*:ScaledObject", "kubernetes:autoscaling/*:HorizontalPodAutoscaler")
BUDGETS = ("kubernetes:policy/*:PodDisruptionBudget",)

KEDA_MAXIMUM = 100
"""Replicas that a ScaledObject goes up to where it states none."""


class Target(NamedTuple):
    """A workload, as an autoscaler names it."""

    namespace: str
    kind: str
    name: str


@dataclass(frozen=True, kw_only=True)
class Scaler:
    """An autoscaler and what it scales."""

    resource: Resource
    target: Target
    maximum: int


def _scalers(resources: Sequence[Resource]) -> list[Scaler]:
    found = []
    for item in resources:
        if item.kind in {"ScaledObject", "HorizontalPodAutoscaler"}:
            spec = section(item.properties, "spec")
            kind = text(spec, "scaleTargetRef.kind") or "Deployment"
            stated = at(spec, "maxReplicaCount" if item.kind == "ScaledObject" else "maxReplicas")
            target = Target(item.namespace, kind, text(spec, "scaleTargetRef.name"))
            found.append(Scaler(resource=item, target=target, maximum=count(stated, default=KEDA_MAXIMUM)))
    return found


def _own(resources: Sequence[Resource]) -> Iterator[tuple[Target, Resource]]:
    for item in resources:
        if item.kind in {"Deployment", "StatefulSet"} and not is_upstream(item):
            yield Target(item.namespace, item.kind, item.object_name), item


def _unbudgeted(resources: Sequence[Resource]) -> Iterator[Finding]:
    maximum = {scaler.target: scaler.maximum for scaler in _scalers(resources)}
    budgets = [item for item in resources if item.kind == "PodDisruptionBudget"]
    many = [
        (item, at(item.properties, "spec.template.metadata.labels"))
        for target, item in _own(resources)
        if max(count(at(item.properties, "spec.replicas"), default=1), maximum.get(target, 1)) > 1
    ]
    # The cluster operator labels its pods with the cluster's name.
    many += [
        (item, {"app.kubernetes.io/name": item.object_name})
        for item in resources
        if item.kind == "RabbitmqCluster" and count(at(item.properties, "spec.replicas"), default=1) > 1
    ]
    for item, labels in many:
        if not any(_covers(budget, item.namespace, labels) for budget in budgets):
            yield Finding(
                resource=item,
                where="spec.replicas",
                problem="may be more than one, but no PodDisruptionBudget selects its pods",
            )


def _covers(budget: Resource, namespace: str, labels: Any) -> bool:
    """Whether a budget selects pods with these labels; one that selects by expressions is taken to."""
    wanted = section(budget.properties, "spec.selector.matchLabels")
    return budget.namespace == namespace and wanted.items() <= dict(labels if isinstance(labels, dict) else {}).items()


def _scaled_twice(resources: Sequence[Resource]) -> Iterator[Finding]:
    by_target: dict[Target, list[Resource]] = defaultdict(list)
    for scaler in _scalers(resources):
        by_target[scaler.target].append(scaler.resource)
    for target, found in by_target.items():
        for another in found[1:]:
            yield Finding(
                resource=another,
                where="spec.scaleTargetRef",
                problem=f"names {target.kind} {target.name}, which {found[0].kind} {found[0].object_name} scales already",
            )


def _scaled_and_stated(resources: Sequence[Resource]) -> Iterator[Finding]:
    scaled = {scaler.target for scaler in _scalers(resources)}
    for target, item in _own(resources):
        if target in scaled and at(item.properties, "spec.replicas") is not None:
            yield Finding(
                resource=item, where="spec.replicas", problem="is stated, though an autoscaler owns the number"
            )


RULES = (
    StackRule(
        id="disruption-budget",
        says="Whatever runs in more than one pod has a PodDisruptionBudget.",
        reason="A node upgrade would take all of its pods at once, and with the broker's their quorum.",
        fix="Add a PodDisruptionBudget in the same namespace whose selector fits the pods, with maxUnavailable: 1.",
        types=(*DEPLOYMENTS, *BROKERS, *SCALERS, *BUDGETS),
        check=_unbudgeted,
    ),
    StackRule(
        id="one-scaler",
        says="A workload has one autoscaler at most.",
        reason="Two autoscalers take turns in undoing each other, and pods come and go with every poll.",
        fix="Put all triggers into one ScaledObject, which makes its own HorizontalPodAutoscaler.",
        types=SCALERS,
        check=_scaled_twice,
    ),
    StackRule(
        id="scaled-replicas",
        says="What an autoscaler scales states no replicas.",
        reason="Every deployment would set the number back, in the middle of a peak too.",
        fix="Leave spec.replicas out; the autoscaler's minimum says how many there are at least.",
        types=(*DEPLOYMENTS, *SCALERS),
        check=_scaled_and_stated,
    ),
)
