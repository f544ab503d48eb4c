"""What follows when a task raises."""

from collections.abc import Iterator

from fleet.reasons.rules import Number
from fleet.reasons.sources import CELERY_RETRIES
from fleet.reasons.subject import Subject
from fleet.records import Basis, Reason
from fleet.units import format_duration

SHOWN_PAUSES = 4
"""Pauses between retries that are written out; the next ones follow by themselves."""

_RETRIES = Number(path="worker.retries", means="Retries of a task that raises", fields=("worker.retries",))
RETRIES = _RETRIES.rule(
    Basis.STATED,
    "{on}, {after}; {in_all} of pauses until a task that always fails has failed",
    "each pause is twice as long as the one before",
    CELERY_RETRIES,
)
RETRIES_JITTER = _RETRIES.rule(
    Basis.STATED,
    "{on}, {after}, each drawn between 0 and that; {in_all} of pauses at most until a task that always fails has failed",
    "each pause is twice as long as the one before, and drawn, so that tasks that failed together do not return together",
    CELERY_RETRIES,
)
RETRIES_NONE = _RETRIES.default("only a task's own retries", CELERY_RETRIES)


def explain(subject: Subject) -> Iterator[Reason]:
    """The retries, with the pauses before them."""
    retries = subject.plan.worker.retries
    if retries is None:
        yield subject.reason(RETRIES_NONE, "none")
        return
    pauses = retries.pauses_seconds
    more = f", ... at most {format_duration(retries.longest_seconds)}" if len(pauses) > SHOWN_PAUSES else ""
    yield subject.reason(
        RETRIES_JITTER if retries.jitter else RETRIES,
        str(retries.max_retries),
        on=", ".join(retries.exceptions),
        after=", ".join(format_duration(pause) for pause in pauses[:SHOWN_PAUSES]) + more,
        in_all=format_duration(sum(pauses)),
    )
