"""The horizontal pod autoscaler, sync by sync, against tables worked out from its controller's source."""

import pytest

from fleet.scaling import Regime, derive_regime
from fleet.simulate.autoscaler import (
    DEFAULT_SCALE_UP,
    HorizontalAutoscaler,
    ScalingPolicy,
    ScalingRules,
    average_value_replicas,
    replay,
    utilization_replicas,
)

UNLIMITED = ScalingRules(stabilization_seconds=0, policies=(ScalingPolicy(kind="Pods", value=100),))


def down(seconds: float, *policies: ScalingPolicy) -> ScalingRules:
    return ScalingRules(stabilization_seconds=seconds, policies=policies or (ScalingPolicy(kind="Percent", value=100),))


@pytest.mark.parametrize(
    ("value", "target", "current", "replicas"),
    [
        pytest.param(12, 5, 1, 3, id="the-sum-over-the-target-rounded-up"),
        pytest.param(11, 1, 10, 10, id="ten-percent-above-is-tolerated"),
        pytest.param(11.02, 1, 10, 12, id="just-above-that-it-is-not"),
        pytest.param(9, 1, 10, 10, id="ten-percent-below-is-tolerated"),
        pytest.param(8.99, 1, 10, 9, id="just-below-that-it-is-not"),
        pytest.param(0, 1, 3, 0, id="nothing-to-do-wants-none"),
        pytest.param(3.0009, 1, 1, 3, id="less-than-a-thousandth-is-cut"),
        pytest.param(12, 5.5, 2, 2, id="a-target-in-messages"),
    ],
)
def test_an_average_value_is_the_sum_over_the_target_unless_it_is_tolerated(
    value: float, target: float, current: int, replicas: int
) -> None:
    """AverageValue semantics: the tolerance is against the current replicas, the result is not."""
    assert average_value_replicas(value, target, current) == replicas


# Every row is one sync 15 s after the last: (value of a metric with target 1, replicas after the sync).
@pytest.mark.parametrize(
    ("autoscaler", "start", "rows"),
    [
        pytest.param(
            HorizontalAutoscaler(min_replicas=1, max_replicas=10, scale_up=UNLIMITED, scale_down=down(30)),
            1,
            # 4.3 is within the tolerance of 4; 2 has to wait until no recommendation of the last 30 s is higher.
            [(1.05, 1), (3.2, 4), (4.3, 4), (2, 4), (2, 2), (30, 10), (0, 10), (0, 1)],
            id="the-highest-recommendation-of-the-window-holds-on-the-way-down",
        ),
        pytest.param(
            HorizontalAutoscaler(min_replicas=1, max_replicas=100, scale_up=DEFAULT_SCALE_UP, scale_down=down(300)),
            1,
            [(80, 5), (80, 10), (80, 20), (80, 40), (80, 80)],
            id="by-default-four-pods-or-double-every-15-s",
        ),
        pytest.param(
            HorizontalAutoscaler(
                min_replicas=1, max_replicas=100, scale_up=UNLIMITED,
                scale_down=down(0, ScalingPolicy(kind="Percent", value=50, period_seconds=30)),
            ),
            16,
            [(0, 8), (0, 8), (0, 4), (0, 4), (0, 2)],
            id="half-of-the-pods-within-30-s",
        ),
        pytest.param(
            HorizontalAutoscaler(
                min_replicas=2, max_replicas=100, scale_up=UNLIMITED,
                scale_down=down(0, ScalingPolicy(kind="Pods", value=3)),
            ),
            9,
            [(0, 6), (0, 3), (0, 2), (0, 2)],
            id="three-pods-at-a-time-down-to-the-minimum",
        ),
        pytest.param(
            HorizontalAutoscaler(
                min_replicas=1, max_replicas=9, scale_down=down(0),
                scale_up=ScalingRules(stabilization_seconds=30, policies=(ScalingPolicy(kind="Pods", value=100),)),
            ),
            1,
            [(5, 1), (7, 1), (7, 7), (20, 7), (20, 9)],
            id="the-lowest-recommendation-of-the-window-holds-on-the-way-up",
        ),
        pytest.param(
            HorizontalAutoscaler(min_replicas=3, max_replicas=5, scale_up=UNLIMITED, scale_down=down(0)),
            8,
            [(1, 5), (1, 3)],
            id="above-the-maximum-it-goes-there-first",
        ),
        pytest.param(
            HorizontalAutoscaler(min_replicas=1, max_replicas=5, scale_up=UNLIMITED, scale_down=down(0)),
            0,
            [(9, 0), (9, 0)],
            id="a-target-at-zero-is-left-alone",
        ),
    ],
)  # fmt: skip
def test_syncs_follow_the_table(autoscaler: HorizontalAutoscaler, start: int, rows: list[tuple[float, int]]) -> None:
    """Recommendation, stabilization, policies, bounds: in this order, as the controller does it."""
    replicas, got = start, []
    for number, (value, _) in enumerate(rows):
        replicas = autoscaler.sync(
            15.0 * number,
            replicas,
            lambda current, value=value: average_value_replicas(value, 1, current),  # type: ignore[misc]
        )
        got.append(replicas)
    assert got == [expected for _, expected in rows]


