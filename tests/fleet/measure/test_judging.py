"""What is said of each figure, and when nothing is."""

from pathlib import Path
from typing import Any

import pytest

from fleet.environment import default_environment
from fleet.measure.figures import Verdict, tasks_for_mean, tasks_for_p99
from fleet.measure.histograms import Histogram
from fleet.measure.judging import kept, measure_startup
from fleet.measure.observation import Observation
from tests.fleet.measure.seen import arrivals, draft, judge, observation, runs

MEBIBYTE = 2**20
DAY = 86_400


@pytest.mark.parametrize(
    ("path", "seen", "verdict"),
    [
        pytest.param("runtime.mean", {}, Verdict.FITS, id="a-mean-as-declared"),
        pytest.param("runtime.mean", {"runs": runs(0.12, 0.4, 100_000)}, Verdict.FITS, id="a-mean-a-fifth-above"),
        pytest.param("runtime.mean", {"runs": runs(0.2, 0.4, 100_000)}, Verdict.DIFFERS, id="a-mean-of-twice"),
        pytest.param("runtime.mean", {"runs": runs(0.05, 0.4, 100_000)}, Verdict.DIFFERS, id="a-mean-of-half"),
        pytest.param("runtime.mean", {"runs": runs(0.2, 0.4, 50)}, Verdict.TOO_FEW, id="a-mean-of-fifty-tasks"),
        pytest.param("runtime.mean", {"runs": None}, Verdict.UNSEEN, id="no-task-at-all"),
        pytest.param("runtime.p99", {"runs": runs(0.1, 0.9, 100_000)}, Verdict.DIFFERS, id="a-p99-of-more-than-twice"),
        pytest.param("runtime.p99", {"runs": runs(0.1, 0.9, 900)}, Verdict.TOO_FEW, id="a-p99-of-nine-tasks-beyond-it"),
        pytest.param("load.peak", {"arrivals": arrivals(20)}, Verdict.DIFFERS, id="twice-the-peak"),
        pytest.param("load.peak", {"arrivals": arrivals(2)}, Verdict.TOLD, id="a-day-below-the-peak-proves-nothing"),
        pytest.param("load.peak", {"arrivals": arrivals(0.05)}, Verdict.TOO_FEW, id="fewer-than-chance-allows"),
        pytest.param("load.peak", {"arrivals": ()}, Verdict.UNSEEN, id="one-look-knows-no-rate"),
        pytest.param("memory", {}, Verdict.FITS, id="memory-as-declared"),
        pytest.param("memory", {"peak_resident_bytes": (112 + 4 * 50) * MEBIBYTE}, Verdict.DIFFERS, id="a-fourth-more-memory"),
        pytest.param("memory", {"peak_resident_bytes": 120 * MEBIBYTE}, Verdict.TOLD, id="less-memory-may-be-idle-slots"),
        pytest.param("memory", {"peak_resident_bytes": 50 * MEBIBYTE}, Verdict.TOLD, id="less-than-an-idle-worker"),
        pytest.param("memory", {"peak_resident_bytes": None}, Verdict.UNSEEN, id="memory-that-nobody-told"),
    ],
)  # fmt: skip
def test_each_figure_is_judged_by_its_threshold_and_by_what_stands_behind_it(
    path: str, seen: dict[str, Any], verdict: Verdict, tmp_path: Path
) -> None:
    """Declared: mean 100 ms, p99 400 ms, peak 10/s, memory 40Mi on a gevent worker of four slots."""
    found = {figure.path: figure for figure in judge(tmp_path, observation(**seen)).figures}
    assert found[path].verdict is verdict


def test_a_week_below_the_peak_says_so(tmp_path: Path) -> None:
    """Seven days have a busiest one."""
    found = judge(tmp_path, observation(arrivals=arrivals(2)), seconds=7 * DAY).figures[2]
    assert (found.path, found.verdict) == ("load.peak", Verdict.DIFFERS)
    assert found.measured == pytest.approx(2)


def test_a_peak_that_the_environment_scales_is_told_with_the_place(tmp_path: Path) -> None:
    """`loadFactor: 0.5` makes 10/s of the catalogue 5/s here; 20/s is four times that."""
    found = judge(tmp_path, observation(arrivals=arrivals(20)), settings="loadFactor: 0.5").figures[2]
    assert (found.declared, found.verdict) == (5.0, Verdict.TOLD)
    assert "loadFactor of 0.5 in Pulumi.prod.yaml" in found.why


