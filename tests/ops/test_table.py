"""The table of the fleet, as it is drawn and as JSON."""

import io

import pytest
from rich.console import Console

from fleet.measure.judging import Kept
from ops.observing import QueueView
from ops.table import queue_table, seconds_text, view_document
from ops.target import Target
from ops.waits import Counters


def view(name: str, **fields: object) -> QueueView:
    known: dict[str, object] = {"ready": 0, "unacked": 0, "replicas": 1, "desired": 1, "minimum": 1, "maximum": 4}
    return QueueView(name=name, **(known | fields))  # type: ignore[arg-type]


def drawn(target: Target, *views: QueueView, sent: dict[str, int] | None = None) -> list[list[str]]:
    console = Console(file=io.StringIO(), width=200, no_color=True)
    console.print(queue_table(target.plan, views, sent=sent))
    assert isinstance(console.file, io.StringIO)
    return [line.split() for line in console.file.getvalue().splitlines()]


def test_every_queue_has_a_row_with_its_figures(target: Target) -> None:
    """Everything a person asks about a queue stands in one line."""
    counters = Counters(started=20, done=19, failed=1, waits={0.5: 19, 2.0: 1})
    rows = drawn(target, view("high", ready=3, unacked=8, replicas=2, desired=4, counters=counters), sent={"high": 30})
    text = " ".join(rows[2])
    assert text == "high 3 8 2 4 20/30 1 358 ms 500 ms 95% 1 s 95%"


def test_the_table_fits_eighty_columns(target: Target) -> None:
    """The usual terminal shows every figure whole."""
    counters = Counters(started=300, done=300, waits={0.5: 300})
    views = [view(queue.name, ready=999, unacked=99, counters=counters) for queue in target.plan.queues]
    console = Console(file=io.StringIO(), width=80, no_color=True)
    console.print(queue_table(target.plan, views, sent={queue.name: 300 for queue in target.plan.queues}))
    assert isinstance(console.file, io.StringIO)
    assert "…" not in console.file.getvalue()


def test_the_unknown_is_a_dash(target: Target) -> None:
    """Nothing is shown as zero that could not be read."""
    row = drawn(target, view("reports", ready=None, unacked=None, replicas=None, desired=None))[2]
    assert row[:5] == ["reports", "-", "-", "-", "-"]


def kept_today(percent: float | None) -> Kept:
    return Kept(percent=percent, promised_percent=95, promised_wait_seconds=1, tasks=1000)


def test_promises_of_today_have_a_column_where_somebody_knows_them(target: Target) -> None:
    """A dash for a queue of which nobody does."""
    console = Console(file=io.StringIO(), width=200, no_color=True)
    views = [view("high"), view("default"), view("reports")]
    today = {"high": kept_today(94.25), "default": kept_today(None)}
    console.print(queue_table(target.plan, views, today=today))
    assert isinstance(console.file, io.StringIO)
    rows = [line.split() for line in console.file.getvalue().splitlines()]
    assert rows[1][-1] == "today"
    assert [row[-1] for row in rows[2:]] == ["94.2%", "-", "-"]
    assert "today" not in drawn(target, view("high"))[1]


def test_programs_get_the_share_of_today(target: Target) -> None:
    """Null where nobody knows."""
    queue = next(queue for queue in target.plan.queues if queue.name == "high")
    shares = [view_document(queue, view("high"), today)["within_promise_today"] for today in (
        {"high": kept_today(94.25)}, {"high": kept_today(None)}, {}, None,
    )]  # fmt: skip
    assert shares == [0.9425, None, None, None]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "-"), (0.08, "80 ms"), (4.24, "4.2 s"), (75, "75 s"), (599, "599 s"), (720, "12 min")],
)
def test_waits_are_written_as_people_say_them(seconds: float | None, text: str) -> None:
    """A wait is read at a glance."""
    assert seconds_text(seconds) == text


def test_programs_get_the_verdict_too(target: Target) -> None:
    """`--json` says whether the promise was kept, with the share it was judged by."""
    queue = next(queue for queue in target.plan.queues if queue.name == "high")
    document = view_document(queue, view("high", counters=Counters(started=10, done=10, waits={0.5: 9, 5.0: 1})))
    assert (document["within_promise"], document["kept"]) == (pytest.approx(0.9), False)
    assert view_document(queue, view("high"))["kept"] is None
