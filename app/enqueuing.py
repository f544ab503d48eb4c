"""Enqueues many tasks at once, each confirmed by the broker: `enqueue_many`, for any process of a fleet.

Invariant: what is reported as accepted was confirmed for that very message, and what is reported as refused or returned is in no queue, so sending it
again runs nothing twice. Messages reach the broker in the order of the calls, over one channel; each passes Celery's `apply_async`, so routes,
priorities, delays and signals are those of a single publish.
"""

import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from amqp.exceptions import AMQPError, ChannelError, MessageNacked
from kombu.exceptions import EncodeError, KombuError, LimitExceeded, OperationalError

from app.broker import pooled_connection
from app.confirms import PipelinedChannel
from fleet.errors import FleetError

UNSETTLED_AT_MOST = 512
"""Messages ahead of their confirms. Beyond a few hundred nothing gets faster, and a lost connection leaves that many of unknown fate.

Source: RabbitMQ docs, "Consumer Acknowledgements and Publisher Confirms", on the number of outstanding confirms.
"""

ENQUEUE_SECONDS = 30.0

NO_ROUTE = 312
"""Reply code of a message that was returned. Source: AMQP 0-9-1 reference, "Constants"."""

BROKER_ERRORS = (KombuError, AMQPError, LimitExceeded, OSError)
"""Every way in which the broker, or the connection to it, can fail."""

CALL_ERRORS = (FleetError, EncodeError, TypeError, ValueError)
"""Every way in which a call can be wrong: no queue takes it, its arguments do not fit or are no JSON, its delay is too long."""


@dataclass(frozen=True, kw_only=True)
class TaskCall:
    """One task to enqueue."""

    name: str
    args: list[Any] = field(default_factory=list)
    kwargs: dict[str, Any] = field(default_factory=dict)
    countdown: float | None = None
    """Seconds until it may start; the broker delays by whole seconds, so fractions are rounded up."""
    priority: int | None = None
    """0 to 31, higher first; None for the catalogue's."""
    id: str = field(default_factory=lambda: str(uuid.uuid4()))


class Outcome(StrEnum):
    """How one call of a batch ended."""

    ACCEPTED = "accepted"
    """The broker has confirmed it."""
    REFUSED = "refused"
    """It is in no queue: the broker refused it (its queue is full), the call is wrong, or it was never sent."""
    RETURNED = "returned"
    """It is in no queue: none takes it."""
    UNKNOWN = "unknown"
    """Sent and not confirmed: it may run. Whoever sends it again may have it run twice."""


@dataclass(frozen=True, kw_only=True)
class Enqueued:
    """What became of one call."""

    id: str
    """Of the task."""
    outcome: Outcome
    reason: str | None = None
    """Why it is not accepted, without any credential."""


def enqueue_many(app: Any, calls: Sequence[TaskCall], *, timeout_seconds: float = ENQUEUE_SECONDS) -> list[Enqueued]:
    """Publish many tasks on one channel, without waiting for each confirm before the next message.

    `app` is a Celery application that `app.settings.configure` has configured. No call is retried: what is not accepted says so, and its caller knows
    best. Call it again with those that were refused; for those of unknown fate only where they may run twice.

    Returns: what became of each call, in the order of the calls; the length is that of `calls`.
    Raises: nothing for a broker that is away, slow or full, nor for a call that is wrong; both are told in the outcomes.
    The time is bounded: after `timeout_seconds` nothing more is sent or waited for, beside one attempt to connect (`broker_connection_timeout`).
    """
    batch = _Batch(app, calls, end=time.monotonic() + timeout_seconds)
    if calls:
        batch.publish()
    return batch.outcomes()


