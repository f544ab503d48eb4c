"""All alerts of a fleet, in the order in which they are shown."""

from fleet.alerts.alert import Alert
from fleet.alerts.broker import broker_alerts
from fleet.alerts.promise import promise_alerts, runtime_alert
from fleet.alerts.queues import queue_alerts
from fleet.plan import Plan


def derive_alerts(plan: Plan) -> tuple[Alert, ...]:
    """What the queues share first, then queue by queue."""
    found = list(broker_alerts(plan))
    for queue in plan.queues:
        found += promise_alerts(plan.fleet, queue)
        found += queue_alerts(plan.fleet, queue)
        found.append(runtime_alert(plan.fleet, queue))
    return tuple(found)
