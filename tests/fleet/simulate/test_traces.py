"""The built-in traces: reproducible, of the declared shape, and as long-running as declared."""

from typing import Any

import numpy as np
import pytest

from fleet.simulate.model import SimulatedQueue, simulated_queue
from fleet.simulate.traces import Trace, generate
from tests.fleet.simulate.scripted import sample_plan

HOUR = 3600.0


@pytest.fixture(scope="module")
def thumbnails() -> SimulatedQueue:
    """2/s of 2 s, p99 6 s, killed at 30 s: a batch is half a minute of the peak."""
    return simulated_queue(sample_plan("prod").queues[2])


def per_second(queue: SimulatedQueue, trace: Trace, begin: float, end: float, **options: Any) -> float:
    arrivals = generate(trace, queue, duration_seconds=HOUR, seed=3, **options).arrivals
    return float(np.count_nonzero((arrivals >= begin) & (arrivals < end))) / (end - begin)


@pytest.mark.parametrize(
    ("trace", "begin", "end", "rate"),
    [
        pytest.param(Trace.STEADY, 0, HOUR, 1.2, id="steady-is-60-percent-of-the-peak"),
        pytest.param(Trace.HEAVY, 0, HOUR, 1.2, id="heavy-tailed-arrives-as-steady"),
        pytest.param(Trace.DIURNAL, 1500, 2100, 1.95, id="diurnal-is-at-the-peak-at-noon"),
        pytest.param(Trace.DIURNAL, 0, 300, 0.22, id="and-low-at-night"),
        pytest.param(Trace.STEP, 0, 1200, 0.4, id="step-begins-at-a-fifth"),
        pytest.param(Trace.STEP, 1200, 2400, 2.0, id="and-goes-to-the-peak"),
        pytest.param(Trace.FLASH, 660, 1800, 0.1, id="flash-is-a-twentieth"),
        pytest.param(Trace.FLASH, 600, 660, 2.0, id="and-the-peak-for-a-minute"),
        pytest.param(Trace.BATCH, 600, 601, 60.0, id="a-batch-is-half-a-minute-of-the-peak-in-a-second"),
        pytest.param(Trace.RAMP, 3000, HOUR, 1.85, id="ramp-ends-at-the-peak"),
        pytest.param(Trace.ON_OFF, 0, 600, 0.0, id="off-is-nothing"),
        pytest.param(Trace.ON_OFF, 600, 1200, 1.6, id="on-is-80-percent"),
        pytest.param(Trace.SPARSE, 0, HOUR, 0.02, id="sparse-is-a-hundredth"),
    ],
)
def test_a_trace_has_the_load_it_says(
    *, thumbnails: SimulatedQueue, trace: Trace, begin: float, end: float, rate: float
) -> None:
    """Tasks a second within three standard deviations of the Poisson count."""
    tolerance = 3 * (rate / (end - begin)) ** 0.5 + 1e-9
    assert per_second(thumbnails, trace, begin, end) == pytest.approx(rate, abs=tolerance)


def test_bursts_come_and_go(thumbnails: SimulatedQueue) -> None:
    """Minutes at 15 % and minutes at 90 % of the peak, and nothing between for long."""
    arrivals = generate(Trace.BURSTY, thumbnails, duration_seconds=4 * HOUR, seed=3).arrivals
    minutes = np.bincount((arrivals // 60).astype(int), minlength=240) / 60
    low, high = np.count_nonzero(minutes < 0.8), np.count_nonzero(minutes > 1.3)
    assert low > high > 20
    assert low + high > 180


@pytest.mark.parametrize("trace", [Trace.STEADY, Trace.HEAVY])
def test_runtimes_have_the_declared_mean_and_end_at_the_limit(thumbnails: SimulatedQueue, trace: Trace) -> None:
    """Lognormal or Pareto: 2 s in the mean, killed at 30 s at the latest."""
    runtimes = generate(trace, thumbnails, duration_seconds=40 * HOUR, seed=3).runtimes
    assert float(runtimes.mean()) == pytest.approx(2.0, rel=0.03)
    assert float(runtimes.max()) <= 30.0
    if trace is Trace.STEADY:
        assert float(np.percentile(runtimes, 99)) == pytest.approx(6.0, rel=0.03)


def test_a_seed_is_reproducible_and_queues_and_traces_draw_apart(thumbnails: SimulatedQueue) -> None:
    """The same seed gives the same tasks; another seed, trace or queue gives others."""
    other_queue = simulated_queue(sample_plan("prod").queues[3])

    def first(queue: SimulatedQueue, trace: Trace, seed: int) -> list[float]:
        arrivals = generate(trace, queue, duration_seconds=HOUR, seed=seed).arrivals[:5]
        return [float(when) * queue.peak_per_second for when in arrivals]

    same = first(thumbnails, Trace.STEADY, 1)
    assert first(thumbnails, Trace.STEADY, 1) == same
    assert same not in (
        first(thumbnails, Trace.STEADY, 2), first(thumbnails, Trace.HEAVY, 1), first(other_queue, Trace.STEADY, 1)
    )  # fmt: skip


def test_load_and_runtime_can_be_more_than_declared(thumbnails: SimulatedQueue) -> None:
    """Twice the load is twice the tasks, twice the runtime is twice the work."""
    base = generate(Trace.STEADY, thumbnails, duration_seconds=HOUR, seed=3)
    loaded = generate(Trace.STEADY, thumbnails, duration_seconds=HOUR, seed=3, load=2)
    slower = generate(Trace.STEADY, thumbnails, duration_seconds=HOUR, seed=3, runtime=2)
    assert len(loaded.arrivals) == pytest.approx(2 * len(base.arrivals), rel=0.05)
    assert slower.work_seconds == pytest.approx(2 * base.work_seconds, rel=0.02)
    assert (base.initial_pods, loaded.initial_pods, slower.initial_pods) == (3, 5, 5)
