"""The decorator, and how it knows a delivery from a plain call.

Facts are from Celery 5.7: the task that runs is on its own stack (`celery.current_task`), its function is `__wrapped__`, and a request that no message
was delivered for says so (`called_directly`, `is_eager`).
"""

import functools
import inspect
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, overload

from celery import Task, current_task

from app.once.delivery import Delivery, Rules, WithoutStore, current_fence, fenced
from app.settings import RESULT_EXPIRY_SECONDS

RESULT_BYTES = 64 * 1024

P = ParamSpec("P")
R = TypeVar("R")


def fence() -> int | None:
    """The number of the running task's lease, higher than that of every earlier holder of the same key.

    For whatever is written to: it keeps the highest number that it has seen and refuses a lower one, whose holder was given up for lost.
    None outside of a task with `@once`, and where one runs without the store (`WithoutStore.RUN`).
    """
    return current_fence.get()


@overload
def once(function: Callable[P, R], /) -> Callable[P, R]: ...
@overload
def once(
    *,
    key: Callable[..., Any] | None = None,
    without_store: WithoutStore = WithoutStore.WAIT,
    keep_seconds: float = RESULT_EXPIRY_SECONDS,
    result_bytes: int = RESULT_BYTES,
) -> Callable[[Callable[P, R]], Callable[P, R]]: ...
def once(
    function: Callable[P, R] | None = None,
    /,
    *,
    key: Callable[..., Any] | None = None,
    without_store: WithoutStore = WithoutStore.WAIT,
    keep_seconds: float = RESULT_EXPIRY_SECONDS,
    result_bytes: int = RESULT_BYTES,
) -> Any:
    """Decorates the function of a Celery task, below `@app.task`.

    `key` is called with the task's arguments (without `self`) and returns what JSON can hold; deliveries of the task with an equal key run once
    between them. Without it the key is the task's id, so it is one message that does not run twice.
    `keep_seconds` is how long it is remembered that the task ended, with its result, of at most `result_bytes` as JSON.

    Called as a plain function, or eagerly, the task runs: nothing was delivered.
    """
    rules = Rules(key=key, without_store=without_store, keep_seconds=keep_seconds, result_bytes=result_bytes)

    def decorate(wrapped: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(wrapped)
        def run(*args: P.args, **kwargs: P.kwargs) -> R:
            task = _delivered_task(run)
            if task is None:
                with fenced(None):
                    return wrapped(*args, **kwargs)
            delivery = Delivery(task, rules, functools.partial(wrapped, *args, **kwargs))
            # What JSON holds is never a task: it is `self`.
            result: R = delivery.run(args[1:] if args and isinstance(args[0], Task) else args, kwargs)
            return result

        # Celery reads the arguments that a caller may give from here, and does not follow `__wrapped__` (5.7, `head_from_fun`).
        run.__signature__ = inspect.signature(wrapped)  # type: ignore[attr-defined]  # a function has it once it is set
        return run

    return decorate if function is None else decorate(function)


def _delivered_task(run: Callable[..., Any]) -> Any:
    """The task that a message was delivered for, where `run` is its function; None where something else calls it."""
    if not current_task or current_task.request.called_directly or current_task.request.is_eager:
        return None
    # A task that is a class of its own has no `__wrapped__`, and autoretry exchanges its `run`.
    found = getattr(current_task, "__wrapped__", None) or getattr(current_task, "_orig_run", current_task.run)
    found = getattr(found, "__func__", found)
    while found is not None:
        if found is run:
            return current_task._get_current_object()
        found = getattr(found, "__wrapped__", None)
    return None
