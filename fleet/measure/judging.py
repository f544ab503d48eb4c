"""Each queue's figures, the measured beside the declared; what one window cannot prove is told and not proposed."""

from collections.abc import Iterable, Iterator

from msgspec import structs

from fleet import scaling
from fleet.catalogue import Catalogue
from fleet.environment import Environment, settings_file
from fleet.measure.arrivals import SPANS_SECONDS, TASKS_AT_LEAST, Hour, by_hour, find_peak
from fleet.measure.figures import Figure, Verdict, judged, tasks_for_mean, tasks_for_p99
from fleet.measure.histograms import Histogram
from fleet.measure.observation import Look, Observation
from fleet.plan import Plan, QueuePlan
from fleet.records import Record
from fleet.sizing import IDLE_WORKER_BYTES, MEMORY_STEP_BYTES, Pool

MEMORY_ABOVE, MEMORY_BELOW = 1.1, 0.6
"""Narrower above, because a pod without memory is killed with all its tasks; wider below, because the next task may be larger."""

MEMORY_TASKS_AT_LEAST = 100

PODS_AT_LEAST = 20
"""Of a 95th percentile: one pod beyond it."""

WEEK_SECONDS = 7 * 86_400
"""A shorter window may have missed the busiest day."""

COARSE = 1.3
"""Upper over lower bound above which a percentile is to be measured again: it lies where none was expected, and bounds follow what is declared."""


class Kept(Record, frozen=True, kw_only=True):
    """A promise, as it was kept."""

    percent: float | None
    """Share of the tasks that started in time; None where none did, or where the promise is no bound of what was counted."""
    promised_percent: float
    promised_wait_seconds: float
    tasks: int

    @property
    def kept(self) -> bool | None:
        """None where nobody knows."""
        return None if self.percent is None else self.percent >= self.promised_percent


class Measured(Record, frozen=True, kw_only=True):
    """One queue."""

    queue: str
    promise: Kept
    figures: tuple[Figure, ...]
    """Mean, p99, peak, memory."""
    hours: tuple[Hour, ...]
    """In UTC; none where arrivals were not counted."""


def measure(plan: Plan, catalogue: Catalogue, environment: Environment, look: Look) -> tuple[Measured, ...]:
    """Every queue of the plan; one of which nothing was seen has figures without a measured value."""
    found = []
    for queue in plan.queues:
        seen = look.queues.get(queue.name, Observation())
        found.append(
            Measured(
                queue=queue.name,
                promise=kept(queue, seen.waits),
                figures=(
                    *_runtime(queue, seen.runs),
                    _peak(queue, seen, environment, look.seconds),
                    _memory(queue, seen, catalogue.queues[queue.name].memory),
                ),
                hours=by_hour(seen.arrivals),
            )
        )
    return tuple(found)


def kept(queue: QueuePlan, waits: Histogram | None) -> Kept:
    """How a queue's promise was kept."""
    share = waits.share_within(queue.promise.wait_seconds) if waits else None
    return Kept(
        percent=None if share is None else round(100 * share, 3),
        promised_percent=queue.promise.percentile,
        promised_wait_seconds=queue.promise.wait_seconds,
        tasks=round(waits.count) if waits else 0,
    )


def _runtime(queue: QueuePlan, runs: Histogram | None) -> Iterator[Figure]:
    promise = queue.promise
    mean, p99 = (runs.mean_seconds, runs.quantile(0.99)) if runs else (None, None)
    tasks = round(runs.count) if runs else 0
    variation = (
        scaling.squared_variation(mean, p99.seconds)
        if mean and p99
        else scaling.squared_variation(promise.mean_seconds, promise.p99_seconds)
    )
    needed = tasks_for_mean(variation)
    yield judged("runtime.mean", promise.mean_seconds, mean, samples=tasks, needed=needed)
    found = judged(
        "runtime.p99", promise.p99_seconds, p99.seconds if p99 else None,
        samples=tasks, needed=max(needed, tasks_for_p99(variation)),
    )  # fmt: skip
    if runs is None or p99 is None or not tasks:
        yield found
        return
    found = structs.replace(found, low=p99.low_seconds, high=p99.high_seconds)
    if p99.exactness <= COARSE or found.verdict in (Verdict.TOO_FEW, Verdict.UNSEEN):
        yield found
    elif runs.mixed:
        why = "bounds changed meanwhile, and the bucket is wide: a --window since the last deploy tells"
        yield structs.replace(found, verdict=Verdict.TOLD, why=why)
    elif found.verdict is Verdict.DIFFERS:
        yield structs.replace(found, why=f"{found.why}; in a wide bucket: deploy the change and measure again")
    else:
        yield found


