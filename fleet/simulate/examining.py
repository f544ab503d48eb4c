"""The answer of `fleet simulate`: does this plan keep its promises, at what cost, and what breaks first.

A trace counts towards the answer when the plan promises to keep it: every built-in one, except a batch dump that is larger than the plan's pods can take
within the wait (`beyond_plan`), unless the user asked for that very trace.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from fleet import scaling
from fleet.errors import FleetError
from fleet.records import Record
from fleet.simulate.model import SimulatedQueue, Workload, World
from fleet.simulate.outcome import Outcome
from fleet.simulate.policies import PolicyName
from fleet.simulate.stress import Stress, stress
from fleet.simulate.study import Comparison, compare
from fleet.simulate.trace_files import RecordedTasks, recorded_workload
from fleet.simulate.traces import Trace, generate
from fleet.units import format_duration, format_number

SHORTEST_SECONDS = 2700.0
LONGEST_SECONDS = 14400.0

RUNTIMES_A_TRACE = 300
"""A trace lasts at least this many mean runtimes, within the two lengths above: 45 minutes, and 4 hours for tasks of 40 s."""

TASKS_MAX = 10_000_000
"""Tasks of one trace: a gigabyte of memory, a minute for each run."""


class Beyond(Record, frozen=True, kw_only=True):
    """A trace that no plan with these pods can keep, with the arithmetic."""

    queue: str
    trace: str
    why: str


class PodPrice(Record, frozen=True, kw_only=True):
    """What a pod of a queue costs."""

    queue: str
    usd_per_hour: float


class Report(Record, frozen=True, kw_only=True):
    """What `fleet simulate --json` prints; stable."""

    fleet: str
    environment: str
    seed: int
    kept: bool
    """Whether the plan kept every trace that counts."""
    counted: int
    """Traces that count, of all queues."""
    prices: tuple[PodPrice, ...]
    """Of the simulated queues; none where nothing is paid for."""
    outcomes: tuple[Outcome, ...]
    beyond: tuple[Beyond, ...]
    """Traces that were run and do not count."""
    stresses: tuple[Stress, ...]


@dataclass(frozen=True, kw_only=True)
class Examination:
    """A report, and the runs behind it."""

    report: Report
    comparisons: tuple[Comparison, ...]


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked of a plan."""

    traces: tuple[Trace, ...]
    asked: bool
    """Whether the user named the traces: then all of them count."""
    policies: tuple[PolicyName, ...]
    seed: int
    hours: float | None
    """Length of every trace; by the queue's runtimes where it is None."""
    prices: Mapping[str, float] = field(default_factory=dict)
    """Queue -> USD for an hour of one of its pods."""
    recorded: RecordedTasks | None = None
    """A trace of the user's own, run beside the built-in ones."""
    recorded_name: str = ""
    """What it is called in the report."""
    stressed: bool = True
    """Whether to look for what breaks first."""


def examine(
    fleet: str, environment: str, queues: Iterable[SimulatedQueue], world: World, question: Question, *,
    tick: Callable[[str], None] = lambda _what: None,
) -> Examination:  # fmt: skip
    """Run everything that the question asks; `tick` is called before each step with what it is.

    Raises: FleetError when a trace would have more than `TASKS_MAX` tasks.
    """
    queues = tuple(queues)
    comparisons: list[Comparison] = []
    beyond: list[Beyond] = []
    stresses: list[Stress] = []
    for queue in queues:
        seconds = trace_seconds(queue, question)
        for trace in question.traces:
            tick(f"{queue.name}: {trace.value}")
            workload = generate(trace, queue, duration_seconds=seconds, seed=question.seed)
            comparisons.append(_compared(workload, queue, world, question))
            if trace is Trace.BATCH and not question.asked:
                beyond += beyond_plan(queue, world)
        if question.recorded is not None:
            tick(f"{queue.name}: recorded trace")
            workload = recorded_workload(question.recorded, queue, question.recorded_name, seed=question.seed)
            comparisons.append(_compared(workload, queue, world, question))
        if question.stressed:
            stresses.append(stress(queue, world, seconds=seconds, seed=question.seed, tick=tick))
    outcomes = tuple(outcome for comparison in comparisons for outcome in comparison.outcomes)
    left_out = {(item.queue, item.trace) for item in beyond}
    counted = [
        result
        for result in outcomes
        if result.policy == PolicyName.PLAN.value and (result.queue, result.trace) not in left_out
    ]
    report = Report(
        fleet=fleet,
        environment=environment,
        seed=question.seed,
        kept=all(result.kept for result in counted),
        counted=len(counted),
        prices=tuple(
            PodPrice(queue=queue.name, usd_per_hour=question.prices[queue.name])
            for queue in queues
            if queue.name in question.prices
        ),
        outcomes=outcomes,
        beyond=tuple(beyond),
        stresses=tuple(stresses),
    )
    return Examination(report=report, comparisons=tuple(comparisons))


