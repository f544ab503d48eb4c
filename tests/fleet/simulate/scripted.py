"""Small pieces that the tests of the simulator share: work written down by hand, and a controller that follows a script."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fleet.environment import default_environment
from fleet.loading import load_plan
from fleet.plan import Plan
from fleet.simulate.engine import Run, Simulation
from fleet.simulate.model import Workload, World

WORLD = World(startup_seconds=(5.0, 5.0))
"""Every pod takes just five seconds."""


def work(*tasks: tuple[float, float], lasts: float = 20.0) -> Workload:
    """Tasks as (arrival, runtime)."""
    arrivals, runtimes = zip(*tasks, strict=True) if tasks else ((), ())
    return Workload(
        trace="by-hand",
        arrivals=np.array(arrivals, dtype=float),
        runtimes=np.array(runtimes, dtype=float),
        duration_seconds=lasts,
    )


class Script:
    """Wants the given pods at the given times; the first entry, at 0, is what is there already."""

    def __init__(self, *steps: tuple[float, int]) -> None:
        self._steps = list(steps)

    def initial(self, workload: Workload) -> int:
        return self._steps.pop(0)[1]

    def next_wake(self) -> float:
        return self._steps[0][0] if self._steps else math.inf

    def wake(self, now: float, view: Simulation) -> int:
        return self._steps.pop(0)[1]


def run(
    workload: Workload,
    steps: Sequence[tuple[float, int]],
    *,
    concurrency: int = 1,
    grace_seconds: float = 3600.0,
    world: World = WORLD,
    prefetch_multiplier: int = 1,
) -> Run:
    return Simulation(
        workload, world, Script(*steps), concurrency=concurrency, grace_seconds=grace_seconds, seed=1,
        prefetch_multiplier=prefetch_multiplier,
    ).run()  # fmt: skip


def sample_plan(environment: str) -> Plan:
    """What `queues.yaml` of the project becomes in an environment."""
    return load_plan(Path(__file__).parents[3] / "queues.yaml", default_environment(environment))