def test_two_changes_within_a_period_share_its_allowance() -> None:
    """Four pods in 15 s are four, also when two syncs come sooner (KEDA and a restarted controller make such syncs)."""
    autoscaler = HorizontalAutoscaler(min_replicas=1, max_replicas=100)
    assert autoscaler.sync(0, 1, lambda _: 50) == 5
    assert autoscaler.sync(10, 5, lambda _: 50) == 5
    assert autoscaler.sync(15, 5, lambda _: 50) == 10


@pytest.mark.parametrize(
    ("utilization", "ready", "starting", "replicas"),
    [
        pytest.param(1.0, 4, 0, 5, id="busy-pods-at-80-percent-want-a-quarter-more"),
        pytest.param(0.85, 4, 0, 4, id="within-the-tolerance-nothing-happens"),
        pytest.param(0.2, 4, 0, 1, id="idle-pods-go"),
        pytest.param(1.0, 4, 4, 8, id="pods-that-are-starting-count-as-idle-on-the-way-up"),
        pytest.param(1.0, 8, 1, 10, id="unless-there-are-few-of-them"),
        pytest.param(0.4, 4, 2, 2, id="and-not-at-all-on-the-way-down"),
        pytest.param(0.0, 0, 2, 2, id="without-a-ready-pod-there-is-nothing-to-measure"),
    ],
)
def test_a_cpu_target_counts_pods_as_the_replica_calculator_does(
    utilization: float, ready: int, starting: int, replicas: int
) -> None:
    """80 % of the request, averaged over the ready pods."""
    assert utilization_replicas(utilization, 0.8, ready=ready, starting=starting, current=ready + starting) == replicas


def test_a_recorded_timeline_can_be_replayed() -> None:
    """Rows of a real controller go in, the model's decision at each sync comes out."""
    autoscaler = HorizontalAutoscaler(min_replicas=1, max_replicas=8, scale_up=UNLIMITED, scale_down=down(30))
    timeline = [
        (0.0, {"total": 0.0, "ready": 0.0}, 1),
        (15.2, {"total": 40.0, "ready": 32.0}, 1),
        (30.3, {"total": 8.0, "ready": 0.0}, 8),
        (45.5, {"total": 2.0, "ready": 0.0}, 8),
        (60.6, {"total": 2.0, "ready": 0.0}, 8),
    ]
    got = replay(autoscaler, lambda values, current: average_value_replicas(values["total"], 1, current), timeline)
    assert got == [(0.0, 1), (15.2, 8), (30.3, 8), (45.5, 8), (60.6, 2)]


def test_the_regimes_are_those_of_the_plan() -> None:
    """The start-up time of the comparison makes one long, one mid and two short classes."""
    assert [derive_regime(wait, 10) for wait in (600, 30, 10, 1)] == [
        Regime.LONG,
        Regime.MID,
        Regime.SHORT,
        Regime.SHORT,
    ]
