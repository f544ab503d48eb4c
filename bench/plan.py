"""The scaling rule against everything else, by simulation: `python -m bench.plan policies forms proposal slow speed`, or `all`.

Four classes of queues, ten traces each, one seed and two held out. Each group of figures goes into `bench/results/plan.json` as soon as it is known.
What the figures mean is in bench/README.md, what is modelled in docs/explanation/simulation.md.
"""

import os
import statistics
import time
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from bench.measuring import names_asked
from bench.queue_classes import DURATION_SECONDS, SLOW, WORLD, classes
from bench.results_file import keep_figures
from fleet.scaling import AutoscalingPlan
from fleet.simulate.model import SimulatedQueue, World
from fleet.simulate.outcome import Outcome, outcome
from fleet.simulate.policies import PolicyName, simulate, simulate_plan
from fleet.simulate.study import compare
from fleet.simulate.traces import SMOOTH, Trace, generate

NAME = "plan"
SEED = 1
HELD_OUT = (2, 3)
COMPARED = tuple(PolicyName)

FIGURE_CLASSES = {"long": "reports", "mid": "mail", "short": "cpu", "short_1s": "io"}
"""Figure -> class: of the two short ones, the queue that promises one second has a figure of its own."""


def policies() -> dict[str, Any]:
    """Every policy on every class, trace and seed."""
    found: dict[int, list[Outcome]] = {}
    for seed in (SEED, *HELD_OUT):
        outcomes = found.setdefault(seed, [])
        for queue in classes().values():
            for trace in Trace:
                workload = generate(trace, queue, duration_seconds=DURATION_SECONDS[queue.name], seed=seed)
                outcomes += compare(workload, queue, WORLD, COMPARED, seed=seed, price_per_pod_hour=1.0).outcomes
                print(f"  seed {seed} {queue.name} {trace.value}", flush=True)
    held_out = [result for seed in HELD_OUT for result in found[seed]]
    ours = _of(found[SEED], PolicyName.PLAN)
    figures: dict[str, Any] = {
        "kept_of_40": _kept(ours),
        "kept_of_40_keda_example": _kept(_of(found[SEED], PolicyName.KEDA_DEFAULT)),
        "kept_of_80_held_out": _kept(_of(held_out, PolicyName.PLAN)),
        "kept_of_40_by_policy": {policy.value: _kept(_of(found[SEED], policy)) for policy in COMPARED},
        "kept_of_80_held_out_by_policy": {policy.value: _kept(_of(held_out, policy)) for policy in COMPARED},
        "missed_by_plan": {
            f"seed {seed}": [
                f"{result.queue} {result.trace}: {result.within_percent:.1f} %"
                for result in _of(results, PolicyName.PLAN)
                if not result.kept
            ]
            for seed, results in found.items()
        },
        "by_class": _by_class(found[SEED]),
    }
    ratios = {
        name: {
            "smooth": _ratio(_kept_by(ours, name), smooth=True),
            "bursty": _ratio(_kept_by(ours, name), smooth=False),
        }
        for name in FIGURE_CLASSES.values()
    }
    figures["ratios_by_class"] = ratios
    figures |= {f"smooth_ratio_{figure}": ratios[name]["smooth"]["mean"] for figure, name in FIGURE_CLASSES.items()}
    figures |= {f"bursty_ratio_{figure}": ratios[name]["bursty"]["mean"] for figure, name in FIGURE_CLASSES.items()}
    return figures


def forms() -> dict[str, Any]:
    """The rule beside the message-rate form, and both with a runtime or a start-up time that was declared wrong."""
    later = World(startup_seconds=(WORLD.startup_seconds[0] + 5, WORLD.startup_seconds[1] + 5))
    much_later = World(startup_seconds=(WORLD.startup_seconds[0] * 5, WORLD.startup_seconds[1] * 5))
    variants: dict[str, tuple[dict[str, SimulatedQueue], Callable[[SimulatedQueue], AutoscalingPlan], World]] = {
        "rule": (classes(), _own, WORLD),
        "rate form": (classes(), _rate_form, WORLD),
        "rule, S declared half": (classes(runtime=0.5), _own, WORLD),
        "rate form, S declared half": (classes(runtime=0.5), _rate_form, WORLD),
        "rule, S declared double": (classes(runtime=2), _own, WORLD),
        "rate form, S declared double": (classes(runtime=2), _rate_form, WORLD),
        "rule, pods 5 s later, not told": (classes(), _own, later),
        "rule, pods 5 s later, told": (classes(startup_seconds=later.startup_seconds[1]), _own, later),
        "rule, pods 5 times later, not told": (classes(), _own, much_later),
        "rule, pods 5 times later, told": (classes(startup_seconds=much_later.startup_seconds[1]), _own, much_later),
    }
    truth = classes()
    figures: dict[str, Any] = {}
    for variant, (declared, plan_of, world) in variants.items():
        print(f"  {variant}", flush=True)
        figures[variant] = {
            name: _summary(_planned(queue, plan_of(declared[name]), world, DURATION_SECONDS[name]))
            for name, queue in truth.items()
        }
    return {"forms": figures}


def slow() -> dict[str, Any]:
    """A slow queue (0.1/s, 20 s a task, promise 60 s): what the sampling noise of a message rate costs."""
    queue = classes(specs=SLOW)["slow"]
    return {
        "slow_queue": {
            "rule": _summary(_planned(queue, queue.autoscaling, WORLD, DURATION_SECONDS["reports"])),
            "rate form": _summary(_planned(queue, _rate_form(queue), WORLD, DURATION_SECONDS["reports"])),
        }
    }


