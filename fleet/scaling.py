"""The autoscaler of one queue: from the promised wait to KEDA's numbers.

Three regimes, told apart by how the promised wait W compares with the typical reaction Tr of the whole loop (half an HPA sync, the age of the
broker's statistics, the start of a pod). Every formula has a term for running work (`total - ready` is the number of busy slots, because
prefetch equals concurrency; with a larger multiplier it is divided by that): with scalingModifiers KEDA judges activity by the formula alone, so that
term also keeps a busy queue from going to zero.
The design document `docs/designs/scaling.md` gives the derivation and its limits.
"""

import math
from enum import StrEnum

from fleet.records import Record
from fleet.units import format_number

HPA_SYNC_SECONDS = 15.0
"""kube-controller-manager's default --horizontal-pod-autoscaler-sync-period."""

STATISTICS_AGE_SECONDS = 5.5
"""Typical age of RabbitMQ's HTTP queue counts at its default collect_statistics_interval of 5 s (3 to 8 s were measured)."""

STATISTICS_AGE_WORST_SECONDS = 8.0

LONG_REACTIONS = 3.0
MID_REACTIONS = 1.25

BUSY_SHARE_MID = 0.95
"""Inside the HPA's 10 % tolerance: merely busy pods ask for no more."""

BUSY_SHARE_SHORT = 0.9
"""Just outside the tolerance: saturated pods grow by a tenth each sync."""

BACKLOG_SHARE_LONG = 0.3
"""Share of the promised wait that a pod's backlog may be worth, so that the percentile and not the typical wait is kept."""

SHORT_WAIT_FLOOR_SECONDS = 10.0
"""Below it the backlog term would ask for more pods than the backlog can use by the time they start."""

PEAK_HEADROOM = 2
"""Maximum over what the peak needs: a backlog built up while the broker or the nodes were away is gone after the same time again."""

BURST_SECONDS = 60.0
"""A burst that was not declared: the peak, suddenly, for this long."""

POLLING_SECONDS = 5
"""KEDA's pollingInterval: matters from zero to one only."""

COOLDOWN_SECONDS = 30

FALLBACK_FAILURES = 3
"""Readings in a row that fail before the fallback holds: one that was lost changes nothing."""

ERLANG_OFFERED_MAX = 20_000
"""Busy slots above which `busy_share` alone decides: a twentieth of them idle is then seven standard deviations of the load."""

LOGNORMAL_P99_RATIO_MAX = 14.9
"""Above this p99/mean no lognormal fits; the widest one that does is taken."""


class Regime(StrEnum):
    """How the promised wait compares with the reaction of the loop."""

    LONG = "long"
    MID = "mid"
    SHORT = "short"


SCALE_DOWN_WINDOW_SECONDS = {Regime.LONG: 60, Regime.MID: 30, Regime.SHORT: 120}


class PeakWindow(Record, frozen=True, kw_only=True):
    """A minimum by the clock, as KEDA's cron scaler has it."""

    start: str
    """Five fields of cron."""
    end: str
    timezone: str
    """IANA name."""
    min_replicas: int


class AutoscalingPlan(Record, frozen=True, kw_only=True):
    """One ScaledObject in numbers, for each shard of a queue."""

    regime: Regime
    reaction_seconds: float
    """Tr, the typical reaction."""
    formula: str | None
    """KEDA scalingModifiers formula over the triggers `total` and `ready`; None for the single trigger of the long regime."""
    target: float
    """AverageValue: messages a pod in the long regime, 1 (the formula counts pods) otherwise."""
    peak_replicas: int
    """Pods that keep the promise at the declared peak."""
    min_replicas: int
    max_replicas: int
    polling_seconds: int
    cooldown_seconds: int
    scale_down_window_seconds: int
    burst_replicas: int = 0
    """Pods at most that the declared burst needs; 0 where none is declared, or where only the minimum is in time."""
    fallback_replicas: int
    """Floor while the broker's statistics cannot be read; a higher current number stays."""
    fallback_failures: int
    """Readings in a row that fail before it holds."""
    windows: tuple[PeakWindow, ...] = ()
    """Known peaks, each with a minimum of its own."""

    @property
    def whole_formula(self) -> str | None:
        """The formula with the known peaks: a trigger `window<n>` gives a window's minimum while it lasts and 0 outside (KEDA 2.21, cron scaler).

        None in the long regime, where each window is a metric of its own and the HPA takes the highest.
        """
        if self.formula is None or not self.windows:
            return self.formula
        return f"max({self.formula}, {', '.join(window_name(index) for index in range(len(self.windows)))})"


def window_name(index: int) -> str:
    """The trigger of a known peak: an identifier, because formulas name triggers."""
    return f"window{index}"


def reaction_seconds(startup_seconds: float) -> float:
    """Tr: half an HPA sync, the typical age of the statistics and the start of a pod."""
    return HPA_SYNC_SECONDS / 2 + STATISTICS_AGE_SECONDS + startup_seconds


def worst_reaction_seconds(startup_seconds: float) -> float:
    """A whole HPA sync, the oldest statistics and the start of a pod."""
    return HPA_SYNC_SECONDS + STATISTICS_AGE_WORST_SECONDS + startup_seconds


def derive_regime(wait_seconds: float, startup_seconds: float) -> Regime:
    """The regime of a promised wait where pods start in `startup_seconds`."""
    reaction = reaction_seconds(startup_seconds)
    if wait_seconds >= LONG_REACTIONS * reaction:
        return Regime.LONG
    return Regime.MID if wait_seconds >= MID_REACTIONS * reaction else Regime.SHORT


def busy_share(regime: Regime) -> float:
    """How busy a slot may be at most: where the regime's metric aims."""
    return BUSY_SHARE_SHORT if regime is Regime.SHORT else BUSY_SHARE_MID


