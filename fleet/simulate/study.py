"""Runs side by side: the same tasks under several policies, with the bound that each is measured against."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from fleet.simulate.clairvoyant import clairvoyant
from fleet.simulate.engine import Run
from fleet.simulate.model import SimulatedQueue, Workload, World
from fleet.simulate.outcome import Outcome, outcome
from fleet.simulate.policies import PolicyName, simulate


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One trace on one queue under several policies."""

    queue: SimulatedQueue
    workload: Workload
    runs: Mapping[PolicyName, Run]
    outcomes: tuple[Outcome, ...]
    """In the order in which the policies were asked for."""


def compare(
    workload: Workload, queue: SimulatedQueue, world: World, policies: Iterable[PolicyName], *, seed: int, price_per_pod_hour: float | None = None
) -> Comparison:  # fmt: skip
    """The policies on the same tasks, with the same clocks; ratios are there when the clairvoyant bound is among them."""
    asked = list(dict.fromkeys(policies))
    runs: dict[PolicyName, Run] = {
        policy: simulate(policy, workload, queue, world, seed=seed)
        for policy in asked
        if policy is not PolicyName.CLAIRVOYANT
    }
    bound = None
    if PolicyName.CLAIRVOYANT in asked:
        runs[PolicyName.CLAIRVOYANT] = clairvoyant(workload, queue, world, others=runs.values())
        bound = runs[PolicyName.CLAIRVOYANT].pod_seconds
    outcomes = tuple(
        outcome(runs[policy], queue, policy.value, price_per_pod_hour=price_per_pod_hour, bound=bound)
        for policy in asked
    )
    return Comparison(queue=queue, workload=workload, runs=runs, outcomes=outcomes)