def proposal() -> dict[str, Any]:
    """A form that is not deployed: running work counted as max(busy, min(rate*S, total)), on the held-out seeds, beside the rule."""
    truth = {name: queue for name, queue in classes().items() if name in ("mail", "cpu")} | classes(specs=SLOW)
    figures: dict[str, Any] = {}
    for said, runtime in (("right", 1.0), ("half", 0.5), ("double", 2.0)):
        declared = classes(runtime=runtime) | classes(runtime=runtime, specs=SLOW)
        for form, plan_of in (("rule", _own), ("bounded rate", _bounded_rate_form)):
            for name, queue in truth.items():
                seconds = DURATION_SECONDS.get(name, DURATION_SECONDS["reports"])
                results = [
                    result
                    for seed in HELD_OUT
                    for result in _planned(queue, plan_of(declared[name]), WORLD, seconds, seed=seed)
                ]
                figures.setdefault(f"S declared {said}", {}).setdefault(form, {})[name] = {
                    "kept_of_20": _kept(results),
                    "missed": [
                        f"{result.trace}: {result.within_percent:.1f} %" for result in results if not result.kept
                    ],
                    "pod_hours": round(sum(result.pod_hours for result in results), 1),
                }
    return {"proposal_bounded_rate": figures}


def speed() -> dict[str, Any]:
    """Tasks a second of one run; a task counts once, though it arrives, starts and finishes."""
    queue = classes()["io"]
    workload = generate(Trace.STEADY, queue, duration_seconds=DURATION_SECONDS["io"], seed=SEED)
    seconds = []
    for _ in range(3):
        begin = time.perf_counter()
        simulate(PolicyName.PLAN, workload, queue, WORLD, seed=SEED)
        seconds.append(time.perf_counter() - begin)
    return {
        "simulator_events_per_second": round(len(workload.arrivals) / statistics.median(seconds)),
        "simulator_events_counted": "tasks: arrival, start and finish of one task count once",
    }


def _planned(
    queue: SimulatedQueue, plan: AutoscalingPlan, world: World, seconds: float, *, seed: int = SEED
) -> list[Outcome]:
    """A plan, perhaps derived from wrong declarations, on the true queue: ratios are against the floor, which knows no start-up."""
    found = []
    for trace in Trace:
        workload = generate(trace, queue, duration_seconds=seconds, seed=seed)
        run = simulate_plan(plan, workload, queue, world, seed=seed)
        found.append(
            outcome(run, queue, "plan", price_per_pod_hour=1.0, bound=workload.work_seconds / queue.concurrency)
        )
    return found


def _own(queue: SimulatedQueue) -> AutoscalingPlan:
    return queue.autoscaling


def _rate_form(queue: SimulatedQueue) -> AutoscalingPlan:
    """The rule with rate*S in place of the busy slots; the long regime has no such term."""
    plan = queue.autoscaling
    if plan.formula is None:
        return plan
    formula = plan.formula.replace("max(total - ready, 0)", f"rate*{queue.mean_seconds}")
    return msgspec.structs.replace(plan, formula=formula)


def _bounded_rate_form(queue: SimulatedQueue) -> AutoscalingPlan:
    """Arrivals are seen before they are served, but never count for more than the messages that are there."""
    plan = queue.autoscaling
    if plan.formula is None:
        return plan
    busy = "max(total - ready, 0)"
    formula = plan.formula.replace(busy, f"max(total - ready, min(rate*{queue.mean_seconds}, total))")
    return msgspec.structs.replace(plan, formula=formula)


def _summary(results: list[Outcome]) -> dict[str, Any]:
    return {
        "kept_of_10": _kept(results),
        "missed": [f"{result.trace}: {result.within_percent:.1f} %" for result in results if not result.kept],
        "floor_ratio_smooth": _ratio(results, smooth=True),
        "floor_ratio_bursty": _ratio(results, smooth=False),
        "pod_hours": round(sum(result.pod_hours for result in results), 2),
    }


def _by_class(results: Iterable[Outcome]) -> dict[str, Any]:
    table: dict[str, Any] = {}
    for result in results:
        cell = {"within_percent": result.within_percent, "kept": result.kept, "ratio": result.ratio}
        table.setdefault(result.queue, {}).setdefault(result.trace, {})[result.policy] = cell
    return table


def _kept_by(results: Iterable[Outcome], name: str) -> list[Outcome]:
    return [result for result in results if result.queue == name and result.kept]


def _of(results: Iterable[Outcome], policy: PolicyName) -> list[Outcome]:
    return [result for result in results if result.policy == policy.value]


def _kept(results: Iterable[Outcome]) -> int:
    return sum(result.kept for result in results)


def _ratio(results: Iterable[Outcome], *, smooth: bool) -> dict[str, float]:
    """Mean and worst over the smooth or the bursty traces; sparse ones, where the minimum alone decides, are left to the table."""
    chosen = [
        result.ratio
        for result in results
        if result.ratio is not None and result.trace != Trace.SPARSE.value and (Trace(result.trace) in SMOOTH) is smooth
    ]
    return {"mean": round(statistics.mean(chosen), 3), "worst": round(max(chosen), 3)}


GROUPS: dict[str, Callable[[], dict[str, Any]]] = {
    "policies": policies,
    "forms": forms,
    "proposal": proposal,
    "slow": slow,
    "speed": speed,
}


def main() -> None:
    """Simulate what was asked for and keep the figures."""
    for name in names_asked("python -m bench.plan", __doc__, GROUPS, purpose="what to simulate"):
        print(f"measuring {name}", flush=True)
        path = keep_figures(NAME, "python -m bench.plan all", os.environ, GROUPS[name]())
        print(f"  kept in {path}", flush=True)


if __name__ == "__main__":
    main()
