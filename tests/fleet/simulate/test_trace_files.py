"""Recorded traces: what may stand in the file, and where an error points."""

from pathlib import Path

import pytest

from fleet.errors import FleetError
from fleet.simulate.model import simulated_queue
from fleet.simulate.trace_files import RecordedTasks, read_trace, recorded_workload
from tests.fleet.simulate.scripted import sample_plan


def read(tmp_path: Path, text: str) -> RecordedTasks:
    path = tmp_path / "trace.csv"
    path.write_text(text)
    return read_trace(path)


@pytest.mark.parametrize(
    ("text", "arrivals", "runtimes"),
    [
        pytest.param("0\n1.5\n3\n", (0, 1.5, 3), None, id="seconds-alone"),
        pytest.param("10,0.5\n12,0.25\n", (0, 2), (0.5, 0.25), id="seconds-and-runtimes-without-a-header"),
        pytest.param("runtime,arrival\n2,30\n1,10\n", (0, 20), (1, 2), id="columns-by-name-rows-in-any-order"),
        pytest.param(
            "timestamp\n2026-03-01T08:00:00Z\n2026-03-01T09:00:30+01:00\n", (0, 30), None, id="timestamps-with-offsets"
        ),
        pytest.param("time\n2026-03-01 08:00:00\n\n2026-03-01 08:01:00\n", (0, 60), None, id="empty-lines-are-nothing"),
        pytest.param('\ufefftime,queue\n"5",mail\n', (0,), None, id="other-columns-are-left-alone"),
    ],
)
def test_a_file_gives_arrivals_from_zero(
    tmp_path: Path, text: str, arrivals: tuple[float, ...], runtimes: tuple[float, ...] | None
) -> None:
    """Seconds or ISO 8601, with a header or without."""
    assert read(tmp_path, text) == RecordedTasks(arrivals=arrivals, runtimes=runtimes)


@pytest.mark.parametrize(
    ("text", "place", "problem"),
    [
        pytest.param("time\n1\nsoon\n", ":3:1", "'soon' is no time like '1' in line 2", id="a-word"),
        pytest.param("time,runtime\n1,0.5\n2,-3\n", ":3:3", "'-3' is no runtime", id="a-negative-runtime"),
        pytest.param("time,runtime\n1,0.5\n2\n", ":3:3", "'' is no runtime", id="a-missing-runtime"),
        pytest.param("1\n2026-03-01T08:00:00Z\n", ":2:1", "is no time like '1' in line 1", id="seconds-and-timestamps"),
        pytest.param(
            "time\n2026-03-01T08:00:00Z\n2026-03-01T08:00:00\n",
            ":3:1",
            "is no time like",
            id="an-offset-that-is-missing",
        ),
        pytest.param("when\n1\n", ":1:1", "'when' is neither a time nor a heading", id="a-heading-nobody-knows"),
        pytest.param("runtime\n1\n", ":1", "has no column of times among runtime", id="no-times"),
        pytest.param("time\nnan\n", ":2:1", "'nan' is no time", id="not-a-number"),
        pytest.param("time\n", "", "has no arrival", id="a-header-alone"),
        pytest.param("", "", "has no arrival", id="nothing"),
    ],
)
def test_an_error_names_line_and_column(tmp_path: Path, text: str, place: str, problem: str) -> None:
    """Where, what is there, and what to write instead."""
    with pytest.raises(FleetError) as caught:
        read(tmp_path, text)
    assert caught.value.where == f"{tmp_path / 'trace.csv'}{place}"
    assert problem in caught.value.problem
    assert caught.value.fix


def test_a_file_that_is_not_there_is_an_error_of_its_own(tmp_path: Path) -> None:
    """As every file that a person names."""
    with pytest.raises(FleetError, match="cannot be read: No such file"):
        read_trace(tmp_path / "none.csv")


def test_recorded_runtimes_end_at_the_limit_and_missing_ones_are_drawn(tmp_path: Path) -> None:
    """A task of 99 s on a queue that kills after 30 s; the other file says nothing of runtimes."""
    thumbnails = simulated_queue(sample_plan("prod").queues[2])
    known = recorded_workload(read(tmp_path, "0,99\n1,2\n"), thumbnails, "mine", seed=1)
    assert known.runtimes.tolist() == [30, 2]
    drawn = recorded_workload(read(tmp_path, "0\n1\n2\n"), thumbnails, "mine", seed=1)
    assert 0 < float(drawn.runtimes.min()) < float(drawn.runtimes.max()) <= 30


def test_a_shard_gets_its_part_of_the_tasks(tmp_path: Path) -> None:
    """Of two shards, half of them, at random."""
    default = simulated_queue(sample_plan("prod").queues[1])
    text = "".join(f"{second}\n" for second in range(1000))
    assert len(recorded_workload(read(tmp_path, text), default, "mine", seed=1).arrivals) == pytest.approx(500, abs=50)
