"""The built-in traces: ten shapes of load that a queue meets, each at most at the queue's declared peak, batch dumps excepted.

Arrivals are Poisson at a rate that changes with time (constant within a second), runtimes lognormal with the declared mean and 99th percentile, cut at
the hard limit. A seed gives the same tasks on every machine; traces and queues draw independently of each other.
"""

import math
import zlib
from collections.abc import Callable
from enum import StrEnum

import numpy as np

from fleet import scaling
from fleet.simulate.model import Floats, SimulatedQueue, Workload

CYCLE_SECONDS = 1200
"""Flashes and batches come every 20 minutes, the first after ten."""

FLASH_SECONDS = 60

STEADY_SHARE = 0.6
"""Of the declared peak, on the traces without any change."""

PARETO_SHAPE = 1.8
"""Of the heavy-tailed runtimes: infinite variance, but for the hard limit."""


class Trace(StrEnum):
    """A shape of load; the factors are of the declared peak."""

    STEADY = "steady"
    """0.6, all the time."""
    DIURNAL = "diurnal"
    """One day in the length of the trace: a sine from 0.1 to 1 and back."""
    STEP = "step"
    """0.2, five times as much in the middle third."""
    FLASH = "flash"
    """0.05, twenty times as much for 60 s every 20 min."""
    BATCH = "batch"
    """0.2, and a batch dumped within one second every 20 min."""
    RAMP = "ramp"
    """0.1 to 1 in a straight line."""
    BURSTY = "bursty"
    """Markov-modulated: 0.15 for 4 min and 0.9 for 2 min in the mean, both exponential."""
    HEAVY = "heavy-tailed"
    """0.6 with Pareto runtimes of the declared mean, shape 1.8, cut at the hard limit."""
    ON_OFF = "on-off"
    """Ten minutes nothing, ten minutes 0.8."""
    SPARSE = "sparse"
    """0.01, all the time."""


SMOOTH = frozenset({Trace.STEADY, Trace.DIURNAL, Trace.RAMP, Trace.HEAVY})
"""Traces without jumps; the others are bursty."""


def generate(
    trace: Trace, queue: SimulatedQueue, *, duration_seconds: float, seed: int, load: float = 1.0, runtime: float = 1.0
) -> Workload:  # fmt: skip
    """The tasks of a trace on a queue.

    `load` multiplies every rate and the batch, `runtime` every runtime (1 is as declared): what happens when the declaration is wrong.
    """
    random = np.random.default_rng([seed, zlib.crc32(queue.name.encode()), zlib.crc32(trace.value.encode())])
    seconds = math.ceil(duration_seconds)
    shape = _SHAPES[trace](seconds, random)
    rates = shape * queue.peak_per_second * load
    arrivals = _poisson(rates, random)
    if trace is Trace.BATCH:
        dumps = np.arange(CYCLE_SECONDS // 2, seconds, CYCLE_SECONDS)
        size = round(queue.batch_messages * load)
        arrivals = np.concatenate([arrivals, *(dump + random.random(size) for dump in dumps)])
    arrivals.sort()
    draw = _pareto if trace is Trace.HEAVY else _lognormal
    runtimes = np.minimum(draw(queue, len(arrivals), random) * runtime, queue.limit_seconds)
    busy = float(rates[0]) * queue.mean_seconds * runtime
    return Workload(
        trace=trace.value,
        arrivals=arrivals,
        runtimes=runtimes,
        duration_seconds=duration_seconds,
        initial_pods=math.ceil(busy / queue.concurrency),
    )


def _poisson(rates: Floats, random: np.random.Generator) -> Floats:
    counts = random.poisson(rates)
    return np.repeat(np.arange(len(rates), dtype=np.float64), counts) + random.random(int(counts.sum()))


def draw_runtimes(queue: SimulatedQueue, count: int, random: np.random.Generator) -> Floats:
    """Runtimes as declared: lognormal, killed at the hard limit."""
    return np.minimum(_lognormal(queue, count, random), queue.limit_seconds)


def _lognormal(queue: SimulatedQueue, count: int, random: np.random.Generator) -> Floats:
    sigma = math.sqrt(math.log(1 + scaling.squared_variation(queue.mean_seconds, queue.p99_seconds)))
    return random.lognormal(math.log(queue.mean_seconds) - sigma**2 / 2, sigma, count)


def _pareto(queue: SimulatedQueue, count: int, random: np.random.Generator) -> Floats:
    scale = _pareto_scale(queue.mean_seconds, queue.limit_seconds)
    return scale * (1 + random.pareto(PARETO_SHAPE, count))


def _pareto_scale(mean: float, limit: float) -> float:
    """The smallest runtime with which the mean is right after the cut: E[min(X, L)] = s (a - (s/L)^(a-1)) / (a - 1)."""
    shape, low, high = PARETO_SHAPE, 0.0, mean
    for _ in range(60):
        scale = (low + high) / 2
        got = scale * (shape - (scale / limit) ** (shape - 1)) / (shape - 1)
        low, high = (scale, high) if got < mean else (low, scale)
    return high


def _level(factor: float) -> Callable[[int, np.random.Generator], Floats]:
    return lambda seconds, _random: np.full(seconds, factor)


def _diurnal(seconds: int, _random: np.random.Generator) -> Floats:
    return 0.55 - 0.45 * np.cos(2 * np.pi * (np.arange(seconds) + 0.5) / seconds)


def _step(seconds: int, _random: np.random.Generator) -> Floats:
    when = np.arange(seconds)
    return np.where((when >= seconds // 3) & (when < 2 * seconds // 3), 1.0, 0.2)


def _flash(seconds: int, _random: np.random.Generator) -> Floats:
    phase = (np.arange(seconds) - CYCLE_SECONDS // 2) % CYCLE_SECONDS
    return np.where(phase < FLASH_SECONDS, 1.0, 0.05)


def _ramp(seconds: int, _random: np.random.Generator) -> Floats:
    return np.linspace(0.1, 1.0, seconds)


def _bursty(seconds: int, random: np.random.Generator) -> Floats:
    factors = np.empty(seconds)
    begin, high = 0, False
    while begin < seconds:
        end = min(seconds, begin + max(1, round(random.exponential(120.0 if high else 240.0))))
        factors[begin:end] = 0.9 if high else 0.15
        begin, high = end, not high
    return factors


def _on_off(seconds: int, _random: np.random.Generator) -> Floats:
    return np.where(np.arange(seconds) % CYCLE_SECONDS < CYCLE_SECONDS // 2, 0.0, 0.8)


_SHAPES: dict[Trace, Callable[[int, np.random.Generator], Floats]] = {
    Trace.STEADY: _level(STEADY_SHARE),
    Trace.DIURNAL: _diurnal,
    Trace.STEP: _step,
    Trace.FLASH: _flash,
    Trace.BATCH: _level(0.2),
    Trace.RAMP: _ramp,
    Trace.BURSTY: _bursty,
    Trace.HEAVY: _level(STEADY_SHARE),
    Trace.ON_OFF: _on_off,
    Trace.SPARSE: _level(0.01),
}
