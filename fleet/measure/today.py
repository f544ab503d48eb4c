"""Whether each promise is kept today, and whether it is right now: of a Prometheus, from the waits that workers count."""

from datetime import datetime

from fleet.errors import FleetError
from fleet.measure.judging import Kept, kept
from fleet.measure.prometheus import Prometheus, wait_histograms
from fleet.plan import Plan
from fleet.records import Record

RECENT_SECONDS = 300
LEAST_SECONDS = 60
"""Just after midnight, today has been this long."""


class QueueToday(Record, frozen=True, kw_only=True):
    """One queue's promise."""

    queue: str
    today: Kept
    recent: Kept
    """Over the last five minutes."""
    budget_used_percent: float | None
    """Late tasks over those that the promise leaves room for; above 100 it is broken. None where nothing started."""


class Today(Record, frozen=True, kw_only=True):
    """What `fleet status --json` prints; stable."""

    fleet: str
    environment: str
    began_at: float
    """The last midnight by this machine's clock, in seconds since the epoch."""
    at: float
    queues: tuple[QueueToday, ...]


def look_at_today(address: str, plan: Plan, *, now: datetime) -> Today:
    """Every queue of a plan since the midnight of `now`, which knows its time zone.

    Raises: FleetError when Prometheus cannot be asked, or knows nothing of the fleet.
    """
    prometheus = Prometheus(address, plan.fleet)
    at = now.timestamp()
    began_at = now.replace(hour=0, minute=0, second=0, microsecond=0).timestamp()
    whole = wait_histograms(prometheus, max(LEAST_SECONDS, at - began_at), at)
    recent = wait_histograms(prometheus, RECENT_SECONDS, at)
    if not whole:
        raise FleetError(
            address,
            f"has no waits of the fleet {plan.fleet} today",
            "See whether it reads the workers (docs/how-to/monitoring.md); --name says which fleet.",
        )
    queues = []
    for queue in plan.queues:
        today = kept(queue, whole.get(queue.name))
        queues.append(
            QueueToday(
                queue=queue.name,
                today=today,
                recent=kept(queue, recent.get(queue.name)),
                budget_used_percent=_used(today),
            )
        )
    return Today(fleet=plan.fleet, environment=plan.environment, began_at=began_at, at=at, queues=tuple(queues))


def _used(today: Kept) -> float | None:
    if today.percent is None:
        return None
    return round(100 * (100 - today.percent) / (100 - today.promised_percent), 1)
