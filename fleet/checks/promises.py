"""Promises that hold only at a price, or only as far as the model reaches: notes, because what was asked for works.

The arithmetic is that of `fleet.scaling`; docs/designs/scaling.md has its derivation and its limits.
"""

import math
from collections.abc import Iterator

from fleet import scaling
from fleet.catalogue import QueueSpec
from fleet.environment import Environment
from fleet.errors import Finding, Severity
from fleet.plan import QueuePlan
from fleet.scaling import Regime
from fleet.source import Source
from fleet.units import format_duration, format_number, format_rate


def check_fit(name: str, spec: QueueSpec, source: Source) -> Iterator[Finding]:
    """Runtimes that the lognormal fit covers."""
    ratio = spec.runtime.p99 / spec.runtime.mean
    if ratio >= scaling.LOGNORMAL_P99_RATIO_MAX:
        yield source.finding(
            ("queues", name, "runtime", "p99"),
            f"is {format_duration(spec.runtime.p99)}, {format_number(round(ratio, 1))} times runtime.mean"
            f" ({format_duration(spec.runtime.mean)})",
            f"The pods at peak are those of {format_number(scaling.LOGNORMAL_P99_RATIO_MAX)} times, the most that a lognormal runtime reaches:"
            " behind the slowest tasks others may wait longer than promised. Give the slow tasks a queue of their own, or measure both again.",
            severity=Severity.NOTE,
        )


def check_reaction(queue: QueuePlan, spec: QueueSpec, environment: Environment, source: Source) -> Iterator[Finding]:
    """Promises shorter than any autoscaler's reaction, kept by pods that stand by: how many, why, and what else would do."""
    auto, promise = queue.autoscaling, queue.promise
    declared = environment.minimums.get(queue.name, spec.replicas.min)
    if auto.regime is not Regime.SHORT or auto.min_replicas <= declared:
        return
    shards = len(queue.topology.shards)
    pods = f"{auto.min_replicas} pod(s)" + (f" of each of {shards} shards" if shards > 1 else "")
    fewer = f"{declared} pod(s)" + (f" of each of {shards} shards" if shards > 1 else "")
    startup = format_number(environment.startup_seconds)
    reactive = math.ceil(scaling.MID_REACTIONS * auto.reaction_seconds)
    exposed = min(promise.burst_seconds, scaling.worst_reaction_seconds(environment.startup_seconds))
    bearable = (
        declared
        * shards
        * scaling.BUSY_SHARE_MID
        * queue.worker.concurrency
        * (exposed + promise.wait_seconds)
        / (exposed * promise.mean_seconds)
    )
    offers = [
        f"leave it so, or write `replicas: {{min: {auto.min_replicas}}}` ({pods} at all times);",
        f"promise {reactive}s or more ({fewer}, the autoscaler is in time);",
        f"state the load of the quiet hours, and the busy ones as a `schedule` with min {auto.min_replicas} ({fewer} outside it)"
        + (";" if declared else "."),
        *([f"let the producer send at most {format_rate(_floor(bearable))} ({fewer})."] if declared else []),
    ]
    yield source.finding(
        ("queues", queue.name, "wait", "promise"),
        f"is {format_duration(promise.wait_seconds)}, shorter than the autoscaler's reaction of {format_number(auto.reaction_seconds)}s"
        f" (7.5 HPA + 5.5 statistics + {startup} start-up): {pods} stand by",
        f"A burst of {format_rate(promise.burst_per_second)} for {format_duration(promise.burst_seconds)} has to be met by pods that run already."
        f" Either {' '.join(offers)}",
        severity=Severity.NOTE,
    )


def _floor(value: float) -> float:
    """Two significant digits, rounded down: what is offered has to hold."""
    step = 10.0 ** (math.floor(math.log10(value)) - 1)
    return math.floor(value / step) * step
