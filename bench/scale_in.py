"""What it would bring to stop idle workers first: Kubernetes' own choice of pods against pod-deletion costs written from busy slots.

Each queue of some catalogues meets every built-in trace under its own plan, on the same tasks with each order: the pods that a scale-in stops are those that
the ReplicaSet controller takes by itself (the youngest, in powers of two of their age), those with the fewest busy slots as the controller saw them up to
15 s ago, or those with the fewest at that moment, which no controller can beat; at last Kubernetes' own with as long a grace on spot as elsewhere.
`python -m bench.scale_in` prints the table and writes bench/results/scale-in.json. Left out: what else the costs would take (a controller's pod, its
calls), pods on one node, which go first, and the second run of what was interrupted.
"""

import os
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from bench.results_file import keep_figures
from fleet.environment import default_environment
from fleet.loading import load_plan
from fleet.plan import QueuePlan
from fleet.scale_in import REFRESH_SECONDS
from fleet.simulate.engine import Simulation
from fleet.simulate.keda import scaled_object
from fleet.simulate.model import SimulatedQueue, World, simulated_queue, world_of
from fleet.simulate.policies import draw_phases, keda_controller
from fleet.simulate.traces import Trace, generate
from fleet.sizing import Shutdown, derive_grace_seconds

ROOT = Path(__file__).resolve().parents[1]
SEEDS = (1, 2, 3)
HOURS = 1


def _queue(tasks: str, profile: str, runtime: Mapping[str, str], peak: str, **more: Any) -> dict[str, Any]:
    return {"tasks": [tasks], "profile": profile, "runtime": dict(runtime), "load": {"peak": peak}, **more}


MINUTES = {"mean": "3m", "p99": "12m", "limit": "20m"}
CATALOGUES: dict[str, dict[str, Any] | None] = {
    "shipped": None,
    "long": {
        "video": _queue("shop.video.*", "cpu", MINUTES, "0.1/s", wait={"promise": "5m"}),
        "crawl": _queue("shop.crawl.*", "io", {"mean": "20s", "p99": "2m", "limit": "5m"}, "2/s"),
    },
    "long-on-spot": {
        "render": _queue("shop.render.*", "cpu", MINUTES, "0.1/s", wait={"promise": "5m"}, capacity="spot", idempotent=True),
        "train": _queue(
            "shop.train.*", "cpu", {"mean": "60s", "p99": "4m", "limit": "10m"}, "0.5/s",
            wait={"promise": "2m"}, capacity="spot", idempotent=True,
        ),
    },
}  # fmt: skip
"""Name -> queues; the shipped one is queues.yaml. On spot a stopped task has 100 s, everywhere else its whole limit."""


class Order(StrEnum):
    """Which pods a scale-in stops."""

    KUBERNETES = "kubernetes"
    IDLE_FIRST = "idle-first"
    """By costs that are up to 15 s old."""
    IDLE_AT_ONCE = "idle-at-once"
    """By what is busy at that moment."""
    LONG_GRACE = "long-grace"
    """Kubernetes' own, where a stopped task has its whole limit on spot too."""


@dataclass(kw_only=True)
class Counts:
    """What happened in all runs of one catalogue under one order."""

    tasks: int = 0
    late: int = 0
    """Started after the promised wait."""
    stopped_pods: int = 0
    in_hand: int = 0
    """Tasks that ran on a pod when it was stopped."""
    interrupted: int = 0
    """Of them those that outlasted what they were given; each runs again."""
    drain_seconds: float = 0.0
    """From a pod's stop to its end."""
    pod_seconds: float = 0.0


