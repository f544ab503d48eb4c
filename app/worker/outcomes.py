"""How a run of a task ended, in the words of the worker's log and of everything that counts."""

from enum import StrEnum

from billiard.einfo import ExceptionWithTraceback
from celery.exceptions import Ignore, Reject, Retry, TimeLimitExceeded, WorkerLostError

from fleet.metrics import FinishedOutcome


class TaskOutcome(StrEnum):
    """How a run of a task ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    RETRIED = "retried"
    """It raised, and a message to try it again is confirmed."""
    IGNORED = "ignored"
    """It asked for no result, or another message took its place."""
    REJECTED = "rejected"
    TIMED_OUT = "timed-out"
    """It was ended at its hard limit."""
    LOST = "lost"
    """Its process was."""
    REVOKED = "revoked"
    INTERRUPTED = "interrupted"
    """It was stopped and its message goes back: the connection was lost, or the worker has to go."""


FINISHED = {
    TaskOutcome.SUCCEEDED: FinishedOutcome.SUCCEEDED,
    TaskOutcome.IGNORED: FinishedOutcome.SUCCEEDED,
    TaskOutcome.FAILED: FinishedOutcome.FAILED,
    TaskOutcome.TIMED_OUT: FinishedOutcome.FAILED,
    TaskOutcome.RETRIED: FinishedOutcome.RETRIED,
    TaskOutcome.REJECTED: FinishedOutcome.REJECTED,
    TaskOutcome.REVOKED: FinishedOutcome.REJECTED,
    TaskOutcome.LOST: FinishedOutcome.LOST,
    TaskOutcome.INTERRUPTED: FinishedOutcome.LOST,
}
"""What `fleet_tasks_finished_total` and the page call each."""

_BY_ERROR = {
    Retry: TaskOutcome.RETRIED,
    Ignore: TaskOutcome.IGNORED,
    Reject: TaskOutcome.REJECTED,
    TimeLimitExceeded: TaskOutcome.TIMED_OUT,
    WorkerLostError: TaskOutcome.LOST,
    # What a child that exits by itself says (billiard 4.3).
    SystemExit: TaskOutcome.LOST,
    KeyboardInterrupt: TaskOutcome.LOST,
}


def unpacked(error: BaseException) -> BaseException:
    """The error that a pool reported, without what carried its traceback from another process."""
    return error.exc if isinstance(error, ExceptionWithTraceback) else error


def outcome_of(error: BaseException) -> TaskOutcome:
    """What an error that reached the worker's main process says of the run."""
    found = (outcome for kind, outcome in _BY_ERROR.items() if isinstance(error, kind))
    return next(found, TaskOutcome.FAILED)
