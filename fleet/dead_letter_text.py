"""Dead letters as text for a terminal.

Invariant: what a publisher wrote is shown without control characters, because it is not always a friend's.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime

from fleet.dead_letters import UNROUTED_REASON, Letter, LetterOutcome, QueueLetters
from fleet.tables import Column, Screen, table_lines

_AGES = (("d", 86400), ("h", 3600), ("m", 60))

SHOWN_NAMES = 5
"""Reasons or tasks that a row names."""


def queue_lines(queues: Iterable[QueueLetters], screen: Screen, *, now: float) -> Iterator[str]:
    """One row a queue; which ones are empty is worth knowing too."""
    columns = [
        Column(heading=heading, whole=heading == "queue") for heading in ("queue", "dead", "oldest", "why", "tasks")
    ]
    yield from table_lines(columns, (_row(queue, now) for queue in queues), screen)


def letter_lines(letters: Iterable[Letter], *, now: float) -> Iterator[str]:
    """A paragraph a letter."""
    found = False
    for letter in letters:
        if found:
            yield ""
        found = True
        yield from _paragraph(letter, now)
    if not found:
        yield "no such letters"


def outcome_lines(outcome: LetterOutcome, verb: str) -> Iterator[str]:
    """What was done, what stays and why."""
    yield f"{outcome.dead_letter_queue}: {'would be ' if outcome.dry_run else ''}{verb}: {outcome.done} of {outcome.count}"
    for task, count in outcome.tasks.items():
        yield f"  {count} {clean(task)}"
    if outcome.file and outcome.done:
        yield f"  kept in {outcome.file}"
    for left in outcome.left:
        yield f"  stays: {clean(left.task or 'no task')} {clean(left.id or 'without an id')}: {clean(left.why)}"
    if outcome.left_count > len(outcome.left):
        yield f"  stays: {outcome.left_count - len(outcome.left)} more"
    for task_id in outcome.missing:
        yield f"  not seen: {clean(task_id)}"
    if outcome.stopped:
        yield f"  stopped early: {clean(outcome.stopped)}"


def clean(text: str) -> str:
    """The text on one line, with its control characters written out."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode() for character in text
    )


def age(seconds: float) -> str:
    """A time that has passed, in one unit, whole."""
    for unit, size in _AGES:
        if seconds >= 2 * size:
            return f"{int(seconds // size)}{unit}"
    return f"{max(0, int(seconds))}s"


def _row(queue: QueueLetters, now: float) -> tuple[str, ...]:
    if queue.count is None:
        return (queue.queue, "not there", "", "", "")
    looked = f" ({queue.looked} looked at)" if queue.looked < queue.count else ""
    oldest = "" if queue.oldest_at is None else age(now - queue.oldest_at)
    return (queue.queue, f"{queue.count}{looked}", oldest, _counts(queue.reasons), _counts(queue.tasks))


def _counts(counts: Mapping[str, int]) -> str:
    names = [f"{clean(name)} {count}" for name, count in counts.items()]
    more = len(names) - SHOWN_NAMES
    return ", ".join([*names[:SHOWN_NAMES], *([f"{more} more"] if more > 0 else [])])


def _paragraph(letter: Letter, now: float) -> Iterator[str]:
    yield f"{clean(letter.task or 'no task')}  {clean(letter.id or 'no id')}"
    yield f"  {_death(letter, now)}"
    facts = [
        f"due {_moment(letter.due_at)}" if letter.due_at is not None else "",
        f"published by {clean(letter.sender)}" if letter.sender else "",
        f"retried {letter.retries} times" if letter.retries else "",
        f"replayed {letter.replays} times" if letter.replays else "",
        f"expires {clean(letter.expires)}" if letter.expires else "",
        f"{letter.size_bytes} bytes",
    ]
    yield f"  {', '.join(filter(None, facts))}"
    if letter.arguments is not None:
        yield f"  arguments {clean(letter.arguments)}"
    if letter.error is not None:
        yield f"  error {clean(letter.error)}"
    for line in (letter.traceback or "").splitlines():
        yield f"    {clean(line)}"


def _death(letter: Letter, now: float) -> str:
    if letter.reason == UNROUTED_REASON:
        return f"unrouted: no queue takes the key {clean(letter.queue or '')}"
    when = "" if letter.dead_at is None else f" {age(now - letter.dead_at)} ago ({_moment(letter.dead_at)})"
    often = f", {letter.deaths} times" if letter.deaths > 1 else ""
    return f"{clean(letter.reason or 'unknown reason')} in {clean(letter.queue or 'an unknown queue')}{when}{often}"


def _moment(seconds: float) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    except (OverflowError, ValueError, OSError):
        return f"{seconds:g}"
