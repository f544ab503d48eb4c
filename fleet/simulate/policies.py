"""The policies that are compared: the plan's own, what people deploy otherwise, and the two ends of the scale.

Every policy gets the plan's maximum. Policies without a rule for the minimum get the declared one, and the behaviour that Kubernetes and KEDA have
by default.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from fleet.scaling import AutoscalingPlan
from fleet.simulate.clairvoyant import clairvoyant
from fleet.simulate.engine import Controller, Run, Simulation
from fleet.simulate.formulas import parse_formula
from fleet.simulate.keda import TRIGGERS, CpuController, FixedController, KedaController, ScaledObject, scaled_object
from fleet.simulate.model import SimulatedQueue, Workload, World

KEDA_DEFAULT_VALUE = 20
KEDA_DEFAULT_POLLING_SECONDS = 30
KEDA_DEFAULT_COOLDOWN_SECONDS = 300
KUBERNETES_GRACE_SECONDS = 30
"""terminationGracePeriodSeconds that nobody set."""
CPU_TARGET = 0.8


class PolicyName(StrEnum):
    """A way to decide the number of pods."""

    PLAN = "plan"
    """What `fleet plan` derives and the infrastructure deploys."""
    HPA_CPU = "hpa-cpu"
    """HorizontalPodAutoscaler on 80 % CPU."""
    KEDA_DEFAULT = "keda-default"
    """KEDA as documented: 20 ready messages a pod, polling 30 s, cooldown 300 s."""
    KEDA_WAIT = "keda-wait"
    """KEDA on ready messages, value c (1 + W/S)."""
    KEDA_BUSY = "keda-busy"
    """KEDA on ready + unacknowledged messages, value c."""
    FIXED_PEAK = "fixed-peak"
    """The pods that the declared peak needs, always."""
    CLAIRVOYANT = "clairvoyant"
    """The bound: knows every arrival and runtime, pods appear when they are wanted."""


@dataclass(frozen=True, kw_only=True)
class Phases:
    """Where in a trace the clocks first tick: no policy may be lucky with them, so all get the same."""

    sync: float
    poll_share: float
    """Of the polling interval, which is the policy's own."""
    sample: float


def draw_phases(world: World, seed: int) -> Phases:
    """The phases of a seed."""
    sync, poll, sample = np.random.default_rng([seed, 1]).random(3)
    return Phases(
        sync=float(sync) * world.sync_seconds,
        poll_share=float(poll),
        sample=float(sample) * world.statistics_every_seconds,
    )


def simulate(policy: PolicyName, workload: Workload, queue: SimulatedQueue, world: World, *, seed: int) -> Run:
    """One run of a policy."""
    if policy is PolicyName.CLAIRVOYANT:
        return clairvoyant(workload, queue, world)
    if policy is PolicyName.PLAN:
        return simulate_plan(queue.autoscaling, workload, queue, world, seed=seed)
    phases = draw_phases(world, seed)
    grace = queue.grace_seconds if policy is PolicyName.FIXED_PEAK else KUBERNETES_GRACE_SECONDS
    return Simulation(
        workload, world, _CONTROLLERS[policy](queue, world, phases),
        concurrency=queue.concurrency, grace_seconds=grace, seed=seed, first_sample=phases.sample,
        prefetch_multiplier=queue.prefetch_multiplier,
    ).run()  # fmt: skip


def simulate_plan(plan: AutoscalingPlan, workload: Workload, queue: SimulatedQueue, world: World, *, seed: int) -> Run:
    """One run of an autoscaling plan: the queue's own, another form of the rule, or one derived from wrong declarations."""
    phases = draw_phases(world, seed)
    return Simulation(
        workload, world, keda_controller(scaled_object(plan), world, phases),
        concurrency=queue.concurrency, grace_seconds=queue.grace_seconds, seed=seed, first_sample=phases.sample,
        prefetch_multiplier=queue.prefetch_multiplier,
    ).run()  # fmt: skip


def keda_controller(spec: ScaledObject, world: World, phases: Phases) -> KedaController:
    """KEDA as it meets this world."""
    return KedaController(
        spec,
        sync_seconds=world.sync_seconds,
        first_sync=phases.sync,
        first_poll=phases.poll_share * spec.polling_seconds,
    )


def _keda_with(formula: str, value: Callable[[SimulatedQueue], float]) -> "_Factory":
    def build(queue: SimulatedQueue, world: World, phases: Phases) -> Controller:
        spec = ScaledObject(
            metric=parse_formula(formula, TRIGGERS),
            target=value(queue),
            min_replicas=queue.declared_minimum,
            max_replicas=queue.autoscaling.max_replicas,
            polling_seconds=KEDA_DEFAULT_POLLING_SECONDS,
            cooldown_seconds=KEDA_DEFAULT_COOLDOWN_SECONDS,
        )
        return keda_controller(spec, world, phases)

    return build


def _cpu(queue: SimulatedQueue, world: World, phases: Phases) -> Controller:
    return CpuController(
        target=CPU_TARGET,
        concurrency=queue.concurrency,
        min_replicas=queue.declared_minimum,
        max_replicas=queue.autoscaling.max_replicas,
        sync_seconds=world.sync_seconds,
        first_sync=phases.sync,
    )


def _fixed(queue: SimulatedQueue, _world: World, _phases: Phases) -> Controller:
    return FixedController(queue.autoscaling.peak_replicas)


_Factory = Callable[[SimulatedQueue, World, Phases], Controller]

_CONTROLLERS: dict[PolicyName, _Factory] = {
    PolicyName.HPA_CPU: _cpu,
    PolicyName.KEDA_DEFAULT: _keda_with("ready", lambda _queue: KEDA_DEFAULT_VALUE),
    PolicyName.KEDA_WAIT: _keda_with(
        "ready", lambda queue: queue.concurrency * (1 + queue.wait_seconds / queue.mean_seconds)
    ),
    PolicyName.KEDA_BUSY: _keda_with("total", lambda queue: queue.concurrency),
    PolicyName.FIXED_PEAK: _fixed,
}
