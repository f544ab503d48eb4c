"""The Kubernetes horizontal pod autoscaler, one sync at a time, as its controller decides it.

Modelled: AverageValue targets of external metrics in thousandths, the tolerance of 10 % against the current replicas, stabilization windows, scaling
policies with their history, minimum and maximum, and that a target at zero replicas is left alone. Left out: metrics that cannot be read.
Source: kubernetes pkg/controller/podautoscaler, `horizontal.go` (`reconcileAutoscaler`, `stabilizeRecommendationWithBehaviors`,
`convertDesiredReplicasWithBehaviorRate`) and `replica_calculator.go` (`GetExternalPerPodMetricReplicas`).
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Literal

TOLERANCE = 0.1
"""kube-controller-manager's default --horizontal-pod-autoscaler-tolerance."""

# Two syncs of the simulation are an exact multiple apart, and a controller's never less: what is exactly a window old is out of the window.
_JUST = 1e-6


@dataclass(frozen=True, kw_only=True)
class ScalingPolicy:
    """How much may change within a period."""

    kind: Literal["Pods", "Percent"]
    value: int
    period_seconds: float = 15.0


@dataclass(frozen=True, kw_only=True)
class ScalingRules:
    """One direction of an autoscaler's `behavior`; of several policies the one that allows most counts (`selectPolicy: Max`)."""

    stabilization_seconds: float
    policies: tuple[ScalingPolicy, ...]


DEFAULT_SCALE_UP = ScalingRules(
    stabilization_seconds=0,
    policies=(ScalingPolicy(kind="Percent", value=100), ScalingPolicy(kind="Pods", value=4)),
)
"""Kubernetes' default: doubling, or four pods, every 15 s."""

DEFAULT_SCALE_DOWN = ScalingRules(stabilization_seconds=300, policies=(ScalingPolicy(kind="Percent", value=100),))
"""Kubernetes' default: everything at once, to the highest recommendation of five minutes."""


@dataclass(kw_only=True)
class HorizontalAutoscaler:
    """One HorizontalPodAutoscaler with what its controller remembers."""

    min_replicas: int
    """At least 1: from and to zero is KEDA's part."""
    max_replicas: int
    scale_up: ScalingRules = DEFAULT_SCALE_UP
    scale_down: ScalingRules = DEFAULT_SCALE_DOWN
    tolerance: float = TOLERANCE
    _recommendations: list[tuple[float, int]] = field(default_factory=list)
    _ups: list[tuple[float, int]] = field(default_factory=list)
    _downs: list[tuple[float, int]] = field(default_factory=list)

    def sync(self, now: float, current: int, propose: Callable[[int], int]) -> int:
        """The replicas that the target has after this sync.

        `propose` gives the metric's recommendation for the current replicas, for example `average_value_replicas`.
        """
        if not self._recommendations:
            self._recommendations.append((now, current))
        if current == 0:
            return 0
        if current > self.max_replicas:
            desired = self.max_replicas
        elif current < self.min_replicas:
            desired = self.min_replicas
        else:
            desired = self._limited(now, current, self._stabilized(now, current, propose(current)))
        if desired > current:
            self._ups = [*_within(self._ups, now, self.scale_up), (now, desired - current)]
        elif desired < current:
            self._downs = [*_within(self._downs, now, self.scale_down), (now, current - desired)]
        return desired

    def _stabilized(self, now: float, current: int, proposed: int) -> int:
        up = proposed >= current
        window = (self.scale_up if up else self.scale_down).stabilization_seconds
        recent = [value for when, value in self._recommendations if when > now - window + _JUST]
        longest = max(self.scale_up.stabilization_seconds, self.scale_down.stabilization_seconds)
        self._recommendations = [entry for entry in self._recommendations if entry[0] >= now - longest]
        self._recommendations.append((now, proposed))
        return (min if up else max)([proposed, *recent])

    def _limited(self, now: float, current: int, desired: int) -> int:
        if desired > current:
            reach = max(
                _up_limit(policy, current, _changed(self._ups, now, policy)) for policy in self.scale_up.policies
            )
            return min(desired, self.max_replicas, max(reach, current))
        if desired < current:
            reach = min(
                _down_limit(policy, current, _changed(self._downs, now, policy)) for policy in self.scale_down.policies
            )
            return max(desired, self.min_replicas, min(reach, current))
        return desired


def _within(events: list[tuple[float, int]], now: float, rules: ScalingRules) -> list[tuple[float, int]]:
    longest = max(policy.period_seconds for policy in rules.policies)
    return [event for event in events if event[0] > now - longest - _JUST]


def _changed(events: list[tuple[float, int]], now: float, policy: ScalingPolicy) -> int:
    return sum(change for when, change in events if when > now - policy.period_seconds + _JUST)


def _up_limit(policy: ScalingPolicy, current: int, changed: int) -> int:
    before = current - changed
    return before + policy.value if policy.kind == "Pods" else math.ceil(before * (1 + policy.value / 100))


def _down_limit(policy: ScalingPolicy, current: int, changed: int) -> int:
    before = current + changed
    return before - policy.value if policy.kind == "Pods" else int(before * (1 - policy.value / 100))


def _tolerated(ratio: float, tolerance: float) -> bool:
    return 1 - tolerance <= ratio <= 1 + tolerance


def average_value_replicas(value: float, target: float, current: int, tolerance: float = TOLERANCE) -> int:
    """What an AverageValue target of an external metric recommends: ceil(value/target), or the current replicas within the tolerance.

    Both numbers are cut to thousandths, as KEDA hands them to the autoscaler.
    """
    usage, per_pod = int(value * 1000), int(target * 1000)
    if _tolerated(usage / (per_pod * current), tolerance):
        return current
    return math.ceil(usage / per_pod)


def utilization_replicas(
    utilization: float, target: float, *, ready: int, starting: int, current: int, tolerance: float = TOLERANCE
) -> int:
    """What a CPU target recommends: pods that are still starting count as idle when it would scale up, and not at all otherwise.

    `utilization` is the mean of the ready pods, as a share of their request, `target` the one that is aimed for.
    Source: `GetResourceReplicas` of the replica calculator.
    """
    if ready == 0:
        return current
    ratio = utilization / target
    if not (starting and ratio > 1):
        return current if _tolerated(ratio, tolerance) else math.ceil(ratio * ready)
    diluted = ratio * ready / (ready + starting)
    if diluted <= 1 + tolerance:
        return current
    return max(current, math.ceil(diluted * (ready + starting)))


def replay(
    autoscaler: HorizontalAutoscaler,
    propose: Callable[[dict[str, float], int], int],
    timeline: Iterable[tuple[float, dict[str, float], int]],
) -> list[tuple[float, int]]:
    """What the modelled autoscaler decides at each sync of a recorded timeline.

    `timeline` has a row for each sync of a real controller: seconds, the triggers' values (`{"total": 12, "ready": 4}`) and the replicas of the
    target then. `propose` turns values and current replicas into a recommendation (`fleet.simulate.keda.proposal(plan)`).

    Returns: (seconds, replicas after the sync), to be held against the replicas of the next row.
    """
    return [
        (seconds, autoscaler.sync(seconds, current, lambda replicas, values=values: propose(values, replicas)))  # type: ignore[misc]
        for seconds, values, current in timeline
    ]
