"""`make status`: the table of the fleet once, where its web layer is, and when it was last changed."""

import json
import os
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from rich.console import Console

from fleet.errors import FleetError
from fleet.measure.asking import check_address
from fleet.measure.judging import Kept
from fleet.measure.today import look_at_today
from ops import engine, monitoring, table
from ops.observing import observing
from ops.target import Target

PROMETHEUS_VARIABLE = "FLEET_PROMETHEUS"
"""Address of the Prometheus that reads a fleet on a cluster of one's own, as for `fleet status`."""


def show_status(target: Target, *, as_json: bool = False) -> None:
    """Print the table, or one JSON document: `fleet`, `cluster`, `web`, `prometheus` (or null), `last_update` and of each queue its view."""
    with observing(target) as observer:
        views = observer.look()
        address = str(observer.web.base_url).rstrip("/")
        broker_answers = observer.broker is not None
    update = last_update(target)
    monitored = monitoring.is_monitored(target)
    prometheus = _prometheus(target) if monitored else None
    plan = target.plan
    today = _today(target, prometheus)
    if as_json:
        queues = {queue.name: queue for queue in plan.queues}
        document = {
            "fleet": plan.fleet,
            "cluster": target.label,
            "web": address,
            "prometheus": prometheus,
            "last_update": update,
            "queues": {view.name: table.view_document(queues[view.name], view, today) for view in views},
        }
        sys.stdout.write(json.dumps(document, indent=2) + "\n")
        return
    console = Console(highlight=False)
    console.print(f"The fleet {plan.fleet} on {target.label}: {address}", soft_wrap=True)
    if monitored:
        console.print(f"Prometheus: {prometheus or 'does not answer; start it again with make up'}", soft_wrap=True)
    if update:
        console.print(f"Last update {update.get('end_time')}: {update.get('result')}", soft_wrap=True)
    console.print()
    console.print(table.queue_table(plan, views, today=today))
    if not broker_answers:
        console.print("\nThe broker's management API could not be reached: messages are not shown.")


def _prometheus(target: Target) -> str | None:
    """Its address; None where it does not answer, which is no reason to hide the fleet."""
    try:
        return monitoring.prometheus_address(target)
    except FleetError:
        return None


def _today(target: Target, sandbox: str | None) -> Mapping[str, Kept] | None:
    """Each promise as it is kept today, of the sandbox's Prometheus or of that in FLEET_PROMETHEUS; None where there is neither.

    Nothing is known of any queue where it cannot be asked, which is no reason to hide the fleet.
    """
    address = sandbox or os.environ.get(PROMETHEUS_VARIABLE)
    if not address:
        return None
    try:
        today = look_at_today(
            check_address(address, PROMETHEUS_VARIABLE), target.plan, now=datetime.now(UTC).astimezone()
        )
    except FleetError:
        return {}
    return {queue.queue: queue.today for queue in today.queues}


def last_update(target: Target) -> dict[str, Any]:
    """When and how the last run of the engine ended; empty when there was none.

    Returns: `end_time` (UTC), `kind` (update, destroy, refresh) and `result`.
    """
    try:
        history = json.loads(engine.pulumi(target, "stack", "history", "--json", "--page-size", "1", "--page", "1"))
    except (FleetError, ValueError):
        return {}
    if not isinstance(history, list) or not history:
        return {}
    newest = history[0]
    return {"end_time": newest.get("endTime"), "kind": newest.get("kind"), "result": newest.get("result")}