class CountedSimulation(Simulation):
    """A run that counts what its scale-ins stop, in a chosen order."""

    def __init__(self, *args: Any, order: Order, counts: Counts, **options: Any) -> None:
        super().__init__(*args, **options)
        self._order, self._counts = order, counts
        self._written = 0.0
        self._costs: Counter[int] = Counter()

    def _sample(self, now: float) -> None:
        super()._sample(now)
        if now - self._written >= REFRESH_SECONDS:
            self._written, self._costs = now, self._busy(now)

    def _busy(self, now: float) -> Counter[int]:
        return Counter(pod for free, pod in self._slots if free > now)

    def _victims(self, now: float, count: int) -> list[int]:
        ranked = super()._victims(now, len(self._ready_since))
        if self._order in {Order.IDLE_FIRST, Order.IDLE_AT_ONCE}:
            # A stable sort: what costs the same goes in Kubernetes' own order. A pod that nobody has written a cost for has none.
            costs = self._costs if self._order is Order.IDLE_FIRST else self._busy(now)
            ranked.sort(key=lambda pod: costs[pod])
        victims = ranked[:count]
        self._count(now, set(victims))
        return victims

    def _count(self, now: float, victims: set[int]) -> None:
        counts, ends = self._counts, dict.fromkeys(victims, now)
        counts.stopped_pods += len(victims)
        for free, pod in self._slots:
            if pod in victims and free > now:
                counts.in_hand += 1
                ends[pod] = max(ends[pod], min(free, now + self._grace_seconds))
                counts.interrupted += free > now + self._grace_seconds
        counts.drain_seconds += sum(end - now for end in ends.values())


def given_seconds(queue: QueuePlan, order: Order) -> float:
    """What a running task has when its pod is stopped."""
    worker = queue.worker
    if order is Order.LONG_GRACE:
        return derive_grace_seconds(worker.hard_limit_seconds, Shutdown.WARM)
    return worker.soft_shutdown_seconds if worker.shutdown is Shutdown.SOFT else worker.grace_seconds


def run(
    queue: QueuePlan, simulated: SimulatedQueue, world: World, trace: Trace, seed: int, *, order: Order, counts: Counts
) -> None:
    """One run, added to the counts."""
    workload = generate(trace, simulated, duration_seconds=HOURS * 3600, seed=seed)
    phases = draw_phases(world, seed)
    ended = CountedSimulation(
        workload, world, keda_controller(scaled_object(simulated.autoscaling), world, phases),
        concurrency=simulated.concurrency, grace_seconds=given_seconds(queue, order), seed=seed, first_sample=phases.sample,
        prefetch_multiplier=simulated.prefetch_multiplier, order=order, counts=counts,
    ).run()  # fmt: skip
    waits = ended.starts - workload.arrivals
    counts.tasks += len(waits)
    counts.late += int(np.sum(waits > simulated.wait_seconds))
    counts.pod_seconds += ended.pod_seconds


def measure(name: str, queues: dict[str, Any] | None) -> dict[str, dict[Order, Counts]]:
    """Queue -> order -> counts of every trace and seed."""
    environment = default_environment("staging")
    with tempfile.TemporaryDirectory() as folder:
        path = ROOT / "queues.yaml"
        if queues is not None:
            path = Path(folder) / "queues.yaml"
            path.write_text(yaml.safe_dump({"application": "shop.celery:app", "queues": queues}))
        plan = load_plan(path, environment, fleet=name)
    world = world_of(environment)
    found: dict[str, dict[Order, Counts]] = {}
    for queue in plan.queues:
        found[queue.name] = {order: Counts() for order in Order}
        for order, counts in found[queue.name].items():
            for trace in Trace:
                for seed in SEEDS:
                    run(queue, simulated_queue(queue), world, trace, seed, order=order, counts=counts)
    return found


def gain_percent(before: float, after: float) -> float | None:
    """How much less it is; None where there was nothing."""
    return round(100 * (before - after) / before, 1) if before else None


def figures_of(found: Mapping[Order, Counts]) -> dict[str, Any]:
    """The counts of a queue, and what each order gains over Kubernetes' own."""
    own = found[Order.KUBERNETES]
    figures: dict[str, Any] = {}
    for order, counts in found.items():
        shown = {name: round(value) for name, value in asdict(counts).items()}
        if order is not Order.KUBERNETES:
            shown["interrupted_or_late_gain_percent"] = gain_percent(
                own.interrupted + own.late, counts.interrupted + counts.late
            )
            shown["pod_seconds_gain_percent"] = gain_percent(own.pod_seconds, counts.pod_seconds)
        figures[order.value] = shown
    return figures


def main() -> None:
    figures: dict[str, Any] = {}
    for name, queues in CATALOGUES.items():
        for queue, found in measure(name, queues).items():
            figures[f"{name}/{queue}"] = of_queue = figures_of(found)
            for order, shown in of_queue.items():
                sys.stdout.write(
                    f"{name}/{queue} {order}: {', '.join(f'{key} {value}' for key, value in shown.items())}\n"
                )
                sys.stdout.flush()
    keep_figures("scale-in", "python -m bench.scale_in", os.environ, figures)


if __name__ == "__main__":
    main()
