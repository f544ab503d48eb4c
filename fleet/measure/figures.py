"""A declared figure and the measured one, and what may be said of them.

Thresholds are one for all queues, and told with each answer. A figure differs where it would matter to the plan, and only where so many tasks stand
behind it that it is no chance.
"""

import math
from enum import StrEnum

from fleet.records import Record

ABOVE, BELOW = 1.25, 0.8
"""Measured over declared, within which mean, p99, peak and start-up are as good as right: the plan has headroom for a fourth more."""

MEAN_PRECISION = 0.1
P99_PRECISION = 1.25
NORMAL_95 = 1.96
"""Two-sided 95 % of a normal distribution."""

P99_NOISE = 3.73
"""sqrt(0.99 x 0.01) over the normal density at the 99th percentile: of n lognormal runtimes the own one strays by so many sigma / sqrt(n), in logarithms."""

MEAN_TASKS_AT_LEAST = 100
P99_TASKS_AT_LEAST = 300
"""Three tasks beyond it."""


class Verdict(StrEnum):
    """What a measured figure says of the declared one."""

    FITS = "fits"
    DIFFERS = "differs"
    """Enough to matter: the catalogue should say something else."""
    TOLD = "told"
    """It differs, and no change is proposed; `why` says the reason."""
    TOO_FEW = "too few"
    """Not enough stands behind it to say anything."""
    UNSEEN = "unseen"


class Figure(Record, frozen=True, kw_only=True):
    """One figure of a queue: in seconds, bytes, or tasks a second, as its path says."""

    path: str
    """Key path in the queue, such as `runtime.mean`; `startup` is the environment's."""
    declared: float
    measured: float | None
    low: float | None = None
    high: float | None = None
    """Bounds of the bucket that a percentile lies in; no upper one past the last."""
    samples: int
    """Tasks, or pods for `startup`."""
    needed: int
    """As many as it takes to say something."""
    verdict: Verdict
    why: str
    """Threshold or reason, in words."""


def judged(
    path: str, declared: float, measured: float | None, *,
    samples: int, needed: int, above: float = ABOVE, below: float = BELOW,
) -> Figure:  # fmt: skip
    """A figure by the thresholds alone."""
    if measured is None or samples == 0:
        verdict, why = Verdict.UNSEEN, "nothing was seen"
    elif samples < needed:
        verdict, why = Verdict.TOO_FEW, f"takes {needed:,}"
    elif below <= measured / declared <= above:
        verdict, why = Verdict.FITS, f"{measured / declared:.2f} x, within {below:g} to {above:g}"
    else:
        verdict, why = Verdict.DIFFERS, f"{measured / declared:.2f} x, not within {below:g} to {above:g}"
    return Figure(
        path=path, declared=declared, measured=measured if samples else None,
        samples=samples, needed=needed, verdict=verdict, why=why,
    )  # fmt: skip


def tasks_for_mean(squared_variation: float) -> int:
    """Tasks with which a mean is right within a tenth, 19 times in 20."""
    return max(MEAN_TASKS_AT_LEAST, math.ceil(squared_variation * (NORMAL_95 / MEAN_PRECISION) ** 2))


def tasks_for_p99(squared_variation: float) -> int:
    """Tasks with which a 99th percentile of lognormal runtimes is right within a fourth, 19 times in 20; that of its bucket comes on top."""
    sigma = math.sqrt(math.log(1 + squared_variation))
    return max(P99_TASKS_AT_LEAST, math.ceil((NORMAL_95 * P99_NOISE * sigma / math.log(P99_PRECISION)) ** 2))