def steps(queues: int, question: Question) -> int:
    """How often `examine` ticks."""
    each = len(question.traces) + (question.recorded is not None) + (4 if question.stressed else 0)
    return queues * each


def usual_seconds(queue: SimulatedQueue) -> float:
    """How long the built-in traces last where nobody says so."""
    return min(LONGEST_SECONDS, max(SHORTEST_SECONDS, RUNTIMES_A_TRACE * queue.mean_seconds))


def trace_seconds(queue: SimulatedQueue, question: Question) -> float:
    """How long the built-in traces last on a queue.

    Raises: FleetError when that is more tasks than fit.
    """
    seconds = question.hours * 3600 if question.hours is not None else usual_seconds(queue)
    tasks = seconds * queue.peak_per_second
    if tasks > TASKS_MAX:
        raise FleetError(
            f"queue {queue.name}",
            f"would have up to {tasks:,.0f} tasks in {format_duration(seconds)} at {format_number(queue.peak_per_second)}/s",
            f"Simulate a shorter time: --hours {TASKS_MAX / queue.peak_per_second / 3600:.2g}",
        )
    return seconds


def beyond_plan(queue: SimulatedQueue, world: World) -> list[Beyond]:
    """The batch dump, when the pods that can be there within the wait cannot take it; nothing otherwise.

    Until the worst reaction T = 15 + 8 + Ts there is the minimum, after it the maximum: n_min min(W, T) + n_max max(0, W - T) >= B S / c has to hold.
    """
    auto, wait = queue.autoscaling, queue.wait_seconds
    reaction = scaling.worst_reaction_seconds(world.startup_seconds[1])
    there = auto.min_replicas * min(wait, reaction) + auto.max_replicas * max(0.0, wait - reaction)
    needed = queue.batch_messages * queue.mean_seconds / queue.concurrency
    if there >= needed:
        return []
    minimum = scaling.burst_minimum(
        burst_per_second=queue.batch_messages, burst_seconds=1.0, mean_seconds=queue.mean_seconds, wait_seconds=wait,
        concurrency=queue.concurrency, startup_seconds=world.startup_seconds[1],
    )  # fmt: skip
    why = (
        f"{queue.batch_messages} messages at once are {format_number(needed)} pod-seconds"
        f" ({queue.batch_messages} x {format_duration(queue.mean_seconds)} / {queue.concurrency} slots);"
        f" within {format_duration(wait)} there are {format_number(there)}: {auto.min_replicas} pods"
        f" until the reaction of {format_duration(reaction)}, {auto.max_replicas} after it."
        f" It would take a minimum of {minimum} pods, a schedule, a throttle at the producer, or a longer wait."
    )
    return [Beyond(queue=queue.name, trace=Trace.BATCH.value, why=why)]


def _compared(workload: Workload, queue: SimulatedQueue, world: World, question: Question) -> Comparison:
    price = question.prices.get(queue.name)
    return compare(workload, queue, world, question.policies, seed=question.seed, price_per_pod_hour=price)
