"""What the web layer's `GET /queues` says about each queue, and percentiles from its histogram of waits.

The counters are cumulative since the results store started; what happened between two readings is their difference. A percentile from a histogram
is as exact as its buckets, which are a quarter wide: inside one it is interpolated evenly. Only buckets that hold something are listed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

BUCKET_GROWTH = 1.25
"""A bucket reaches from its upper bound divided by this up to its bound, as the workers count."""


@dataclass(frozen=True, kw_only=True)
class Counters:
    """The tasks of one queue, counted in its workers."""

    started: int = 0
    done: int = 0
    """Tasks that have an outcome, good or bad."""
    failed: int = 0
    waits: Mapping[float, int] = field(default_factory=dict)
    """Upper bound of a bucket in seconds -> tasks whose wait fell into it."""

    @property
    def finished(self) -> int:
        """Tasks that have an outcome."""
        return self.done

    def since(self, start: "Counters") -> "Counters":
        """What happened after `start`; a store that began anew counts from zero."""
        if self.started < start.started or self.done < start.done:
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
    counted, longest = 0, 0.0
    for bound, count in sorted(waits.items()):
        if count and counted + count >= wanted:
            lower = bound / BUCKET_GROWTH
            return lower + (bound - lower) * (wanted - counted) / count
        counted, longest = counted + count, bound
    return longest


def share_within(waits: Mapping[float, int], seconds: float) -> float | None:
    """Share of the tasks (0 to 1) that waited no longer than `seconds`; None when none was counted."""
    total = sum(waits.values())
    if not total:
        return None
    within = 0.0
    for bound, count in waits.items():
        lower = bound / BUCKET_GROWTH
        within += count * min(1.0, max(0.0, (seconds - lower) / (bound - lower)))
    return within / total
