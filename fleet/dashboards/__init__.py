"""What somebody looks at to see whether each promise of a fleet is kept, and why not: Grafana dashboards derived from its Plan.

The invariant: every query is about this fleet alone and has an answer whenever its fleet runs, also where nothing happens; a test in the sandbox asks
a real Prometheus each of them.
"""

from fleet.dashboards.broker import broker_dashboard
from fleet.dashboards.overview import overview_dashboard
from fleet.dashboards.panels import Dashboard
from fleet.dashboards.queue import queue_dashboard
from fleet.plan import Plan

__all__ = ["Dashboard", "derive_dashboards"]


def derive_dashboards(plan: Plan) -> tuple[Dashboard, ...]:
    """The fleet, one queue of it, its broker."""
    return overview_dashboard(plan), queue_dashboard(plan), broker_dashboard(plan)
