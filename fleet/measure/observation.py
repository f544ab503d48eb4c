"""What was seen of a queue, whoever was asked."""

from fleet.measure.histograms import Histogram
from fleet.records import Record


class Arrivals(Record, frozen=True, kw_only=True):
    """Tasks that arrived within a stretch of time."""

    ended_at: float
    """Seconds since the epoch."""
    seconds: float
    tasks: float


class Observation(Record, frozen=True, kw_only=True):
    """One queue."""

    runs: Histogram | None = None
    waits: Histogram | None = None
    peak_resident_bytes: float | None = None
    """Of the one process that took most."""
    startup_seconds: float | None = None
    """95th percentile over pods."""
    pods: int = 0
    """Pods that told of their start."""
    arrivals: tuple[Arrivals, ...] = ()
    """Stretches of one length, in order; none where only one look was taken."""


class Look(Record, frozen=True, kw_only=True):
    """Everything that was seen, and where."""

    source: str
    """In words: `http://prometheus:9090, 24h`."""
    seconds: float | None
    """How far back it reaches; None where it is since the workers' start."""
    queues: dict[str, Observation]
    """Logical queue -> what was seen; a queue of which nothing was seen is missing."""
