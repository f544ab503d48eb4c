"""What the web layer's `GET /queues` says about each queue, and percentiles from its histogram of waits.

The counters are cumulative since the results store started; what happened between two readings is their difference. A percentile from a histogram
is as exact as its buckets: inside one it is interpolated evenly, and a wait beyond the last bound counts as that bound.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Counters:
    """The tasks of one queue, counted in its workers."""

    started: int = 0
    done: int = 0
    failed: int = 0
    waits: Mapping[float, int] = field(default_factory=dict)
    """Upper bound of a bucket in seconds -> tasks whose wait fell into it."""

    @property
    def finished(self) -> int:
        """Tasks that have an outcome."""
        return self.done + self.failed

    def since(self, start: "Counters") -> "Counters":
        """What happened after `start`; a store that began anew counts from zero."""
        if self.started < start.started or self.finished < start.finished:
            return self
        return Counters(
            started=self.started - start.started,
            done=self.done - start.done,
            failed=self.failed - start.failed,
            waits={bound: max(0, count - start.waits.get(bound, 0)) for bound, count in self.waits.items()},
        )


def read_counters(document: Mapping[str, Any]) -> dict[str, Counters]:
    """Queue -> counters, of the JSON that `GET /queues` answers."""
    return {
        name: Counters(
            started=int(entry.get("started", 0)),
            done=int(entry.get("done", 0)),
            failed=int(entry.get("failed", 0)),
            waits={
                float(bound): int(count) for bound, count in sorted(entry.get("wait_buckets", {}).items(), key=_bound)
            },
        )
        for name, entry in (document.get("queues") or {}).items()
    }


def _bound(item: tuple[str, Any]) -> float:
    return float(item[0])


def percentile(waits: Mapping[float, int], percent: float) -> float | None:
    """The wait in seconds that `percent` of the tasks did not exceed; None when none was counted."""
    total = sum(waits.values())
    if not total:
        return None
    wanted = total * percent / 100
    counted, lower = 0.0, 0.0
    for bound, count in sorted(waits.items()):
        if count and counted + count >= wanted:
            if math.isinf(bound):
                return lower
            return lower + (bound - lower) * (wanted - counted) / count
        counted += count
        lower = lower if math.isinf(bound) else bound
    return lower


def share_within(waits: Mapping[float, int], seconds: float) -> float | None:
    """Share of the tasks (0 to 1) that waited no longer than `seconds`; None when none was counted."""
    total = sum(waits.values())
    if not total:
        return None
    within, lower = 0.0, 0.0
    for bound, count in sorted(waits.items()):
        if bound <= seconds:
            within += count
        elif lower < seconds and not math.isinf(bound):
            within += count * (seconds - lower) / (bound - lower)
        lower = bound
    return within / total
