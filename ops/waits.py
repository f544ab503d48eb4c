"""What the web layer's `GET /queues` says about each queue, and percentiles from its histogram of waits.

The counters are cumulative since the results store started; what happened between two readings is their difference. A percentile from a histogram
is as exact as its buckets: inside one it is interpolated evenly, and a wait beyond the last bound counts as that bound.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

BOUNDS_SECONDS = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0)
"""The buckets' upper bounds, as the workers count (`app.waits`): a bucket that holds nothing is not listed, yet bounds the next one."""


@dataclass(frozen=True, kw_only=True)
class Counters:
    """The tasks of one queue, counted in its workers."""

    started: int = 0
    done: int = 0
    """Tasks that ended well."""
    failed: int = 0
    """Tasks that failed, were killed for their time, or were cancelled."""
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


def lower_bound(bound: float) -> float:
    """Where the bucket with this upper bound begins."""
    return max((lower for lower in BOUNDS_SECONDS if lower < bound), default=0.0)


def percentile(waits: Mapping[float, int], percent: float) -> float | None:
    """The wait in seconds that `percent` of the tasks did not exceed; None when none was counted."""
    total = sum(waits.values())
    if not total:
        return None
    wanted = total * percent / 100
    counted, longest = 0, 0.0
    for bound, count in sorted(waits.items()):
        lower, longest = lower_bound(bound), min(bound, BOUNDS_SECONDS[-1])
        if count and counted + count >= wanted:
            return lower + (longest - lower) * (wanted - counted) / count
        counted += count
    return longest


def share_within(waits: Mapping[float, int], seconds: float) -> float | None:
    """Share of the tasks (0 to 1) that waited no longer than `seconds`; None when none was counted."""
    total = sum(waits.values())
    if not total:
        return None
    within = 0.0
    for bound, count in waits.items():
        lower = lower_bound(bound)
        within += count * min(1.0, max(0.0, (seconds - lower) / (bound - lower)))
    return within / total
