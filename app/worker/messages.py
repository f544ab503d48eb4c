"""What a message has to be before a worker takes it up: Celery's message protocol, version 2, in its right types.

Invariant: a message that passes cannot break the worker's loop, and names no limit, id or flag where Celery does not look for one. Celery (5.7) trusts
whoever may publish: a body of another shape, a missing id or a time limit that is no number end in an exception of the main loop, which ends the worker,
and so the next one that the broker gives the message to.

Source: Celery docs, "Message Protocol"; what is read of it: `celery.worker.request`, `celery.app.trace`.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

from celery.utils.time import maybe_iso8601

from app.waits import DUE_HEADER

ID_LENGTH = 255
"""Characters of an id at most; the message's correlation id repeats it, and AMQP ends there."""

EMBEDDED = ("callbacks", "errbacks", "chain", "chord")
"""What a body embeds beside its arguments; as headers they would stand in for it."""

SHOWN_LENGTH = 100
"""Characters of a value as given that a reason shows."""


def problem_of(message: Any) -> str | None:
    """Why a message cannot be taken up; None where it can, whether or not there is such a task."""
    headers = message.headers
    if not isinstance(headers, dict):
        return "its headers are no table"
    return _problem_of_headers(headers) or _problem_of_body(message)


def _problem_of_headers(headers: Mapping[Any, Any]) -> str | None:
    for name in ("task", "id"):
        value = headers.get(name)
        if not isinstance(value, str) or not value:
            return f"its header {name} is {shown(value)}, where Celery's protocol 2 has a text"
    if len(headers["id"]) > ID_LENGTH:
        return f"its header id is longer than {ID_LENGTH} characters"
    for name, (right, wanted) in _HEADERS.items():
        if (value := headers.get(name)) is not None and not right(value):
            return f"its header {name} is {shown(value)}, not {wanted}"
    embedded = [name for name in EMBEDDED if headers.get(name) is not None]
    return f"its header {embedded[0]} belongs into the body" if embedded else None


def _problem_of_body(message: Any) -> str | None:
    try:
        body = message.payload
    except Exception as error:
        # Whatever decoding ends in, the message is no task.
        return f"its body cannot be read: {type(error).__name__}"
    if not (isinstance(body, list | tuple) and len(body) == 3):
        return "its body is not [args, kwargs, embed]"
    args, kwargs, embed = body
    if not isinstance(args, list | tuple):
        return f"its arguments are {shown(args)}, not a list"
    if not isinstance(kwargs, dict):
        return f"its keyword arguments are {shown(kwargs)}, not an object"
    return None if embed is None else _problem_of_embedded(embed)


def _problem_of_embedded(embed: Any) -> str | None:
    if not isinstance(embed, dict):
        return f"what its body embeds is {shown(embed)}, not an object"
    if unknown := [name for name in embed if name not in EMBEDDED]:
        return f"its body embeds {shown(unknown[0])}; there are {', '.join(EMBEDDED)}"
    for name in ("callbacks", "errbacks", "chain"):
        if (value := embed.get(name)) is not None and not (isinstance(value, list) and all(map(_is_signature, value))):
            return f"its {name} are no list of signatures"
    if embed.get("chord") is not None and not _is_signature(embed["chord"]):
        return "its chord is no signature"
    return None


def shown(value: Any) -> str:
    """A value as given, bounded."""
    text = repr(value)
    return text if len(text) <= SHOWN_LENGTH else f"{text[:SHOWN_LENGTH]}…"


def _is_signature(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("task"), str)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_pair_of_limits(value: Any) -> bool:
    return (
        isinstance(value, list | tuple)
        and len(value) == 2
        and all(limit is None or (_is_number(limit) and limit > 0) for limit in value)
    )


def _is_time(value: Any) -> bool:
    if not isinstance(value, str):
        return False
    try:
        return maybe_iso8601(value) is not None
    except (ValueError, OverflowError):
        return False


def _is_list_of_texts(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


_HEADERS: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    **dict.fromkeys(("root_id", "parent_id", "group", "shadow", "argsrepr", "kwargsrepr"), (_is_text, "a text")),
    **dict.fromkeys(("retries", "group_index", "replaced_task_nesting"), (_is_count, "a whole number from 0")),
    **dict.fromkeys(("eta", "expires"), (_is_time, "a time in ISO 8601")),
    "timelimit": (_is_pair_of_limits, "two limits in seconds, or null"),
    "ignore_result": (lambda value: isinstance(value, bool), "true or false"),
    "stamped_headers": (_is_list_of_texts, "a list of texts"),
    "stamps": (lambda value: isinstance(value, dict), "a table"),
    DUE_HEADER: (_is_number, "seconds since the epoch"),
}
"""Header -> what a value of it has to be, and that in words. Each may be absent or null, and there may be others."""
