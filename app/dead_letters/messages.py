"""One message of a dead-letter queue: what it says of itself, and what is published when it is replayed.

Invariant: a message is whatever somebody published, so no header is trusted to be there or to be of its type, and what is told of it is bounded.
Facts of RabbitMQ 4.3: the newest death stands first in `x-death`; `x-delivery-count` and `x-acquired-count` travel along as headers and are shown
as counts of the next queue until it counts itself; a `user_id` that is not the publisher's own is refused; CC and BCC route a message once more.
"""

import base64
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import msgspec

from app.waits import DUE_HEADER
from fleet.dead_letters import FAILED_REASON, UNROUTED_REASON, Letter

ARGUMENTS_LENGTH = 500
"""Characters of the arguments that are told."""

TEXT_LENGTH = 4000
"""Characters of any other text that are told."""

REPLAYS_HEADER = "fleet_replays"
"""How often a person sent the message back."""

ERROR_HEADER = "fleet_error"
TRACEBACK_HEADER = "fleet_traceback"
FAILED_IN_HEADER = "fleet_failed_in"
"""Broker queue of a task that failed for good: its worker put it among the dead letters, and RabbitMQ wrote no death."""

FAILED_AT_HEADER = "fleet_failed_at"
"""Seconds since the epoch, by the worker's clock."""

STALE_HEADERS = frozenset(
    {
        "x-death", "x-delivery-count", "x-acquired-count", "CC", "BCC",
        ERROR_HEADER, TRACEBACK_HEADER, FAILED_IN_HEADER, FAILED_AT_HEADER,
    }
)  # fmt: skip
STALE_PREFIXES = ("x-first-death-", "x-last-death-")

KEPT_PROPERTIES = (
    "content_type", "content_encoding", "priority", "correlation_id", "reply_to", "message_id", "timestamp", "type", "app_id",
)  # fmt: skip
"""`user_id` would be refused, `expiration` would end the wait of a message that already waited for a person."""

PERSISTENT = 2


@dataclass(frozen=True, kw_only=True)
class Message:
    """A message as the broker delivered it, or as it is to be published."""

    body: bytes
    properties: Mapping[str, Any]
    headers: Mapping[str, Any]
    routing_key: str
    """The key it was delivered with; of a dead letter its dead-letter queue's."""
    tag: int = 0
    """The broker's number of this delivery."""


def read_letter(message: Message, *, unrouted: bool, arguments: bool) -> Letter:
    """What a message says of itself."""
    headers, death = message.headers, {} if unrouted else _last_death(message.headers)
    return Letter(
        id=task_id(message),
        task=task_name(message),
        reason=UNROUTED_REASON if unrouted else _text(death.get("reason")),
        queue=message.routing_key if unrouted else died_in(message),
        deaths=0 if unrouted else _count(death.get("count")),
        dead_at=dead_at(message),
        due_at=_number(headers.get(DUE_HEADER)),
        sender=_text(headers.get("origin")),
        retries=_count(headers.get("retries")),
        replays=_count(headers.get(REPLAYS_HEADER)),
        expires=_text(headers.get("expires")),
        arguments=_arguments(message) if arguments else None,
        error=_text(headers.get(ERROR_HEADER)),
        traceback=_end(headers.get(TRACEBACK_HEADER)),
        size_bytes=len(message.body),
    )


def task_id(message: Message) -> str | None:
    """The task's id; Celery sends it twice."""
    return _text(message.headers.get("id")) or _text(message.properties.get("correlation_id"))


def task_name(message: Message) -> str | None:
    """The task's name."""
    return _text(message.headers.get("task"))


def died_in(message: Message) -> str | None:
    """The broker queue that gave it up."""
    return _text(_last_death(message.headers).get("queue"))


def death_reason(message: Message) -> str | None:
    """RabbitMQ's reason of the last death."""
    return _text(_last_death(message.headers).get("reason"))


def dead_at(message: Message) -> float | None:
    """When it died; RabbitMQ's times are in UTC and py-amqp's carry no zone."""
    time = _last_death(message.headers).get("time")
    if not isinstance(time, datetime):
        return _number(time)
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()


def is_over(message: Message, now: float) -> bool:
    """Whether a worker would only discard it, because its publisher's `expires` is over."""
    expires = message.headers.get("expires")
    try:
        moment = datetime.fromisoformat(expires) if isinstance(expires, str) else None
    except ValueError:
        return False
    if moment is None:
        return False
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() <= now


def replayed(message: Message, now: float) -> Message:
    """The message anew: due now, with neither deaths nor deliveries nor retries behind it.

    Everything else is as it was published, so a task keeps its id, its priority and its place in a workflow.
    """
    headers = {
        name: value
        for name, value in message.headers.items()
        if name not in STALE_HEADERS and not name.startswith(STALE_PREFIXES)
    }
    if task_name(message) is not None:
        headers |= {DUE_HEADER: now, "retries": 0, REPLAYS_HEADER: _count(message.headers.get(REPLAYS_HEADER)) + 1}
    kept = {name: message.properties[name] for name in KEPT_PROPERTIES if message.properties.get(name) is not None}
    return replace(message, headers=headers, properties={**kept, "delivery_mode": PERSISTENT})


def as_line(message: Message, letter: Letter) -> str:
    """The whole message as one line of JSON: what a person may need of what was dropped."""
    try:
        body = {"body": message.body.decode()}
    except UnicodeDecodeError:
        body = {"body_base64": base64.b64encode(message.body).decode()}
    whole = {
        "letter": msgspec.to_builtins(letter),
        "properties": dict(message.properties),
        "headers": dict(message.headers),
        **body,
    }
    return json.dumps(whole, default=_plain, ensure_ascii=True)


def _plain(value: object) -> object:
    """What AMQP has and JSON has not."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return str(value)


def _last_death(headers: Mapping[str, Any]) -> Mapping[str, Any]:
    """As RabbitMQ writes it, or as the worker that gave the task up did."""
    deaths = headers.get("x-death")
    first = deaths[0] if isinstance(deaths, list) and deaths else None
    if isinstance(first, dict):
        return first
    if FAILED_IN_HEADER not in headers:
        return {}
    return {
        "queue": headers[FAILED_IN_HEADER], "reason": FAILED_REASON, "count": 1, "time": headers.get(FAILED_AT_HEADER),
    }  # fmt: skip


def _arguments(message: Message) -> str:
    """The publisher's own words first: `argsrepr` is how an application hides what nobody should read."""
    positional, named = (_text(message.headers.get(name)) for name in ("argsrepr", "kwargsrepr"))
    if positional is not None or named is not None:
        text = f"{positional or '()'} {named or '{}'}"
    else:
        text = message.body[: 4 * ARGUMENTS_LENGTH].decode("utf-8", "replace")
    return _shortened(text, ARGUMENTS_LENGTH)


def _text(value: object) -> str | None:
    return _shortened(value, TEXT_LENGTH) if isinstance(value, str) else None


def _end(value: object) -> str | None:
    """The end of a long text: of a traceback it is the place where it happened."""
    return _text(value[-TEXT_LENGTH:]) if isinstance(value, str) else None


def _shortened(text: str, length: int) -> str:
    # A lone surrogate, which AMQP takes, would be no JSON.
    text = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return text if len(text) <= length else f"{text[: length - 3]}..."


def _count(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53 else 0


def _number(value: object) -> float | None:
    usable = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if usable else None  # type: ignore[arg-type]
