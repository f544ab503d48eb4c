"""A comparison as text: queue by queue, what was written, what follows, which objects, what a month costs, what is dangerous."""

from collections import Counter
from collections.abc import Iterable, Iterator

from fleet.comparing import Comparison, CostChange, ObjectChange, QueueChange, ReasonChange
from fleet.demand import Month
from fleet.records import Reason

SIGNS = {"added": "+", "removed": "-", "changed": "~"}


def comparison_lines(comparison: Comparison) -> Iterator[str]:
    """All of it; one line where nothing changes."""
    yield f"From {comparison.before} to {comparison.after}, environment {comparison.environment}"
    if not (comparison.application or comparison.queues or comparison.reasons or comparison.objects):
        yield "Nothing changes."
        return
    if comparison.application:
        yield f"  application: {comparison.application.before} -> {comparison.application.after}"
    for queue in comparison.queues:
        yield ""
        yield from _queue_lines(queue)
    if comparison.reasons or comparison.objects:
        yield ""
        yield "Beside the queues"
        for reason in comparison.reasons:
            yield from _reason_lines(reason)
        yield from _object_lines(comparison.objects)
    yield ""
    rolling = _names(comparison, "Deployment")
    yield f"Pods that roll: {', '.join(rolling) if rolling else 'none'}"
    yield f"Objects: {_counts(comparison)}"
    yield from _cost_lines(comparison.cost, "Costs")
    dangers = sum(len(queue.dangers) for queue in comparison.queues)
    if dangers:
        yield f"Dangerous: {dangers}, marked with !"


def _queue_lines(queue: QueueChange) -> Iterator[str]:
    yield f"{SIGNS[queue.change]} {queue.queue} {queue.change}"
    for danger in queue.dangers:
        yield f"  ! {danger.problem}"
        yield f"    {danger.fix}"
    for field in queue.fields:
        yield f"  {field.path}: {field.before or 'not stated'} -> {field.after or 'not stated'}"
    if queue.change == "changed":
        for reason in queue.reasons:
            yield from _reason_lines(reason)
    yield from _object_lines(queue.objects)
    yield from _cost_lines(queue.cost, "  costs")


def _reason_lines(change: ReasonChange) -> Iterator[str]:
    yield f"  {change.path}: {_value(change.before)} -> {_value(change.after)}"
    for word, reason in (("before", change.before), ("after", change.after)):
        if reason is not None:
            yield f"      {word + ':':<7} {reason.formula}"


def _value(reason: Reason | None) -> str:
    return reason.value if reason else "none"


def _object_lines(objects: Iterable[ObjectChange]) -> Iterator[str]:
    for item in objects:
        yield f"  {item.kind} {item.name} is {item.action}{', its pods roll' if item.pods_roll else ''}"


def _cost_lines(cost: CostChange, word: str) -> Iterator[str]:
    if cost.before is None and cost.after is None:
        return
    if cost.before == cost.after:
        yield f"{word} as before, USD a month: {_month(cost.after)}"
    else:
        yield f"{word}, USD a month: {_month(cost.before)} -> {_month(cost.after)}"


def _month(month: Month | None) -> str:
    return f"{month.idle:,.2f} idle, {month.expected:,.2f} expected, {month.peak:,.2f} at peak" if month else "nothing"


def _all(comparison: Comparison) -> list[ObjectChange]:
    return [*comparison.objects, *(item for queue in comparison.queues for item in queue.objects)]


def _names(comparison: Comparison, kind: str) -> list[str]:
    return [item.name for item in _all(comparison) if item.kind == kind and item.pods_roll]


def _counts(comparison: Comparison) -> str:
    counted = Counter(item.action for item in _all(comparison))
    return ", ".join(f"{counted[action]} {action}" for action in ("created", "updated", "replaced", "deleted"))