def test_a_prefork_child_is_measured_alone(tmp_path: Path) -> None:
    """Whatever the concurrency; 96Mi of it is the idle worker. It may have less, because a child runs one task at a time."""
    seen = observation(peak_resident_bytes=(96 + 20) * MEBIBYTE)
    found = judge(tmp_path, seen, pool="prefork", concurrency=4).figures[3]
    assert (found.measured, found.verdict) == (20 * MEBIBYTE, Verdict.DIFFERS)


def test_a_task_that_cannot_be_told_from_an_idle_worker_has_a_step_of_memory(tmp_path: Path) -> None:
    """Never nothing: an idle worker's size is rounded up to 16Mi, and a pod without memory is killed."""
    found = judge(tmp_path, observation(peak_resident_bytes=60 * MEBIBYTE), pool="prefork", concurrency=4).figures[3]
    assert found.measured == 16 * MEBIBYTE


def test_a_percentile_in_a_wide_bucket_is_to_be_measured_again(tmp_path: Path) -> None:
    """p99 lies between 1 s and the limit of 10 s, where no bound was expected."""
    wide = Histogram(bounds_seconds=(0.1, 1.0, 10.0), counts=(90_000, 5_000, 5_000, 0), total_seconds=10_000)
    found = judge(tmp_path, observation(runs=wide)).figures[1]
    assert (found.verdict, found.low, found.high) == (Verdict.DIFFERS, 1.0, 10.0)
    assert found.why.endswith("measure again")


def test_a_percentile_between_bounds_of_two_catalogues_is_no_reason_to_change_one(tmp_path: Path) -> None:
    """The day after a change, what both have in common is too wide to tell."""
    common = Histogram(bounds_seconds=(0.1, 10.0), counts=(90_000, 10_000, 0), total_seconds=10_000, mixed=True)
    found = judge(tmp_path, observation(runs=common)).figures[1]
    assert (found.verdict, found.low, found.high) == (Verdict.TOLD, 0.1, 10.0)
    assert "--window since the last deploy" in found.why


@pytest.mark.parametrize(
    ("squared_variation", "mean", "p99"),
    [
        pytest.param(0.0, 100, 300, id="runtimes-that-do-not-vary"),
        pytest.param(1.0, 385, 745, id="as-exponential-ones-do"),
        pytest.param(9.0, 3458, 2472, id="very-uneven-ones"),
    ],
)
def test_uneven_runtimes_take_more_tasks(squared_variation: float, mean: int, p99: int) -> None:
    """A mean within 10 %: variation x (1.96 / 0.1)^2. A p99 within 25 %: (1.96 x 3.73 x sigma / ln 1.25)^2."""
    assert (tasks_for_mean(squared_variation), tasks_for_p99(squared_variation)) == (mean, p99)


@pytest.mark.parametrize(
    ("counts", "percent", "is_kept"),
    [
        pytest.param((95, 5), 95.0, True, id="just-kept"),
        pytest.param((94, 6), 94.0, False, id="just-not"),
        pytest.param((0, 0), None, None, id="nothing-started"),
    ],
)
def test_a_promise_is_kept_or_not(
    counts: tuple[float, ...], percent: float | None, is_kept: bool | None, tmp_path: Path
) -> None:
    plan = draft(tmp_path).plan
    assert plan is not None
    found = kept(plan.queues[0], Histogram(bounds_seconds=(30.0,), counts=counts, total_seconds=0))
    assert (found.percent, found.kept) == (percent, is_kept)


@pytest.mark.parametrize(
    ("stack", "pods", "seconds", "verdict", "because"),
    [
        pytest.param("prod", 40, 80, Verdict.FITS, "", id="as-declared"),
        pytest.param("prod", 3, 150, Verdict.TOO_FEW, "takes 20", id="three-pods"),
        pytest.param("prod", 40, 150, Verdict.TOLD, "Pulumi.prod.yaml", id="slower"),
        pytest.param("prod", 40, 9, Verdict.TOLD, "the wait for a node comes before it", id="faster-but-for-the-node"),
        pytest.param("local", 40, 2, Verdict.TOLD, "Pulumi.local.yaml", id="faster-where-nodes-are-there"),
        pytest.param("prod", 0, None, Verdict.UNSEEN, "", id="nobody-told"),
    ],
)  # fmt: skip
def test_start_up_is_the_environments(
    stack: str, pods: int, seconds: float | None, verdict: Verdict, because: str
) -> None:
    """It is told, never written: it stands in no catalogue. Declared: 75 s in `prod`, 5 s in `local`."""
    found = measure_startup(
        default_environment(stack), [Observation(startup_seconds=seconds, pods=pods), Observation()]
    )
    assert found.verdict is verdict
    assert because in found.why
