"""One queue as the page shows it: its promise, how it is kept, what waits, the pods, and charts of the last hour."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.minutes import Minute
from app.web.page.charts import Chart, WaitBar, level_chart, wait_chart
from app.web.page.facts import RECENT_MINUTES, QueueFacts, Share, share_of, wait_within
from app.web.page.reasons import Reason, reasons
from app.web.page.verdicts import State
from app.web.page.words import about, age, exactly, number, percent
from fleet.documents import WatchedQueue
from fleet.metrics import WAIT_SHARES
from fleet.units import format_number

NOT_KNOWN = "not known"


@dataclass(frozen=True, kw_only=True)
class QueueRow:
    """One queue."""

    name: str
    tasks: str
    state: State
    promise: str
    recent: str
    """Share that was kept in the last quarter of an hour, of how many."""
    hour: str
    wait: str
    wait_chart: Chart
    ready: str
    ready_most: str
    """Highest of the last hour; empty where nothing waited."""
    ready_chart: Chart
    pods: str
    pods_of: str
    """How many there may be."""
    pods_chart: Chart
    age: str
    """How old messages and pods are; empty where they are of now."""
    reasons: tuple[Reason, ...]


def queue_row(facts: QueueFacts, state: State, *, fleet: str, now: float, old_seconds: float) -> QueueRow:
    """The row of one queue; what the broker said before `old_seconds` is shown with its age."""
    queue = facts.queue
    waiting = [sum(minute.ready.values()) if minute.ready else None for minute in facts.hour]
    most = max((count for count in waiting if count is not None), default=0)
    pods_of = f"of {queue.pods_min} to {queue.pods_max}" if queue.pods_min != queue.pods_max else f"of {queue.pods_max}"
    return QueueRow(
        name=queue.name,
        tasks=", ".join(queue.tasks),
        state=state,
        promise=f"{format_number(queue.percentile)} % start within {exactly(queue.promise_seconds)}",
        recent=_share_text(facts.recent_share, f"in the last {RECENT_MINUTES} min"),
        hour=_share_text(facts.hour_share, "in the last hour"),
        wait=_wait_text(queue, facts.recent),
        wait_chart=_waits(facts),
        ready=NOT_KNOWN if facts.ready is None else number(facts.ready),
        ready_most=f"highest {number(most)}" if most else "",
        ready_chart=_ready(waiting, most),
        pods=NOT_KNOWN if facts.pods is None else number(facts.pods),
        pods_of=pods_of,
        pods_chart=_pods(facts),
        age="" if facts.asked_at is None else age(now - facts.asked_at, old_seconds),
        reasons=tuple(reasons(facts, state, fleet=fleet)),
    )


def _share_text(share: Share, when: str) -> str:
    if share.kept is None:
        return (
            f"none started {when}"
            if not share.started
            else f"{number(share.started)} started {when}, nobody knows when they were due"
        )
    return f"{percent(share.kept)} of {number(share.timed)} did {when}"


def _wait_text(queue: WatchedQueue, minutes: Sequence[Minute]) -> str:
    longest = wait_within(minutes, queue.percentile)
    if longest is None:
        return "no waits lately"
    said = (
        f"{WAIT_SHARES[-1]:g} times the promise or longer" if longest == float("inf") else f"{about(longest)} or less"
    )
    return f"{format_number(queue.percentile)} % waited {said}"


def _waits(facts: QueueFacts) -> Chart:
    queue = facts.queue
    bars = []
    running = facts.hour[-1].number if facts.hour else None
    for minute in facts.hour:
        within, share = wait_within([minute], queue.percentile), share_of([minute], queue.promise_seconds)
        bars.append(
            WaitBar(
                ratio=None if within is None else within / queue.promise_seconds,
                late=share.kept is not None and share.kept < queue.percentile,
                # In a minute that has just begun nothing may have started yet.
                stalled=minute.number != running and not minute.started and sum(minute.ready.values()) > 0,
            )
        )
    late = sum(bar.late for bar in bars)
    return wait_chart(
        bars,
        label=f"Wait of {format_number(queue.percentile)} % of the tasks in each minute of the last hour, against the promise of "
        f"{exactly(queue.promise_seconds)}: above it in {late} of {sum(bar.ratio is not None for bar in bars)} minutes with tasks.",
    )


def _ready(waiting: Sequence[int | None], highest: int) -> Chart:
    return level_chart(
        waiting,
        highest=highest,
        label=f"Tasks that waited in each minute of the last hour: {number(highest)} at most.",
    )


def _pods(facts: QueueFacts) -> Chart:
    pods = [sum(minute.pods.values()) if minute.pods else None for minute in facts.hour]
    highest = max((count for count in pods if count is not None), default=0)
    return level_chart(
        pods,
        highest=highest,
        line=facts.queue.pods_max,
        label=f"Pods in each minute of the last hour: {highest} at most, of {facts.queue.pods_max} that there may be.",
    )
