"""Whole-second delays: what RabbitMQ's delayed-delivery tree can express.

Celery 5.7 cuts a countdown down to whole seconds and refuses what becomes zero, so `countdown=0.5` raises and 1.5 s arrives half a second early (the
worker then holds it in memory, beside its slots). Here a delay is rounded up instead: never early, at most a second late. An `eta` is turned
into a countdown for the same reason. Over 28 bits of seconds the tree's key would be silently wrong, so that is refused.
"""

import math
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

MAX_DELAY_SECONDS = 2**28 - 1
"""Eight and a half years: the levels of the tree (kombu 5.7, `native_delayed_delivery.MAX_NUMBER_OF_BITS_TO_USE`)."""


def whole_seconds(countdown: float) -> int | None:
    """The delay as the tree can express it; None for no delay at all.

    Raises: ValueError when the delay is longer than the tree can hold.
    """
    if countdown <= 0:
        return None
    seconds = math.ceil(countdown)
    if seconds > MAX_DELAY_SECONDS:
        raise ValueError(f"a delay of {seconds} s is longer than the broker can hold ({MAX_DELAY_SECONDS} s)")
    return seconds


def seconds_until(eta: datetime | str, now: datetime) -> float:
    """Seconds from `now` to an eta; one without a zone is UTC, as Celery takes it."""
    due = datetime.fromisoformat(eta) if isinstance(eta, str) else eta
    return ((due if due.tzinfo else due.replace(tzinfo=UTC)) - now).total_seconds()


def round_delays_up(app: Any) -> None:
    """Make every publish of a Celery application, retries and schedules included, use whole seconds.

    All of them pass `Celery.send_task`; replacing it on the instance reaches tasks that were defined before.
    """
    send_task: Callable[..., Any] = app.send_task

    def send_with_whole_seconds(
        name: str, args: Any = None, kwargs: Any = None, countdown: float | None = None, eta: Any = None, **options: Any
    ) -> Any:
        if eta is not None:
            countdown, eta = seconds_until(eta, datetime.now(UTC)), None
        delay = None if countdown is None else whole_seconds(countdown)
        return send_task(name, args, kwargs, countdown=delay, eta=eta, **options)

    app.send_task = send_with_whole_seconds