class _Batch:
    """One run of `enqueue_many`."""

    def __init__(self, app: Any, calls: Sequence[TaskCall], *, end: float) -> None:
        self._app = app
        self._calls = calls
        self._end = end
        self._found: dict[int, tuple[Outcome, str | None]] = {}
        """Index of a call -> how it ended."""
        self._call_of_tag: dict[int, int] = {}
        self._sending: int | None = None
        self._failure: BaseException | None = None

    def publish(self) -> None:
        """Send everything and wait for the confirms; what stops it is kept for `outcomes`."""
        try:
            with pooled_connection(self._app, at_most_seconds=max(0.0, self._end - time.monotonic())) as connection:
                left = max(0.001, self._end - time.monotonic())
                connection.ensure_connection(max_retries=1, interval_start=0.1, timeout=left)
                channel = connection.channel()
                pipeline = PipelinedChannel(channel, self._settled)
                self._send(pipeline, self._app.amqp.Producer(channel))
                # Only here: a broker that has not confirmed everything may answer no goodbye.
                pipeline.close()
        except BROKER_ERRORS as error:
            self._failure = error

    def outcomes(self) -> list[Enqueued]:
        """What became of each call."""
        sent = set(self._call_of_tag.values()) | ({self._sending} if self._sending is not None else set())
        why = explain(self._failure) if self._failure else "no confirm"
        found = []
        for index, call in enumerate(self._calls):
            unsettled = (Outcome.UNKNOWN, why) if index in sent else (Outcome.REFUSED, f"not sent: {why}")
            outcome, reason = self._found.get(index, unsettled)
            found.append(Enqueued(id=call.id, outcome=outcome, reason=reason))
        return found

    def _send(self, channel: PipelinedChannel, producer: Any) -> None:
        seen: set[str] = set()
        for index, call in enumerate(self._calls):
            if call.id in seen:
                self._found[index] = (Outcome.REFUSED, f"the id {call.id} stands in this batch already")
                continue
            seen.add(call.id)
            if time.monotonic() >= self._end:
                raise TimeoutError("not all are sent")
            channel.drain_below(UNSETTLED_AT_MOST, self._end)
            self._send_one(index, call, channel, producer)
        channel.drain_below(1, self._end)

    def _send_one(self, index: int, call: TaskCall, channel: PipelinedChannel, producer: Any) -> None:
        task = self._app.tasks.get(call.name)
        if task is None:
            self._found[index] = (Outcome.REFUSED, f"the application has no task {call.name!r}")
            return
        self._sending = index
        sent_before = channel.last_tag
        try:
            publish(task, call, producer=producer, retry=False, timeout=max(0.001, self._end - time.monotonic()))
        except CALL_ERRORS as error:
            if channel.last_tag == sent_before:
                self._found[index] = (Outcome.REFUSED, str(error))
        if channel.last_tag > sent_before:
            self._call_of_tag[channel.last_tag] = index
        self._sending = None

    def _settled(self, tag: int, error: Exception | None) -> None:
        outcome = Outcome.ACCEPTED
        if error is not None:
            outcome = Outcome.REFUSED if isinstance(error, MessageNacked) else Outcome.RETURNED
        self._found[self._call_of_tag[tag]] = (outcome, explain(error) if error else None)


def publish(task: Any, call: TaskCall, **options: Any) -> None:
    """Celery's `apply_async` of a call."""
    if call.priority is not None:
        options["priority"] = call.priority
    task.apply_async(call.args, call.kwargs, task_id=call.id, countdown=call.countdown, **options)


def explain(error: BaseException) -> str:
    """Why the broker did not take a message, for whoever sent it."""
    # kombu raises an OperationalError from whatever happened (5.7, `Connection._reraise_as_library_errors`); the client is told the latter.
    while isinstance(error, OperationalError) and error.__cause__ is not None:
        error = error.__cause__
    if isinstance(error, MessageNacked):
        return "the queue is full and refuses messages"
    if isinstance(error, TimeoutError):
        return "the broker did not confirm in time"
    if isinstance(error, ChannelError) and error.reply_code == NO_ROUTE:
        return "no queue takes the message"
    return f"the broker cannot be reached or refused the message ({type(error).__name__})"
