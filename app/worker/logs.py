"""What a worker logs: a line when a task starts, and one when it has ended, with its wait, its run and its outcome.

They take the place of Celery's own (`received`, `succeeded`, `raised unexpected`), which hold arguments and results; what the task itself logs says which
task it was. In a prefork worker children tell of what they run, and the main process of what ends without them. Facts are from Celery 5.7: whoever is
connected to `setup_logging` configures logging alone (`celery.app.log`), and its records of tasks carry the extra `data`.
"""

import logging
import os
import time
from collections.abc import Mapping
from typing import Any

from billiard.util import get_logger as billiard_logger
from celery import current_task, signals, states
from celery.apps import worker as celery_worker
from celery.exceptions import TimeLimitExceeded, WorkerLostError

from app.logs import keep_celery_from_logging, set_up_logging
from app.waits import DUE_HEADER, seconds_since
from app.worker.outcomes import TaskOutcome
from fleet.documents import WorkerDocument

logger = logging.getLogger(__name__)

STARTED_MARK = "fleet_started"
"""Attribute of a request: when its task started on the monotonic clock, and how long it had waited."""

FAILURE_MARK = "fleet_failure"
"""Attribute of a request: why it ended, as its signal told."""


OUTCOMES = {
    states.SUCCESS: TaskOutcome.SUCCEEDED,
    states.FAILURE: TaskOutcome.FAILED,
    states.RETRY: TaskOutcome.RETRIED,
    states.IGNORED: TaskOutcome.IGNORED,
    states.REJECTED: TaskOutcome.REJECTED,
}

ENDED_OUTSIDE = {TimeLimitExceeded: TaskOutcome.TIMED_OUT, WorkerLostError: TaskOutcome.LOST}
"""What the task itself can tell nobody of."""


def is_told_again(task: Any, task_id: str, exception: BaseException) -> bool:
    """Whether this `task_failure` is the one of two for a hard limit that says nothing new.

    Of prefork Celery (5.7) sends it by `Request.on_failure`, which lends the task its request meanwhile, and by `on_timeout`; of gevent by the latter alone.
    """
    return isinstance(exception, TimeLimitExceeded) and task.request.id == task_id


def log_worker(document: WorkerDocument, environ: Mapping[str, str]) -> None:
    """Set up the logging of this worker, before Celery's worker is made.

    Raises: FleetError where `FLEET_LOG_FORMAT` makes no sense.
    """
    handler = set_up_logging(environ, fields={"queue": document.queue, "shard": document.shard}, context=task_fields)
    # The pool's own logger reaches no other one.
    pool = billiard_logger()
    pool.handlers[:] = [handler]
    pool.setLevel(logging.ERROR)
    _silence_celery(handler)
    log_tasks()


def task_fields() -> dict[str, Any]:
    """Which task it is that logs."""
    request = current_task.request if current_task else None
    if request is None or request.id is None:
        return {}
    return {"task_id": request.id, "task_name": current_task.name, "retries": request.retries}


def log_tasks() -> None:
    """A line for each start and each end of a task."""
    signals.task_prerun.connect(_tell_start, weak=False, dispatch_uid="fleet.log.start")
    signals.task_postrun.connect(_tell_end, weak=False, dispatch_uid="fleet.log.end")
    signals.task_failure.connect(_keep_failure, weak=False, dispatch_uid="fleet.log.failure")
    signals.task_retry.connect(_keep_retry, weak=False, dispatch_uid="fleet.log.retry")
    signals.task_revoked.connect(_tell_revoked, weak=False, dispatch_uid="fleet.log.revoked")


def _tell_start(task: Any, **_: Any) -> None:
    request = task.request
    waited = seconds_since(getattr(request, DUE_HEADER, None), time.time())
    wait = None if waited is None else round(waited, 3)
    setattr(request, STARTED_MARK, (time.monotonic(), wait))
    after = "" if wait is None else f" after a wait of {wait:.3f} s"
    logger.info("task %s[%s] started%s", task.name, request.id, after, extra=_known(wait_seconds=wait))


def _tell_end(task: Any, state: str | None, **_: Any) -> None:
    outcome = OUTCOMES.get(state or "")
    if outcome is None:
        # Stopped from outside, by whoever tells of it.
        return
    request = task.request
    started, wait = getattr(request, STARTED_MARK, (time.monotonic(), None))
    run = round(time.monotonic() - started, 3)
    level, why = getattr(request, FAILURE_MARK, (logging.INFO, None))
    extra = _known(outcome=outcome.value, wait_seconds=wait, run_seconds=run, exception=why)
    logger.log(level, "task %s[%s] %s in %.3f s", task.name, request.id, outcome, run, extra=extra)


def _keep_failure(sender: Any, task_id: str, exception: BaseException, einfo: Any, **_: Any) -> None:
    outcome = next((outcome for kind, outcome in ENDED_OUTSIDE.items() if isinstance(exception, kind)), None)
    if is_told_again(sender, task_id, exception):
        return
    if outcome is not None:
        _tell_from_outside(logging.ERROR, sender.name, task_id, outcome, exception=str(exception))
    elif current_task and current_task.request.id == task_id:
        expected = bool(sender.throws) and isinstance(exception, sender.throws)
        setattr(current_task.request, FAILURE_MARK, (logging.INFO if expected else logging.ERROR, str(einfo.traceback)))


def _keep_retry(sender: Any, request: Any, reason: Any = None, **_: Any) -> None:
    if hasattr(request, STARTED_MARK):
        setattr(request, FAILURE_MARK, (logging.INFO, str(reason)))
    else:
        _tell_from_outside(logging.WARNING, sender.name, request.id, TaskOutcome.INTERRUPTED)


def _tell_revoked(sender: Any, request: Any, **_: Any) -> None:
    _tell_from_outside(logging.INFO, sender.name, request.id, TaskOutcome.REVOKED)


def _tell_from_outside(level: int, name: str, task_id: str, outcome: TaskOutcome, **more: Any) -> None:
    extra = {"task_id": task_id, "task_name": name, "outcome": outcome.value, **more}
    logger.log(level, "task %s[%s] %s", name, task_id, outcome, extra=extra)


def _known(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _silence_celery(handler: logging.Handler) -> None:
    keep_celery_from_logging()
    for name in ("celery.app.trace", "celery.worker.strategy"):
        celery_logger = logging.getLogger(name)
        # Also spares Celery the text of every argument and result.
        celery_logger.setLevel(logging.WARNING)
        if _is_untold not in celery_logger.filters:
            celery_logger.addFilter(_is_untold)

    def say(message: str, *_: Any) -> None:
        # Called in a signal handler, where no lock may be waited for.
        record = logging.makeLogRecord(
            {"name": celery_worker.__name__, "levelno": logging.INFO, "levelname": "INFO", "msg": message}
        )
        os.write(2, handler.format(record).encode() + b"\n")

    # Celery writes of signals to the terminal, past logging (5.7, `celery.apps.worker.safe_say`).
    celery_worker.safe_say = say


def _is_untold(record: logging.LogRecord) -> bool:
    return not hasattr(record, "data") or record.levelno >= logging.CRITICAL
