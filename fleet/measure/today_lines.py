"""The answer of `fleet status` as text."""

from collections.abc import Iterator
from datetime import datetime

from fleet.measure.judging import Kept
from fleet.measure.today import QueueToday, Today
from fleet.tables import BOLD, Column, Screen, table_lines, title
from fleet.units import format_promise

COLUMNS = (
    Column(heading="queue", whole=True),
    Column(heading="promise", whole=True),
    Column(heading="today", whole=True),
    Column(heading="of", whole=True),
    Column(heading="budget used", whole=True),
    Column(heading="last 5m", whole=True),
    Column(heading="says", style=BOLD, whole=True),
)
UNKNOWN = "-"


def today_lines(today: Today, screen: Screen) -> Iterator[str]:
    """The table, and since when and until when it counts."""
    began, at = (datetime.fromtimestamp(moment).astimezone() for moment in (today.began_at, today.at))
    yield title(
        f"Fleet {today.fleet}, environment {today.environment}: since {began:%a %H:%M}, at {at:%H:%M:%S %Z}", screen
    )
    yield ""
    yield from table_lines(COLUMNS, map(_cells, today.queues), screen)


def _cells(queue: QueueToday) -> tuple[str, ...]:
    today, used = queue.today, queue.budget_used_percent
    return (
        queue.queue,
        format_promise(today.promised_percent, today.promised_wait_seconds),
        share_text(today),
        f"{today.tasks:,} tasks",
        UNKNOWN if used is None else f"{used:.0f} %",
        share_text(queue.recent),
        {True: "kept", False: "NOT kept", None: UNKNOWN}[today.kept],
    )


def share_text(kept: Kept) -> str:
    """Share of the tasks that started in time; a dash where nobody knows."""
    return UNKNOWN if kept.percent is None else f"{kept.percent:.2f} %"