def _peak(queue: QueuePlan, seen: Observation, environment: Environment, window_seconds: float | None) -> Figure:
    """In this environment: the catalogue's peak times its load factor."""
    declared = queue.promise.peak_per_second
    busiest = find_peak(seen.arrivals)
    if busiest is None:
        figure = judged("load.peak", declared, None, samples=0, needed=TASKS_AT_LEAST)
        return structs.replace(figure, why="takes two looks (--for 10m) or a Prometheus") if seen.runs else figure
    rate = busiest.tasks / busiest.seconds
    figure = judged("load.peak", declared, rate, samples=round(busiest.tasks), needed=TASKS_AT_LEAST)
    if figure.verdict is Verdict.TOO_FEW and rate * SPANS_SECONDS[-1] < TASKS_AT_LEAST:
        return structs.replace(figure, why=f"takes {TASKS_AT_LEAST} in an hour to be told from chance")
    if figure.verdict is not Verdict.DIFFERS:
        return figure
    if environment.load_factor != 1:
        settings = settings_file(environment.name)
        return _told(figure, f"the loadFactor of {environment.load_factor:g} in {settings} is in it")
    if rate < declared and (window_seconds or 0) < WEEK_SECONDS:
        return _told(figure, "less than a week may have missed the peak")
    return figure


def task_bytes(queue: QueuePlan, peak_resident_bytes: float) -> float:
    """What `memory` has to say for the plan to expect this process: the idle worker taken off, spread over the slots that share it.

    At least a step of memory, because the size of an idle worker is rounded up to one: a task that takes less cannot be told from it.
    """
    slots = 1 if queue.worker.pool is Pool.PREFORK else queue.worker.concurrency
    above_idle = peak_resident_bytes - IDLE_WORKER_BYTES[queue.worker.pool.value]
    return max(float(MEMORY_STEP_BYTES), above_idle / slots)


def _memory(queue: QueuePlan, seen: Observation, declared_bytes: int) -> Figure:
    measured = task_bytes(queue, seen.peak_resident_bytes) if seen.peak_resident_bytes else None
    figure = judged(
        "memory", declared_bytes, measured, samples=round(seen.runs.count) if seen.runs else 0,
        needed=MEMORY_TASKS_AT_LEAST, above=MEMORY_ABOVE, below=MEMORY_BELOW,
    )  # fmt: skip
    shared = queue.worker.pool is not Pool.PREFORK
    if figure.verdict is Verdict.DIFFERS and shared and (measured or 0) < declared_bytes:
        return _told(figure, "its slots may never have been busy all at once")
    return figure


def measure_startup(environment: Environment, seen: Iterable[Observation]) -> Figure:
    """Ts of the environment beside the 95th percentile of the slowest queue."""
    told = [(one.startup_seconds, one.pods) for one in seen if one.startup_seconds is not None]
    slowest, pods = max(told) if told else (0.0, 0)
    figure = judged("startup", environment.startup_seconds, slowest, samples=pods, needed=PODS_AT_LEAST)
    if figure.verdict is not Verdict.DIFFERS:
        return figure
    if slowest < environment.startup_seconds and environment.cloud is not None:
        return _told(figure, "the wait for a node comes before it")
    return _told(figure, f"correct `startup` in {settings_file(environment.name)}")


def _told(figure: Figure, why: str) -> Figure:
    return structs.replace(figure, verdict=Verdict.TOLD, why=f"{figure.why}; {why}")
