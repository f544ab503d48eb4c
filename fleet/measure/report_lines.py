"""The answer of `fleet measure` as text."""

from collections.abc import Iterator
from datetime import UTC, datetime

from fleet.comparison_text import comparison_lines
from fleet.measure.answer import Answer
from fleet.measure.arrivals import Hour
from fleet.measure.consequences import PromiseChange, Simulated
from fleet.measure.figures import Figure, Verdict
from fleet.measure.judging import Kept, Measured
from fleet.measure.today_lines import share_text
from fleet.tables import BOLD, Column, Screen, table_lines, title
from fleet.units import format_duration, format_number, format_promise, format_rate

COLUMNS = (
    Column(heading="queue", whole=True),
    Column(heading="figure", whole=True),
    Column(heading="declared", whole=True),
    Column(heading="measured", whole=True),
    Column(heading="of"),
    Column(heading="says", style=BOLD, whole=True),
    Column(heading="because", modest=True),
)

MEBIBYTE = 2**20
BUSIEST = 3
"""Hours of a queue that are named."""


def report_lines(answer: Answer, screen: Screen) -> Iterator[str]:
    """What was seen, what to change, what follows."""
    yield title(f"Fleet {answer.fleet}, environment {answer.environment}: {answer.source}", screen)
    yield ""
    rows = [row for measured in answer.queues for row in _rows(measured)]
    startup = answer.startup
    yield from table_lines(
        COLUMNS,
        [*rows, ("", *_cells(startup, f"{startup.samples:,} pod{'' if startup.samples == 1 else 's'}"))],
        screen,
    )
    hours = [line for measured in answer.queues if (line := _hours(measured))]
    if hours:
        yield ""
        yield title("Busiest hours, UTC", screen)
        yield from hours
    yield ""
    yield from _proposal_lines(answer, screen)


def _rows(measured: Measured) -> Iterator[tuple[str, ...]]:
    for figure in measured.figures:
        yield (measured.queue, *_cells(figure, f"{figure.samples:,} tasks"))
    promise = measured.promise
    yield (
        measured.queue,
        "wait",
        format_promise(promise.promised_percent, promise.promised_wait_seconds),
        share_text(promise),
        f"{promise.tasks:,} tasks",
        {True: "kept", False: "NOT kept", None: "unseen"}[promise.kept],
        _why_unseen(promise),
    )


def _why_unseen(promise: Kept) -> str:
    if promise.percent is not None:
        return ""
    return "its bound was not counted all the time" if promise.tasks else "nothing was seen"


def _cells(figure: Figure, samples: str) -> tuple[str, ...]:
    measured = "-" if figure.measured is None else _quantity(figure.path, figure.measured)
    if figure.low is not None:
        upper = "more" if figure.high is None else _quantity(figure.path, figure.high)
        measured = f"{measured} ({_quantity(figure.path, figure.low)} to {upper})"
    says = "DIFFERS" if figure.verdict is Verdict.DIFFERS else figure.verdict.value
    return figure.path, _quantity(figure.path, figure.declared), measured, samples, says, figure.why


def _quantity(path: str, value: float) -> str:
    """As the catalogue would have it, in three digits."""
    if path == "memory":
        return f"{format_number(float(f'{value / MEBIBYTE:.3g}'))}Mi"
    number = float(f"{value:.3g}")
    if path == "load.peak":
        return format_rate(number)
    return format_duration(number) if number else "0s"


def _hours(measured: Measured) -> str:
    busiest = sorted(measured.hours, key=lambda hour: hour.per_second, reverse=True)[:BUSIEST]
    if not busiest or not busiest[0].per_second:
        return ""
    told = ", ".join(f"{_hour(hour)} {_quantity('load.peak', hour.per_second)}" for hour in busiest if hour.per_second)
    return f"{measured.queue}: {told}"


def _hour(hour: Hour) -> str:
    return datetime.fromtimestamp(hour.begins_at, UTC).strftime("%a %H:00")


def _proposal_lines(answer: Answer, screen: Screen) -> Iterator[str]:
    if not answer.changes and not answer.refusals:
        yield "Nothing to change: no figure differs enough with enough behind it."
        return
    if answer.changes:
        yield title("Proposed", screen)
        for change in answer.changes:
            yield f"{change.queue} {change.path}: {change.before or 'not stated'} -> {change.after}, {change.why}"
    for refusal in answer.refusals:
        yield f"By hand, {refusal.queue} {refusal.path} -> {refusal.after}: {refusal.where}: {refusal.problem}"
    if answer.diff:
        yield ""
        yield from answer.diff.splitlines()
    if answer.findings:
        yield ""
        yield "The changed catalogue would not pass:"
        yield from (line for finding in answer.findings for line in str(finding).splitlines())
    if answer.promises:
        yield ""
        yield title("Promises, simulated with the tasks that were measured", screen)
        yield from map(_promise_line, answer.promises)
    elif answer.comparison and not answer.simulated:
        yield ""
        yield "Promises were not simulated: that takes numpy (the extra `simulate`)."
    if answer.comparison:
        yield ""
        yield from comparison_lines(answer.comparison)
    if answer.changes:
        yield ""
        yield f"Written: {', '.join(answer.written)}" if answer.written else "Nothing is written; --write does it."


def _promise_line(change: PromiseChange) -> str:
    wait = f"{format_number(change.promised_percent)} % within {format_duration(change.promised_wait_seconds)}"
    return f"{change.queue}: {wait}, {_kept(change.before)} before, {_kept(change.after)} after"


def _kept(side: Simulated) -> str:
    word = "kept" if side.kept else "NOT kept"
    return f"{word} ({side.traces_kept} of {side.traces} loads, {side.within_percent:.1f} % on {side.worst_trace})"
