"""The retries that the catalogue states for a queue, by Celery's own autoretry.

Invariant: what a task says of itself goes first. A task with its own `autoretry_for` (an empty one too) is left alone, and a task's own `self.retry()`
keeps its own number. Every other task of the application is retried in a worker of the queue, because nothing else runs there. Facts are from Celery
5.7, `celery.app.autoretry` and `Task.retry`: a retry is a new message to the queue that the delivery came from, published before the old one is acknowledged.
"""

import builtins
import pkgutil
from collections.abc import Iterable
from typing import Any

from celery.app.autoretry import add_autoretry_behaviour
from celery.exceptions import MaxRetriesExceededError, SoftTimeLimitExceeded, TaskPredicate

from fleet.documents import WorkerDocument
from fleet.errors import FleetError

NEVER_RETRIED: tuple[type[Exception], ...] = (TaskPredicate, MaxRetriesExceededError)
"""How a task speaks to Celery (Retry, Ignore, Reject), and a task that has used up its own retries: `Exception` would cover both."""


def retry_tasks(app: Any, document: WorkerDocument) -> None:
    """Wrap the application's tasks, which have to be registered, before the worker looks at them.

    Raises: FleetError when an exception's name leads to none.
    """
    policy = document.worker.retries
    if policy is None:
        return
    exceptions = load_exceptions(policy.exceptions, queue=document.queue)
    # A second run would take as long, and no pool but prefork can raise it: whoever wants it retried names it.
    overtime = () if SoftTimeLimitExceeded in exceptions else (SoftTimeLimitExceeded,)
    for name, task in app.tasks.items():
        if name.startswith("celery.") or hasattr(task, "autoretry_for"):
            continue
        add_autoretry_behaviour(
            task,
            autoretry_for=exceptions,
            dont_autoretry_for=(*NEVER_RETRIED, *overtime, *getattr(task, "dont_autoretry_for", ())),
            retry_backoff=policy.backoff_seconds,
            retry_backoff_max=policy.longest_seconds,
            retry_jitter=policy.jitter,
            retry_kwargs={"max_retries": policy.max_retries},
        )


def load_exceptions(names: Iterable[str], *, queue: str) -> tuple[type[Exception], ...]:
    """The exceptions of these names: built-in ones, or dotted paths into modules.

    Raises: FleetError with queue, field and name for the first that is none.
    """
    return tuple(_load_exception(name, f"queue {queue}") for name in names)


def _load_exception(name: str, where: str) -> type[Exception]:
    try:
        found: object = pkgutil.resolve_name(name) if "." in name else getattr(builtins, name)
    except Exception as error:
        # Importing a module runs it, so anything can come out.
        raise FleetError(
            where,
            f"retries.on names {name}, which cannot be imported: {type(error).__name__}: {error}",
            "Name a built-in exception, or the dotted path of one whose package is in the image.",
        ) from error
    if not (isinstance(found, type) and issubclass(found, Exception)):
        raise FleetError(
            where,
            f"retries.on names {name}, which is no exception that a task can fail with",
            "Name a subclass of Exception.",
        )
    if issubclass(found, NEVER_RETRIED):
        raise FleetError(
            where,
            f"retries.on names {name}, by which a task tells Celery what to do with it",
            "Leave it out: retried is what went wrong.",
        )
    return found
