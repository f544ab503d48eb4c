"""The autoscaling rule against numbers that were worked out elsewhere: tables of Erlang C and the design document."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.scaling import (
    Regime,
    burst_minimum,
    derive_regime,
    reaction_seconds,
    scaling_metric,
    slots_at_peak,
    squared_variation,
    worst_reaction_seconds,
)


@pytest.mark.parametrize(
    ("offered", "slots", "waiting_share"),
    [
        pytest.param(0.5, 1, 0.5, id="one-server-waits-as-often-as-it-is-busy"),
        pytest.param(1.0, 2, 1 / 3, id="two-servers-at-half-load"),
        pytest.param(4.0, 5, 0.5541, id="five-servers-at-4-erlang"),
        pytest.param(8.0, 10, 0.4092, id="ten-servers-at-8-erlang"),
        pytest.param(16.0, 20, 0.2561, id="twenty-servers-at-16-erlang"),
    ],
)
def test_the_waiting_share_is_that_of_erlang_c(offered: float, slots: int, waiting_share: float) -> None:
    """The peak has just as many slots as a table of Erlang C says: with no patience at all, the share that waits is the share that is late."""

    def at_late_share(late: float) -> int:
        return slots_at_peak(
            rate_per_second=offered,
            mean_seconds=1,
            p99_seconds=4.6,
            wait_seconds=1e-9,
            percentile=100 * (1 - late),
            busy_share=0.999,
        )

    assert at_late_share(waiting_share + 0.0005) == slots
    assert at_late_share(waiting_share - 0.0005) == slots + 1


@pytest.mark.parametrize(
    ("wait", "startup", "regime"),
    [
        pytest.param(54, 5, Regime.LONG, id="three-reactions-are-long"),
        pytest.param(53.9, 5, Regime.MID, id="just-below-three-reactions-is-mid"),
        pytest.param(22.5, 5, Regime.MID, id="one-and-a-quarter-is-still-mid"),
        pytest.param(22.4, 5, Regime.SHORT, id="below-that-nothing-reactive-is-in-time"),
        pytest.param(60, 75, Regime.SHORT, id="a-minute-is-short-where-nodes-have-to-come-first"),
        pytest.param(600, 75, Regime.LONG, id="ten-minutes-are-long-everywhere"),
    ],
)
def test_the_regime_compares_the_wait_with_the_reaction(wait: float, startup: float, regime: Regime) -> None:
    """A promise is long, mid or short against half an HPA sync, 5.5 s of statistics and the start of a pod."""
    assert derive_regime(wait, startup) is regime


def test_the_reaction_is_made_of_sync_statistics_and_start() -> None:
    """Typical 7.5 + 5.5 + Ts, worst 15 + 8 + Ts."""
    assert reaction_seconds(5) == 18
    assert worst_reaction_seconds(5) == 28
    assert worst_reaction_seconds(75) == 98


# The classes of the simulation, with pods that start in 10 s: arrivals a second, mean, p99, wait, slots a pod.
IO = {"rate": 800, "mean": 0.08, "p99": 0.4, "wait": 1, "concurrency": 8}
CPU = {"rate": 10, "mean": 2, "p99": 6, "wait": 10, "concurrency": 1}


@pytest.mark.parametrize(
    ("queue", "minimum", "peak"),
    [
        pytest.param(IO, 9, 9, id="io-needs-its-whole-peak-ready"),
        pytest.param(CPU, 17, 22, id="cpu-needs-17-of-22"),
    ],
)
def test_the_minimum_for_a_burst_is_that_of_the_design(queue: dict[str, float], minimum: int, peak: int) -> None:
    """A promise shorter than the reaction is kept by pods that are there before the burst."""
    assert minimum == burst_minimum(
        burst_per_second=queue["rate"],
        burst_seconds=60,
        mean_seconds=queue["mean"],
        wait_seconds=queue["wait"],
        concurrency=int(queue["concurrency"]),
        startup_seconds=10,
    )
    slots = slots_at_peak(
        rate_per_second=queue["rate"], mean_seconds=queue["mean"], p99_seconds=queue["p99"], wait_seconds=queue["wait"],
        percentile=95, busy_share=0.95,
    )  # fmt: skip
    assert -(-slots // int(queue["concurrency"])) == peak


def test_a_batch_at_once_is_a_burst_of_one_second() -> None:
    """100 tasks of 2 s dumped at once on one-slot pods: 200 / 0.95 x 1/(1 + 9) = 21.05."""
    assert (
        burst_minimum(
            burst_per_second=100, burst_seconds=1, mean_seconds=2, wait_seconds=9, concurrency=1, startup_seconds=5
        )
        == 22
    )


@pytest.mark.parametrize(
    ("regime", "mean", "wait", "concurrency", "formula", "target"),
    [
        pytest.param(Regime.LONG, 40, 600, 1, None, 5.5, id="long-counts-messages-a-pod"),
        pytest.param(
            Regime.MID,
            0.3,
            30,
            4,
            "(max(total - ready, 0)/0.95 + ready*0.3/30)/4",
            1,
            id="mid-counts-busy-slots-and-backlog",
        ),
        pytest.param(
            Regime.SHORT,
            0.08,
            1,
            8,
            "(max(total - ready, 0)/0.9 + ready*0.08/10)/8",
            1,
            id="short-plans-for-ten-seconds-at-least",
        ),
        pytest.param(
            Regime.SHORT,
            2,
            60,
            1,
            "(max(total - ready, 0)/0.9 + ready*2/60)/1",
            1,
            id="short-takes-a-wait-above-ten-seconds",
        ),
    ],
)
def test_the_metric_is_the_regimes(
    *, regime: Regime, mean: float, wait: float, concurrency: int, formula: str | None, target: float
) -> None:
    """Long has one trigger and messages a pod; mid and short a formula that counts pods."""
    got = scaling_metric(regime, mean_seconds=mean, wait_seconds=wait, concurrency=concurrency)
    assert got[0] == formula
    assert got[1] == pytest.approx(target)


@pytest.mark.parametrize(
    ("regime", "wait", "formula", "target"),
    [
        pytest.param(Regime.LONG, 600, None, 96_008, id="long-counts-messages-wherever-they-wait"),
        pytest.param(Regime.MID, 30, "(max(total - ready, 0)/4/0.95 + ready*0.015/30)/8", 1, id="mid-divides"),
        pytest.param(Regime.SHORT, 1, "(max(total - ready, 0)/4/0.9 + ready*0.015/10)/8", 1, id="short-divides"),
    ],
)
def test_messages_held_ahead_are_no_busy_slots(regime: Regime, wait: float, formula: str | None, target: float) -> None:
    """Four messages a slot: a saturated worker asks for no more pods than one that holds one a slot."""
    got = scaling_metric(regime, mean_seconds=0.015, wait_seconds=wait, concurrency=8, prefetch_multiplier=4)
    assert got[0] == formula
    assert got[1] == pytest.approx(target)


@pytest.mark.parametrize(
    ("ratio", "expected"),
    [
        pytest.param(1, 0.0, id="a-constant-runtime-does-not-vary"),
        pytest.param(3, 0.329, id="p99-of-three-means"),
        pytest.param(5, 1.0, id="p99-of-five-means-is-about-exponential"),
        pytest.param(14.9, 150, id="the-widest-lognormal"),
        pytest.param(100, 150, id="wider-ones-count-as-the-widest"),
    ],
)
def test_the_variation_is_fitted_from_the_99th_percentile(ratio: float, expected: float) -> None:
    """The lognormal with this mean and p99."""
    assert squared_variation(1, ratio) == pytest.approx(expected, rel=0.05, abs=0.001)


@given(
    st.floats(0.01, 500), st.floats(0.01, 60), st.floats(1, 3), st.floats(0.5, 600), st.sampled_from([50.0, 95.0, 99.9])
)
def test_more_load_and_a_stricter_promise_never_need_fewer_slots(
    offered: float, mean: float, growth: float, wait: float, percentile: float
) -> None:
    """The peak grows with the load and with the share that is promised, and shrinks with the wait."""

    def slots(load: float, patience: float, share: float) -> int:
        return slots_at_peak(
            rate_per_second=load / mean,
            mean_seconds=mean,
            p99_seconds=4 * mean,
            wait_seconds=patience,
            percentile=share,
            busy_share=0.95,
        )

    base = slots(offered, wait, percentile)
    assert base * 0.95 >= offered * 0.999999
    assert slots(offered * growth, wait, percentile) >= base
    assert slots(offered, wait * growth, percentile) <= base
    assert slots(offered, wait, min(99.99, percentile + growth)) >= base


def test_a_huge_load_is_answered_at_once_and_not_below_a_smaller_one() -> None:
    """Above 20,000 busy slots the busy share decides alone, and nothing jumps there."""
    below, above, enormous = (
        slots_at_peak(
            rate_per_second=rate, mean_seconds=1, p99_seconds=5, wait_seconds=0.1, percentile=99.9, busy_share=0.95
        )
        for rate in (19_999, 20_001, 10**12)
    )
    assert (below, above) == (21_052, 21_054)
    assert enormous == 1_052_631_578_948
