"""KEDA on top of the autoscaler: which value it hands over, and who owns the way from and to zero.

KEDA asks the broker at each poll whether the target is active and owns 0 -> 1 and, after the cooldown, 1 -> 0; between one and the maximum the
autoscaler decides at its own syncs with values that KEDA reads for it at that moment. With scalingModifiers activity is the formula's value above
zero and nothing else. Left out: fallback, paused objects, errors of a scaler.
Source: KEDA 2.21 pkg/scaling/executor/scale_scaledobjects.go (`RequestScale`, `scaleToZeroOrIdle`) and pkg/scaling/scale_handler.go (`getScaledObjectState`).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from fleet.scaling import AutoscalingPlan
from fleet.simulate.autoscaler import (
    DEFAULT_SCALE_DOWN,
    DEFAULT_SCALE_UP,
    HorizontalAutoscaler,
    ScalingPolicy,
    ScalingRules,
    average_value_replicas,
    utilization_replicas,
)
from fleet.simulate.engine import Simulation
from fleet.simulate.formulas import Formula, parse_formula
from fleet.simulate.model import Workload

TRIGGERS = frozenset({"total", "ready", "rate"})
"""Values of a broker queue that a formula may use: ready + unacknowledged, ready, and published messages a second."""


@dataclass(frozen=True, kw_only=True)
class ScaledObject:
    """What KEDA is told, in numbers."""

    metric: Formula
    target: float
    """AverageValue."""
    min_replicas: int
    max_replicas: int
    polling_seconds: float
    cooldown_seconds: float
    scale_up: ScalingRules = DEFAULT_SCALE_UP
    scale_down: ScalingRules = DEFAULT_SCALE_DOWN


def scaled_object(plan: AutoscalingPlan) -> ScaledObject:
    """The ScaledObject that `infra/manifests/autoscaling.py` writes for this plan."""
    return ScaledObject(
        metric=parse_formula(plan.formula or "total", TRIGGERS),
        target=plan.target,
        min_replicas=plan.min_replicas,
        max_replicas=plan.max_replicas,
        polling_seconds=plan.polling_seconds,
        cooldown_seconds=plan.cooldown_seconds,
        scale_up=ScalingRules(stabilization_seconds=0, policies=(ScalingPolicy(kind="Pods", value=plan.max_replicas),)),
        scale_down=ScalingRules(
            stabilization_seconds=plan.scale_down_window_seconds,
            policies=DEFAULT_SCALE_DOWN.policies,
        ),
    )


def horizontal_autoscaler(spec: ScaledObject) -> HorizontalAutoscaler:
    """The autoscaler that KEDA makes of it: never below one replica, because zero is KEDA's."""
    return HorizontalAutoscaler(
        min_replicas=max(1, spec.min_replicas),
        max_replicas=spec.max_replicas,
        scale_up=spec.scale_up,
        scale_down=spec.scale_down,
    )


def proposal(spec: ScaledObject) -> Callable[[dict[str, float], int], int]:
    """The recommendation for the triggers' values at the current replicas, as `fleet.simulate.autoscaler.replay` takes it."""
    return lambda values, current: average_value_replicas(spec.metric(values), spec.target, current)


class KedaController:
    """A ScaledObject and its autoscaler as the controller of a simulation."""

    def __init__(self, spec: ScaledObject, *, sync_seconds: float, first_sync: float, first_poll: float) -> None:
        """`first_sync` and `first_poll` are the phases of the two clocks within the trace."""
        self._spec = spec
        self._autoscaler = horizontal_autoscaler(spec)
        self._sync_seconds = sync_seconds
        self._first_sync = first_sync
        self._first_poll = first_poll
        self._syncs = 0
        self._polls = 0
        self._last_active = 0.0

    def initial(self, workload: Workload) -> int:
        """What the load at the beginning keeps busy, within minimum and maximum."""
        return min(self._spec.max_replicas, max(self._spec.min_replicas, workload.initial_pods))

    def next_wake(self) -> float:
        """The next sync, or the next poll where there is a way to zero."""
        return min(self._next_sync(), self._next_poll())

    def _next_sync(self) -> float:
        return self._first_sync + self._syncs * self._sync_seconds

    def _next_poll(self) -> float:
        return self._first_poll + self._polls * self._spec.polling_seconds if self._spec.min_replicas == 0 else math.inf

    def wake(self, now: float, view: Simulation) -> int:
        """One poll of KEDA or one sync of the autoscaler."""
        values = _values(now, view)
        if self._next_poll() <= self._next_sync():
            self._polls += 1
            return self._polled(now, view.replicas, values)
        self._syncs += 1
        return self._autoscaler.sync(
            now,
            view.replicas,
            lambda current: average_value_replicas(self._spec.metric(values), self._spec.target, current),
        )

    def _polled(self, now: float, replicas: int, values: dict[str, float]) -> int:
        if self._spec.metric(values) > 0:
            self._last_active = now
            return max(replicas, 1)
        return 0 if now - self._last_active > self._spec.cooldown_seconds else replicas


def _values(now: float, view: Simulation) -> dict[str, float]:
    shown = view.visible(now)
    if not shown:
        return dict.fromkeys(TRIGGERS, 0.0)
    first, sample = shown[0], shown[-1]
    rate = (sample.arrived - first.arrived) / (sample.seconds - first.seconds) if sample is not first else 0.0
    return {"total": sample.ready + sample.busy, "ready": sample.ready, "rate": rate}


class CpuController:
    """A HorizontalPodAutoscaler on CPU alone, with Kubernetes' default behaviour.

    The CPU that pods use follows their busy slots: a slot's request is what a running task uses. Pods report every 15 s and the autoscaler
    sees the mean of the last report's 15 s (metrics-server's resolution), here of the samples in it.
    """

    def __init__(
        self, *, target: float, concurrency: int, min_replicas: int, max_replicas: int, sync_seconds: float, first_sync: float
    ) -> None:  # fmt: skip
        """`target` is the utilization that is aimed for, 0.8 for 80 %."""
        self._target = target
        self._concurrency = concurrency
        self._autoscaler = HorizontalAutoscaler(min_replicas=max(1, min_replicas), max_replicas=max_replicas)
        self._sync_seconds = sync_seconds
        self._first_sync = first_sync
        self._syncs = 0

    def initial(self, workload: Workload) -> int:
        """What the load at the beginning keeps busy; one pod at least, because without pods there is no CPU to measure."""
        return min(self._autoscaler.max_replicas, max(self._autoscaler.min_replicas, workload.initial_pods))

    def next_wake(self) -> float:
        """The next sync."""
        return self._first_sync + self._syncs * self._sync_seconds

    def wake(self, now: float, view: Simulation) -> int:
        """One sync."""
        self._syncs += 1
        window = [sample for sample in view.samples[-6:] if now - 22.5 <= sample.seconds <= now - 7.5]
        slots = sum(sample.ready_pods for sample in window) * self._concurrency
        if slots == 0:
            return view.replicas
        busy = sum(sample.live_busy for sample in window) / slots
        ready = view.ready_pods
        return self._autoscaler.sync(
            now,
            view.replicas,
            lambda current: utilization_replicas(
                busy, self._target, ready=ready, starting=view.replicas - ready, current=current
            ),
        )


class FixedController:
    """As many pods, always."""

    def __init__(self, replicas: int) -> None:
        self._replicas = replicas

    def initial(self, workload: Workload) -> int:
        """All of them."""
        return self._replicas

    def next_wake(self) -> float:
        """Never."""
        return math.inf

    def wake(self, now: float, view: Simulation) -> int:
        """Never asked."""
        return self._replicas
