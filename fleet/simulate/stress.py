"""What breaks first: more load than declared, runtimes longer than declared, pods later than declared, with the plan as it is."""

from collections.abc import Callable, Iterable
from dataclasses import replace

from fleet.records import Record
from fleet.simulate.model import SimulatedQueue, World
from fleet.simulate.outcome import keeps_promise
from fleet.simulate.policies import PolicyName, simulate
from fleet.simulate.traces import STEADY_SHARE, Trace, generate

LOAD_SECONDS = 1200.0
"""How long a multiple of the peak is sustained."""

LOAD_MULTIPLE_MAX = 16.0

PRECISION = 1.05
"""A multiple is found to within 5 %."""

TRACES = (Trace.STEADY, Trace.STEP, Trace.FLASH, Trace.BURSTY)
"""One load that stays, one that jumps and stays, one that jumps and goes, one that wanders."""

Tick = Callable[[str], None]


class Stress(Record, frozen=True, kw_only=True):
    """How much a queue's plan takes before its promise breaks."""

    queue: str
    load_multiple: float
    """The largest multiple of the declared peak that it kept for 20 minutes; 0 where not even the peak was kept."""
    load_per_second: float
    """That multiple as arrivals a second on the whole queue."""
    breaks_with_double_runtime: tuple[str, ...]
    """Traces that break when every task runs twice as long as declared."""
    breaks_with_startup_5_seconds_later: tuple[str, ...]
    """Traces that break when every pod takes 5 s more."""
    breaks_with_startup_5_times_longer: tuple[str, ...]


def stress(queue: SimulatedQueue, world: World, *, seconds: float, seed: int, tick: Tick) -> Stress:
    """The limits of one queue; `tick` is called before each step with what it is."""
    tick(f"{queue.name}: more load")
    multiple = load_multiple(queue, world, seed=seed)
    low, high = world.startup_seconds

    def broken(what: str, its_world: World, runtime: float = 1.0) -> tuple[str, ...]:
        tick(f"{queue.name}: {what}")
        return tuple(
            trace.value
            for trace in TRACES
            if not _keeps(queue, its_world, trace, seconds=seconds, seed=seed, runtime=runtime)
        )

    return Stress(
        queue=queue.name,
        load_multiple=multiple,
        load_per_second=multiple * queue.peak_per_second * queue.shards,
        breaks_with_double_runtime=broken("runtimes twice as long", world, runtime=2.0),
        breaks_with_startup_5_seconds_later=broken(
            "pods 5 s later", replace(world, startup_seconds=(low + 5, high + 5))
        ),
        breaks_with_startup_5_times_longer=broken(
            "pods 5 times later", replace(world, startup_seconds=(5 * low, 5 * high))
        ),
    )


def load_multiple(queue: SimulatedQueue, world: World, *, seed: int) -> float:
    """The largest sustained multiple of the peak that keeps the promise, at most 16: doubled until it breaks, then halved in."""

    def kept(multiple: float) -> bool:
        load = multiple / STEADY_SHARE
        return _keeps(queue, world, Trace.STEADY, seconds=LOAD_SECONDS, seed=seed, load=load)

    low, high = 0.0, 1.0
    while high <= LOAD_MULTIPLE_MAX and kept(high):
        low, high = high, 2 * high
    if low == 0.0 or high > LOAD_MULTIPLE_MAX:
        return low
    while high / low > PRECISION:
        middle = (low + high) / 2
        low, high = (middle, high) if kept(middle) else (low, middle)
    return round(low, 2)


def first_to_break(stresses: Iterable[Stress]) -> Stress:
    """The queue with the smallest multiple, of one at least."""
    return min(stresses, key=lambda found: found.load_multiple)


def _keeps(
    queue: SimulatedQueue, world: World, trace: Trace, *, seconds: float, seed: int, load: float = 1.0, runtime: float = 1.0
) -> bool:  # fmt: skip
    workload = generate(trace, queue, duration_seconds=seconds, seed=seed, load=load, runtime=runtime)
    return keeps_promise(simulate(PolicyName.PLAN, workload, queue, world, seed=seed), queue)
