"""The cost of an environment as text for a terminal."""

from collections.abc import Iterator, Sequence
from datetime import date

from fleet.demand import CostAnswer, CostPlan, Month, NodesPlan, PromiseCost, QueueCost
from fleet.nodes import EXPECTED_LOAD_SHARE
from fleet.prices import prices_are_stale
from fleet.tables import Column, Screen, table_lines, title
from fleet.units import format_duration, format_number

_QUEUE_HEADINGS = ("queue", "nodes", "idle", "expected", "peak", "1,000 tasks", "spot")
_SHARED_HEADINGS = ("what", "price item", "quantity", "each", "USD")
_PROMISE_HEADINGS = ("queue", "promise", "half as long", "as stated", "twice as long")
_AMOUNTS = {"idle", "expected", "peak", "1,000 tasks", "quantity", "each", "USD", *_PROMISE_HEADINGS[2:]}

_SPOT = {"used": "spot saves {:,.2f}", "possible": "spot would save {:,.2f}", "excluded": "on-demand only"}


def cost_lines(answer: CostAnswer, screen: Screen, *, today: date) -> Iterator[str]:
    """One table of the queues with the totals, one of what they share, one of what other promises would cost."""
    cost = answer.cost
    if cost.region is None:
        yield f"Environment {answer.environment}: {cost_summary(cost)}."
        return
    sections = (
        (f"USD a month, environment {answer.environment}", _QUEUE_HEADINGS, queue_rows(cost)),
        ("Shared, USD a month", _SHARED_HEADINGS, shared_rows(cost)),
        ("Cost of the promise, USD a month: idle / expected", _PROMISE_HEADINGS, promise_rows(answer.promises)),
    )
    for heading, columns, rows in sections:
        yield title(heading, screen)
        yield from table_lines([Column(heading=name, whole=True) for name in columns], _aligned(columns, rows), screen)
        yield ""
    yield from cost_notes(cost, today)


def _aligned(headings: Sequence[str], rows: list[Sequence[str]]) -> list[Sequence[str]]:
    """Amounts of one column end below each other."""
    numeric = [index for index, name in enumerate(headings) if name in _AMOUNTS]
    widths = {index: max(len(row[index]) for row in rows) if rows else 0 for index in numeric}
    return [[cell.rjust(widths.get(index, 0)) for index, cell in enumerate(row)] for row in rows]


def cost_notes(cost: CostPlan, today: date) -> Iterator[str]:
    """What has to be known to read the tables: date, region and the assumption about the load."""
    yield (
        f"Prices of {cost.prices_as_of}, {cost.region} (us-east-1 x {format_number(cost.price_factor)}), without tax."
        f" Expected: a mean load of {EXPECTED_LOAD_SHARE:.0%} of the declared peak."
    )
    yield "`fleet why cost` shows the arithmetic."
    if prices_are_stale(today):
        yield "The prices are more than a year old: compare them with a bill before you rely on a total."


def cost_summary(cost: CostPlan) -> str:
    """One line for the plan."""
    if cost.region is None:
        return "nothing to pay for: a cluster of your own"
    return (
        f"USD {cost.total.expected:,.0f} a month expected ({cost.total.idle:,.0f} idle, {cost.total.peak:,.0f} at peak all month),"
        f" {cost.region}, prices of {cost.prices_as_of}; `fleet cost` has the parts"
    )


def nodes_summary(nodes: NodesPlan) -> str:
    """One line for the plan: worker nodes at the minimum, at peak and at most, and the fixed ones."""
    parts = [f"{fixed.count} x {fixed.instance} ({fixed.purpose})" for fixed in nodes.fixed]
    for group in nodes.workers:
        if group.instance is None:
            memory = group.memory_bytes.peak / 2**30
            parts.append(f"your own; the workers request {memory:.1f}Gi of memory at peak")
        else:
            levels = " / ".join(
                format_number(count) for count in (group.nodes.minimum, group.nodes.peak, group.nodes.maximum)
            )
            parts.append(f"{levels} x {group.instance} ({group.capacity} workers, idle / peak / most)")
    return ", ".join(parts)


def queue_rows(cost: CostPlan) -> list[Sequence[str]]:
    """Each queue, and below them what makes the total whole."""
    shared = f"{cost.shared_usd:,.2f}"
    return [
        *map(_queue_cells, cost.queues),
        ("empty part of worker nodes", "", *_month_cells(_empty(cost)), "", ""),
        ("shared", "", shared, shared, shared, "", ""),
        ("TOTAL", "", *_month_cells(cost.total), "", ""),
    ]


def _empty(cost: CostPlan) -> Month:
    """What of the worker nodes no pod takes."""
    return Month(
        idle=cost.workers.idle - cost.taken.idle,
        expected=cost.workers.expected - cost.taken.expected,
        peak=cost.workers.peak - cost.taken.peak,
    )


def _queue_cells(queue: QueueCost) -> Sequence[str]:
    if queue.instance is None:
        return queue.queue, "not counted", "", "", "", "", ""
    return (
        queue.queue,
        f"{queue.instance}, {queue.capacity}",
        *_month_cells(queue.month),
        f"{queue.per_thousand_tasks:.5f}",
        _SPOT[queue.spot].format(queue.spot_saving),
    )


def _month_cells(month: Month) -> tuple[str, str, str]:
    return f"{month.idle:,.2f}", f"{month.expected:,.2f}", f"{month.peak:,.2f}"


def shared_rows(cost: CostPlan) -> list[Sequence[str]]:
    """Each thing that the queues share."""
    return [
        (line.what, line.item, format_number(line.quantity), f"{line.each:,.3f}", f"{line.usd:,.2f}")
        for line in cost.shared
    ]


def promise_rows(promises: Sequence[PromiseCost]) -> list[Sequence[str]]:
    """Each queue under three promises."""
    return [
        (
            item.queue,
            format_duration(item.wait_seconds),
            *(f"{month.idle:,.2f} / {month.expected:,.2f}" for month in (item.half, item.stated, item.twice)),
        )
        for item in promises
    ]
