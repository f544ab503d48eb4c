"""Known peaks: windows that KEDA's cron scaler takes, in a time zone that exists, within the maximum."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from fleet.catalogue import PeakWindowSpec, QueueSpec
from fleet.errors import Finding
from fleet.source import KeyPath, Source

CRON_FIELDS = 5

_NOT_IN_KEDA = re.compile(r"[#LW]|(^|[,-])7", re.IGNORECASE)
"""What CronSim takes in the fields for days and KEDA does not: `L`, `#`, `W`, and 7 for Sunday (robfig/cron 3.0, `parser.go`; a step may be 7)."""


def check_schedule(name: str, spec: QueueSpec, source: Source) -> Iterator[Finding]:
    """Every window begins, ends, and fits the declared maximum."""
    for index, window in enumerate(spec.schedule):
        path: KeyPath = ("queues", name, "schedule", index)
        yield from _check_times(window, path, source)
        if not _is_zone(window.timezone):
            yield source.finding(
                (*path, "timezone"),
                f"is {window.timezone!r}, which is no time zone",
                "Write an IANA name, such as Europe/Berlin, America/New_York or UTC.",
            )
        if spec.replicas.max is not None and window.min > spec.replicas.max:
            yield source.finding(
                (*path, "min"),
                f"is {window.min}, above replicas.max ({spec.replicas.max})",
                f"The window would not get its pods. Raise replicas.max to {window.min} or more, leave it out, or lower min.",
            )


def _check_times(window: PeakWindowSpec, path: KeyPath, source: Source) -> Iterator[Finding]:
    for key, text in (("from", window.start), ("to", window.end)):
        if not is_cron(text):
            yield source.finding(
                (*path, key),
                f"is {text!r}, which KEDA does not take or which never comes",
                "Write five fields: minute, hour, day of the month, month, day of the week (0 to 6 or sun to sat), such as `0 8 * * 1-5`.",
            )
    if window.start.split() == window.end.split():
        yield source.finding(
            (*path, "to"),
            f"is {window.end!r}, the same as from",
            "The window would be empty, and KEDA refuses it. Write when the peak is over.",
        )


def is_cron(text: str) -> bool:
    """Whether KEDA's cron scaler takes the expression and it comes at all.

    A date that never comes (30 February) is refused too: KEDA 2.21 takes it and then sees its window as open for good.
    """
    fields = text.split()
    if len(fields) != CRON_FIELDS or _NOT_IN_KEDA.search(fields[2]) or _NOT_IN_KEDA.search(fields[4]):
        return False
    try:
        next(CronSim(text, datetime(2024, 1, 1, tzinfo=UTC)))
    except (CronSimError, StopIteration):
        return False
    return True


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (OSError, ValueError, LookupError):
        return False
    return True
