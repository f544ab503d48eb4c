"""Tells those who count what becomes of each delivery: the one place where a worker does, whatever pool runs its tasks.

Invariant: all of it happens in the worker's main process, by the callbacks that every pool of Celery's makes there, so nothing has to be gathered from
children that come and go; a run that started is told once when it has ended. Facts are from Celery 5.7, `celery.worker.request`.
"""

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from celery import signals
from celery.worker.request import Request
from kombu.utils.imports import symbol_by_name

from app.waits import DUE_HEADER, seconds_since
from app.worker.outcomes import TaskOutcome, outcome_of, unpacked

logger = logging.getLogger(__name__)


class Observer(Protocol):
    """Who wants to know; every method returns at once and raises nothing. `task` is a name that somebody wrote into a message."""

    def redelivered(self, task: str) -> None:
        """A message arrived that a worker had before."""

    def started(self, task: str, wait_seconds: float | None) -> None:
        """A slot took up a task; the wait is None where its publisher did not say when it was due."""

    def ended(self, task: str, outcome: TaskOutcome, run_seconds: float | None) -> None:
        """A delivery came to its end; None where no slot had taken it up."""


class ObservedRequest(Request):
    """A delivery that tells its observers how it fares."""

    observers: Sequence[Observer] = ()
    _accepted_at: float | None = None
    """Monotonic time, which all processes of a node share."""
    _told = False

    def __init_subclass__(cls, **options: Any) -> None:
        """Celery makes a subclass for each task, whose `on_success` calls no other (`create_request_cls`)."""
        super().__init_subclass__(**options)
        if "on_success" in cls.__dict__:
            cls.on_success = _observing(cls.on_success)

    def __init__(self, message: Any, **options: Any) -> None:
        super().__init__(message, **options)
        if self.delivery_info["redelivered"]:
            for observer in self.observers:
                observer.redelivered(self.task.name)

    def on_accepted(self, pid: int, time_accepted: float) -> None:
        """A slot took it up, maybe in another process and a moment ago."""
        self._accepted_at = time_accepted
        wait_seconds = seconds_since(
            self.request_dict.get(DUE_HEADER), time.time() - (time.monotonic() - time_accepted)
        )
        for observer in self.observers:
            observer.started(self.task.name, wait_seconds)
        super().on_accepted(pid, time_accepted)

    def on_failure(self, exc_info: Any, send_failed_event: bool = True, return_ok: bool = False) -> Any:
        """It raised, or its child was lost."""
        outcome = outcome_of(unpacked(exc_info.exception))
        try:
            return super().on_failure(exc_info, send_failed_event=send_failed_event, return_ok=return_ok)
        finally:
            self._tell(outcome)

    def on_timeout(self, soft: bool, timeout: float) -> Any:
        """A hard limit ends a task without an exception of its own."""
        try:
            return super().on_timeout(soft, timeout)
        finally:
            if not soft:
                self._tell(TaskOutcome.TIMED_OUT)

    def _success_was_stored(self) -> Any:
        found = super()._success_was_stored()
        if found:
            self._tell(TaskOutcome.SUCCEEDED)
        return found

    def _announce_revoked(self, *arguments: Any, **options: Any) -> None:
        super()._announce_revoked(*arguments, **options)
        self._tell(TaskOutcome.REVOKED)

    def _announce_cancelled(self, *arguments: Any, **options: Any) -> None:
        super()._announce_cancelled(*arguments, **options)
        self._tell(TaskOutcome.INTERRUPTED)

    def _tell(self, outcome: TaskOutcome, run_seconds: float | None = None) -> None:
        if self._told:
            return
        self._told = True
        if run_seconds is None and self._accepted_at is not None:
            run_seconds = time.monotonic() - self._accepted_at
        for observer in self.observers:
            observer.ended(self.task.name, outcome, run_seconds)


def _observing(on_success: Callable[..., Any]) -> Callable[..., Any]:
    def observed(self: Any, failed__retval__runtime: Any, **options: Any) -> Any:
        failed, _, run_seconds = failed__retval__runtime
        if failed is False and run_seconds is None:
            # What gevent's pool says of a task that was stopped (`TaskPool._make_killable_target`): acknowledged, its message would be gone.
            return None
        found = on_success(self, failed__retval__runtime, **options)
        if not failed:
            # Measured beside the task, without the way of its result to this process.
            self._tell(TaskOutcome.SUCCEEDED, run_seconds)
        return found

    return observed


def observe_tasks(app: Any, observers: Sequence[Observer]) -> None:
    """Let every registered task be delivered as a request that is observed, before the worker looks at them.

    What is given up before it is a request (a name of no task, a message that cannot be read) is told too, as rejected and without a name.
    """
    observed: dict[type, type] = {}
    for task in app.tasks.values():
        own = symbol_by_name(task.Request)
        if own not in observed:
            observed[own] = type("ObservedRequest", (ObservedRequest, own), {"observers": tuple(observers)})
        task.Request = observed[own]

    def on_refused(**_: Any) -> None:
        for observer in observers:
            observer.ended("", TaskOutcome.REJECTED, None)

    signals.task_rejected.connect(on_refused, weak=False, dispatch_uid="fleet.rejected")
