"""The clairvoyant bound: what the promise costs one who knows every arrival and every runtime, and whose pods appear when they are wanted.

The family of schedules that is searched:

- Just in time, with a lag L and a step g. At every g seconds the pods are wanted that start within this step every task that is due in it, a task
  being due L after its arrival: ceil((sum of min(rest, g) over running tasks + sum of min(runtime, g) over due tasks) / (g c)). The lags are shares
  of the promised wait, so pods stay busy with a backlog as old as the promise allows and disappear, the least busy first, as soon as it is gone.
- The schedules of the policies that it is compared with, where they keep the promise: who knows everything can also copy them.

The bound is the cheapest of them that keeps the promise. No declared minimum holds for it. It is a heuristic: `floor` (total runtime / slots of a pod) is what
no schedule can go below, and a just-in-time schedule within 2 % of it ends the search.
"""

import math
from collections.abc import Iterable

import numpy as np

from fleet.simulate.engine import Run, Simulation
from fleet.simulate.model import SimulatedQueue, Workload, World
from fleet.simulate.outcome import keeps_promise, share_within

LAGS_AND_STEPS = ((0.6, 0.3), (0.85, 0.1), (0.0, 0.1))
"""(lag, step) as shares of the promised wait: long steps pack pods best, short ones fit a sparse load, no lag is the safest."""

_GOOD_ENOUGH = 1.02


class JustInTime:
    """The controller of one just-in-time schedule."""

    def __init__(self, workload: Workload, *, lag_seconds: float, step_seconds: float, concurrency: int) -> None:
        self._arrivals = workload.arrivals
        self._lag_seconds = lag_seconds
        self._step_seconds = step_seconds
        self._concurrency = concurrency
        self._work = np.concatenate([[0.0], np.cumsum(np.minimum(workload.runtimes, step_seconds))])
        self._steps = 0

    def initial(self, workload: Workload) -> int:
        """None: the first step comes at once."""
        return 0

    def next_wake(self) -> float:
        """The next step."""
        return self._steps * self._step_seconds

    def wake(self, now: float, view: Simulation) -> int:
        """The pods for the tasks that are due within the step."""
        self._steps += 1
        step, started = self._step_seconds, view.started
        due = max(started, int(np.searchsorted(self._arrivals, now + step - self._lag_seconds, side="right")))
        running = sum(min(free - now, step) for free, _ in view.slots if free > now)
        needed = running + float(self._work[due] - self._work[started])
        return math.ceil(needed / (step * self._concurrency) - 1e-9)


def clairvoyant(workload: Workload, queue: SimulatedQueue, world: World, *, others: Iterable[Run] = ()) -> Run:
    """The cheapest run of the family that keeps the promise; where none does, the one with the most tasks in time."""
    runs = list(others)
    good = _GOOD_ENOUGH * workload.work_seconds / queue.concurrency
    for lag, step in LAGS_AND_STEPS:
        run = _just_in_time(workload, queue, world, lag, step)
        runs.append(run)
        if keeps_promise(run, queue) and run.pod_seconds <= good:
            break
    kept = [run for run in runs if keeps_promise(run, queue)]
    if not kept:
        return max(runs, key=lambda run: share_within(run, queue))
    return min(kept, key=lambda run: run.pod_seconds)


def _just_in_time(workload: Workload, queue: SimulatedQueue, world: World, lag: float, step: float) -> Run:
    controller = JustInTime(
        workload,
        lag_seconds=lag * queue.wait_seconds,
        step_seconds=step * queue.wait_seconds,
        concurrency=queue.concurrency,
    )
    return Simulation(
        workload, world, controller, concurrency=queue.concurrency, grace_seconds=math.inf, seed=0, instant=True
    ).run()
