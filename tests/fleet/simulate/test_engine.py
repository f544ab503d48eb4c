"""Tasks, slots and pods: cases worked out by hand, queueing theory, and laws that hold for any work."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.simulate.model import Workload, World
from tests.fleet.simulate.scripted import run, work

# 0 starts at once; 1 and 2 wait for it and for each other.
THREE = ((0.0, 2.0), (1.0, 2.0), (2.0, 2.0))


@pytest.mark.parametrize(
    ("tasks", "steps", "concurrency", "starts", "pod_seconds"),
    [
        pytest.param(THREE, [(0, 1)], 1, [0, 2, 4], 20, id="one-slot-serves-in-order"),
        pytest.param(THREE, [(0, 2)], 1, [0, 1, 2], 40, id="two-pods-leave-nobody-waiting"),
        pytest.param(THREE, [(0, 1)], 2, [0, 1, 2], 20, id="two-slots-do-the-same-in-one-pod"),
        pytest.param(THREE, [(0, 0), (1, 1)], 1, [6, 8, 10], 19, id="a-pod-is-paid-from-when-it-is-wanted"),
        pytest.param(
            ((0.0, 10.0), (1.0, 1.0)), [(0, 1), (2, 2), (8, 1)], 1, [0, 7], 26, id="the-youngest-pod-is-the-first-to-go"
        ),
        pytest.param(
            ((0.0, 10.0), (1.0, 1.0)),
            [(0, 1), (3, 0), (4, 1)],
            1,
            [0, 9],
            10 + 16,
            id="a-stopping-pod-takes-no-new-task",
        ),
        pytest.param(
            ((0.0, 1.0),), [(0, 1), (2, 3), (4, 1)], 1, [0], 20 + 4, id="pods-that-are-still-starting-go-first"
        ),
        pytest.param(((0.0, 30.0),), [(0, 1)], 1, [0], 30, id="pods-are-paid-until-the-last-task-is-done"),
        pytest.param((), [(0, 2)], 1, [], 40, id="nothing-to-do-costs-the-pods-that-wait"),
    ],
)
def test_a_case_worked_out_by_hand(
    *, tasks: tuple[tuple[float, float], ...], steps: list[tuple[float, int]], concurrency: int, starts: list[float], pod_seconds: float
) -> None:  # fmt: skip
    """Starts and pod-seconds are those of a pencil; pods take five seconds to start, the trace lasts twenty."""
    result = run(work(*tasks), steps, concurrency=concurrency)
    assert result.starts.tolist() == starts
    assert result.pod_seconds == pod_seconds
    assert result.interrupted == 0


def test_what_outlasts_the_grace_is_interrupted_and_paid_for_until_then() -> None:
    """A pod with two tasks in hand, told to stop at 3 with a grace of 4: the one that needs until 10 is cut at 7."""
    result = run(work((0.0, 10.0), (0.0, 5.0)), [(0, 1), (3, 0)], concurrency=2, grace_seconds=4)
    assert result.interrupted == 1
    assert result.pod_seconds == 7


def test_tasks_that_nobody_serves_never_start() -> None:
    """A policy that ends at zero pods leaves the rest behind, and the run still ends."""
    result = run(work((0.0, 1.0), (10.0, 1.0)), [(0, 1), (5, 0)])
    assert result.starts.tolist() == [0.0, math.inf]


def test_samples_count_what_waits_and_what_is_in_hand() -> None:
    """At 5 s: one task done, one in the stopping pod, one in the pod that stays, one waiting."""
    tasks = ((0.0, 1.0), (1.0, 9.0), (1.0, 9.0), (2.0, 1.0))
    result = run(work(*tasks), [(0, 2), (3, 1)])
    sample = next(sample for sample in result.samples if sample.seconds == 5)
    assert (sample.ready, sample.busy, sample.arrived) == (1, 2, 4)
    assert (sample.replicas, sample.ready_pods, sample.live_busy) == (1, 1, 1)


def poisson(*, rate: float, tasks: int) -> Workload:
    """M/M work with a mean runtime of one second."""
    random = np.random.default_rng(7)
    arrivals = np.cumsum(random.exponential(1 / rate, tasks))
    return Workload(
        trace="poisson",
        arrivals=arrivals,
        runtimes=random.exponential(1.0, tasks),
        duration_seconds=float(arrivals[-1]),
    )


@pytest.mark.parametrize(
    ("offered", "pods", "concurrency", "waiting_share", "mean_wait"),
    [
        pytest.param(0.5, 1, 1, 0.5, 1.0, id="one-slot-half-busy"),
        pytest.param(4.0, 5, 1, 0.5541, 0.5541, id="five-slots-at-4-erlang"),
        pytest.param(8.0, 2, 5, 0.4092, 0.2046, id="ten-slots-of-two-pods-at-8-erlang"),
    ],
)
def test_fixed_pods_wait_as_erlang_c_says(
    *, offered: float, pods: int, concurrency: int, waiting_share: float, mean_wait: float
) -> None:
    """Poisson arrivals and exponential runtimes: waiting probability and mean wait within 3 % of the table."""
    workload = poisson(rate=offered, tasks=400_000)
    unwatched = World(startup_seconds=(0.0, 0.0), statistics_every_seconds=1e9)
    waits = run(workload, [(0, pods)], concurrency=concurrency, world=unwatched).starts - workload.arrivals
    assert float(np.mean(waits > 0)) == pytest.approx(waiting_share, rel=0.03)
    assert float(np.mean(waits)) == pytest.approx(mean_wait, rel=0.03)


TASKS = st.lists(st.tuples(st.floats(0, 100), st.floats(0.01, 30)), min_size=1, max_size=60).map(sorted)
STEPS = st.lists(st.tuples(st.floats(0.1, 150), st.integers(0, 5)), max_size=6).map(sorted)


@given(TASKS, st.integers(1, 4), st.integers(1, 3))
def test_more_fixed_pods_never_make_a_wait_longer(
    tasks: list[tuple[float, float]], pods: int, concurrency: int
) -> None:
    """Task by task, not only in the mean."""
    fewer = run(work(*tasks), [(0, pods)], concurrency=concurrency)
    more = run(work(*tasks), [(0, pods + 1)], concurrency=concurrency)
    assert bool(np.all(more.starts <= fewer.starts + 1e-9))


@given(TASKS, STEPS, st.integers(1, 3))
def test_every_task_starts_once_in_order_and_pods_pay_for_it(
    tasks: list[tuple[float, float]], steps: list[tuple[float, int]], concurrency: int
) -> None:
    """Whatever a policy does, and if it leaves a pod at the end."""
    result = run(work(*tasks, lasts=200.0), [(0, 1), *steps, (160.0, 2)], concurrency=concurrency)
    starts, workload = result.starts, result.workload
    assert bool(np.all(np.isfinite(starts)))
    assert bool(np.all(starts >= workload.arrivals))
    assert bool(np.all(np.diff(starts) >= 0))
    assert result.pod_seconds * concurrency >= workload.work_seconds - 1e-6


@pytest.mark.parametrize(
    ("multiplier", "counts"),
    [
        pytest.param(1, (6, 4), id="a-message-a-slot"),
        pytest.param(2, (2, 8), id="two-a-slot"),
        pytest.param(9, (0, 10), id="more-than-there-are"),
    ],
)
def test_what_pods_hold_ahead_is_unacknowledged(multiplier: int, counts: tuple[int, int]) -> None:
    """Two pods of two slots and ten tasks that take their time: statistics tell the held ones from those in the queue."""
    found = run(work(*[(0.0, 30.0)] * 10), [(0, 2)], concurrency=2, prefetch_multiplier=multiplier)
    sample = next(sample for sample in found.samples if sample.seconds > 0)
    assert (sample.ready, sample.busy, sample.live_busy) == (*counts, 4)
