"""What somebody has to be told of a running fleet, derived from its Plan: one module an idea, and `deriving` that puts them in order.

The invariant: thresholds are the Plan's numbers or stand here as one named constant with its reason, and each alert says in the reader's words what
it means and what to do first. How they reach a Prometheus is `infra.manifests.alerts`; `docs/runbooks/alerts.md` has a section for each.
"""

from fleet.alerts.alert import Alert, Severity
from fleet.alerts.deriving import derive_alerts

__all__ = ["Alert", "Severity", "derive_alerts"]