def squared_variation(mean_seconds: float, p99_seconds: float) -> float:
    """Squared coefficient of variation of a lognormal runtime with this mean and 99th percentile.

    From ln(p99/mean) = 2.326 sigma - sigma^2/2, where 2.326 is the standard normal's 99th percentile.
    """
    ratio = min(p99_seconds / mean_seconds, LOGNORMAL_P99_RATIO_MAX)
    sigma = 2.326 - math.sqrt(max(0.0, 5.41 - 2 * math.log(ratio)))
    return math.exp(max(0.0, sigma) ** 2) - 1


def slots_at_peak(
    *,
    rate_per_second: float,
    mean_seconds: float,
    p99_seconds: float,
    wait_seconds: float,
    percentile: float,
    busy_share: float,
) -> int:
    """The fewest slots with which the share `percentile` of tasks starts within the wait at a steady rate.

    Erlang C for exponential runtimes, with the decay stretched by 2/(1+CV^2) for others (the usual M/G/m approximation), and no slot busier
    than `busy_share`. The Erlang B recursion keeps it exact and cheap for thousands of slots.
    """
    offered = rate_per_second * mean_seconds
    if offered <= 0:
        return 0
    if offered > ERLANG_OFFERED_MAX:
        return math.ceil(offered / busy_share)
    late = 1 - percentile / 100
    decay = wait_seconds / mean_seconds * 2 / (1 + squared_variation(mean_seconds, p99_seconds))
    blocking = 1.0
    slots = 0
    while True:
        slots += 1
        blocking = offered * blocking / (slots + offered * blocking)
        if slots <= offered or offered / slots > busy_share:
            continue
        waiting = blocking / (1 - offered / slots * (1 - blocking))
        if waiting * math.exp(-(slots - offered) * decay) <= late:
            return slots


def late_share(
    slots: int,
    *,
    rate_per_second: float,
    mean_seconds: float,
    p99_seconds: float,
    wait_seconds: float,
) -> float:
    """Share of the tasks that start later than the wait at a steady rate, with more slots than are busy; the approximation of `slots_at_peak`."""
    offered = rate_per_second * mean_seconds
    blocking = 1.0
    for servers in range(1, slots + 1):
        blocking = offered * blocking / (servers + offered * blocking)
    waiting = blocking / (1 - offered / slots * (1 - blocking))
    decay = wait_seconds / mean_seconds * 2 / (1 + squared_variation(mean_seconds, p99_seconds))
    return waiting * math.exp(-(slots - offered) * decay)


def exposed_seconds(burst_seconds: float, startup_seconds: float) -> float:
    """The part of a burst that meets only the pods that are already there: all of it, or the worst reaction."""
    return min(burst_seconds, worst_reaction_seconds(startup_seconds))


def burst_minimum(
    *,
    burst_per_second: float,
    burst_seconds: float,
    mean_seconds: float,
    wait_seconds: float,
    concurrency: int,
    startup_seconds: float,
) -> int:
    """Pods that have to be there before a burst, where the promise is shorter than the reaction.

    ceil(rate S / (0.95 c) * T / (T + W)) with T the shorter of the burst and the worst reaction: what arrives in T must be under way by T + W.
    """
    exposed = exposed_seconds(burst_seconds, startup_seconds)
    pods = burst_per_second * mean_seconds / (BUSY_SHARE_MID * concurrency)
    return math.ceil(pods * exposed / (exposed + wait_seconds))


def burst_maximum(
    *,
    burst_per_second: float,
    burst_seconds: float,
    mean_seconds: float,
    wait_seconds: float,
    concurrency: int,
    minimum: int,
    startup_seconds: float,
) -> int:
    """Pods at most that a burst needs; 0 where new pods come too late for its promise and only the minimum counts.

    The least n with minimum Tr + n (W - Tr) >= B S / c: the pods that are there work for the reaction Tr, all of them until the wait is over. B is
    what arrives within W, as if at once; a burst that lasts longer is the same over and over. The minimum is the declared one: the derived
    grows with the load, and would let more load ask for fewer pods.
    """
    reaction = reaction_seconds(startup_seconds)
    if wait_seconds <= reaction:
        return 0
    work = burst_per_second * min(burst_seconds, wait_seconds) * mean_seconds / concurrency
    return max(0, math.ceil((work - minimum * reaction) / (wait_seconds - reaction)))


def downstream_maximum(limit: int, *, concurrency: int, shards: int) -> int:
    """Pods of each shard that run no more tasks at once than what they use takes; 0 where one pod of each is too many already."""
    return limit // (concurrency * shards)


def scaling_metric(
    regime: Regime, *, mean_seconds: float, wait_seconds: float, concurrency: int, prefetch_multiplier: int = 1
) -> tuple[str | None, float]:
    """The formula for KEDA (None in the long regime) and the AverageValue that goes with it.

    Where a slot holds several messages, those in a saturated worker are `prefetch_multiplier` times its slots: undivided they would ask for as many
    times the pods at every sync. Divided, saturated pods ask for no more than they do at multiplier 1, and the backlog asks for the rest. The long
    regime counts messages wherever they wait, so nothing changes there.
    """
    if regime is Regime.LONG:
        return None, concurrency * (1 + BACKLOG_SHARE_LONG * wait_seconds / mean_seconds)
    horizon = wait_seconds if regime is Regime.MID else max(wait_seconds, SHORT_WAIT_FLOOR_SECONDS)
    held = f"{prefetch_multiplier}/" if prefetch_multiplier > 1 else ""
    formula = (
        f"(max(total - ready, 0)/{held}{format_number(busy_share(regime))}"
        f" + ready*{format_number(mean_seconds)}/{format_number(horizon)})/{concurrency}"
    )
    return formula, 1.0
