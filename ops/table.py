"""The one table of the fleet: queue, messages, pods, done, waits against the promise. Rendering alone; nothing is read here."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table

from fleet.measure.judging import Kept
from fleet.plan import Plan, QueuePlan
from ops.observing import QueueView
from ops.waits import percentile, share_within

FAILED = "failed"
"""Shown only when a task has: the others then fit a terminal of 80 columns."""

COLUMNS = (
    "queue", "ready", "unacked", "replicas", "desired", "done", FAILED, "wait\np50", "wait\np95", "promise", "kept",
)  # fmt: skip
UNKNOWN = "-"
MINUTE_SECONDS = 60
FEW_SECONDS = 10


def seconds_text(seconds: float | None) -> str:
    """A wait as people say it: `80 ms`, `4.2 s`, `75 s`, `12 min`."""
    if seconds is None:
        return UNKNOWN
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < FEW_SECONDS:
        return f"{seconds:.1f} s".replace(".0 s", " s")
    if seconds < FEW_SECONDS * MINUTE_SECONDS:
        return f"{seconds:.0f} s"
    return f"{seconds / MINUTE_SECONDS:.0f} min"


def promise_text(queue: QueuePlan) -> str:
    """The promise in a few characters: `95% 30 s`."""
    return f"{queue.promise.percentile:g}% {seconds_text(queue.promise.wait_seconds)}"


def kept_text(queue: QueuePlan, view: QueueView) -> str:
    """Share of tasks that started in time, coloured by whether that keeps the promise."""
    share = share_within(view.counters.waits, queue.promise.wait_seconds)
    if share is None:
        return UNKNOWN
    return f"[{'green' if is_kept(queue, view) else 'yellow'}]{100 * share:.0f}%[/]"


def is_kept(queue: QueuePlan, view: QueueView) -> bool | None:
    """Whether the promise was kept for the tasks counted; None when none was."""
    share = share_within(view.counters.waits, queue.promise.wait_seconds)
    return None if share is None else share * 100 >= queue.promise.percentile


def today_text(kept: Kept | None) -> str:
    """Share of today's tasks that started in time, coloured as `kept_text`."""
    if kept is None or kept.percent is None:
        return UNKNOWN
    return f"[{'green' if kept.kept else 'yellow'}]{kept.percent:.1f}%[/]"


def queue_table(
    plan: Plan,
    views: Sequence[QueueView],
    *,
    sent: Mapping[str, int] | None = None,
    title: str | None = None,
    today: Mapping[str, Kept] | None = None,
) -> Table:
    """The table; with `sent`, done is shown out of what was sent, with `today` there is a column of the promises as they are kept today."""
    table = Table(title=title, title_justify="left", header_style="bold", box=None, padding=(0, 1, 0, 0))
    any_failed = any(view.counters.failed for view in views)
    for column in COLUMNS:
        if column == FAILED and not any_failed:
            continue
        table.add_column(column, justify="left" if column == "queue" else "right", no_wrap=True)
    if today is not None:
        table.add_column("kept\ntoday", justify="right", no_wrap=True)
    queues = {queue.name: queue for queue in plan.queues}
    for view in views:
        queue = queues[view.name]
        table.add_row(
            view.name,
            *(_count(number) for number in (view.ready, view.unacked, view.replicas, view.desired)),
            _done(view, sent),
            *((_failed(view),) if any_failed else ()),
            seconds_text(percentile(view.counters.waits, 50)),
            seconds_text(percentile(view.counters.waits, 95)),
            promise_text(queue),
            kept_text(queue, view),
            *(() if today is None else (today_text(today.get(view.name)),)),
        )
    return table


def _count(number: int | None) -> str:
    return UNKNOWN if number is None else str(number)


def _done(view: QueueView, sent: Mapping[str, int] | None) -> str:
    return str(view.counters.finished) if sent is None else f"{view.counters.finished}/{sent.get(view.name, 0)}"


def _failed(view: QueueView) -> str:
    return f"[red]{view.counters.failed}[/]" if view.counters.failed else "0"


def queue_line(views: Sequence[QueueView], sent: Mapping[str, int]) -> str:
    """The same in one line, for a log: `high 120/300 r2 u8 2/4 pods`."""
    return "; ".join(
        f"{view.name} {view.counters.finished}/{sent.get(view.name, 0)} done, {_count(view.ready)} ready, "
        f"{_count(view.replicas)} of {_count(view.desired)} pods"
        for view in views
    )


def view_document(queue: QueuePlan, view: QueueView, today: Mapping[str, Kept] | None = None) -> dict[str, Any]:
    """One queue for programs.

    Returns: `ready`, `unacked`, `replicas`, `desired`, `minimum`, `maximum`, `started`, `done`, `failed`, `wait_p50_seconds`,
    `wait_p95_seconds`, `promise_seconds`, `promise_percentile`, `within_promise` (a share), `kept` and `within_promise_today`; null where nothing is known.
    """
    waits = view.counters.waits
    kept_today = (today or {}).get(view.name)
    return {
        "ready": view.ready,
        "unacked": view.unacked,
        "replicas": view.replicas,
        "desired": view.desired,
        "minimum": view.minimum,
        "maximum": view.maximum,
        "started": view.counters.started,
        "done": view.counters.done,
        "failed": view.counters.failed,
        "wait_p50_seconds": percentile(waits, 50),
        "wait_p95_seconds": percentile(waits, 95),
        "promise_seconds": queue.promise.wait_seconds,
        "promise_percentile": queue.promise.percentile,
        "within_promise": share_within(waits, queue.promise.wait_seconds),
        "kept": is_kept(queue, view),
        "within_promise_today": (
            None if kept_today is None or kept_today.percent is None else round(kept_today.percent / 100, 5)
        ),
    }
