"""Retries: pauses that the broker can keep, of exceptions that exist."""

import builtins
import difflib
from collections.abc import Iterator

from fleet.catalogue import QueueSpec
from fleet.errors import Finding
from fleet.source import Source
from fleet.units import format_duration

PAUSE_SECONDS_MIN = 1.0
"""The broker's delayed-delivery tree knows whole seconds."""

BUILT_IN_EXCEPTIONS = sorted(
    name for name, found in vars(builtins).items() if isinstance(found, type) and issubclass(found, Exception)
)
"""Bare names that `retries.on` may hold; what ends the process (SystemExit, KeyboardInterrupt) is none of them."""


def check_retries(name: str, spec: QueueSpec, source: Source) -> Iterator[Finding]:
    """Pauses that the broker can keep, and exceptions that Python has; one of a module is looked for when the worker starts."""
    retries = spec.retries
    if retries is None:
        return
    if retries.backoff < PAUSE_SECONDS_MIN:
        yield source.finding(
            ("queues", name, "retries", "backoff"),
            f"is {format_duration(retries.backoff)}, below 1s",
            "Retries wait in the broker, which delays by whole seconds. Write at least 1s.",
        )
    if retries.longest < retries.backoff:
        yield source.finding(
            ("queues", name, "retries", "longest"),
            f"is {format_duration(retries.longest)}, below retries.backoff ({format_duration(retries.backoff)})",
            "The first pause would be cut to it already. Raise longest, or lower backoff.",
        )
    for index, exception in enumerate(retries.on):
        if "." not in exception and exception not in BUILT_IN_EXCEPTIONS:
            close = difflib.get_close_matches(exception, BUILT_IN_EXCEPTIONS, n=1)
            hint = f"Did you mean `{close[0]}`? " if close else ""
            yield source.finding(
                ("queues", name, "retries", "on", index),
                f"is {exception!r}, no built-in exception that a task can fail with",
                f"{hint}The worker could not start. An exception of a module is written with its path, such as `requests.Timeout`.",
            )
