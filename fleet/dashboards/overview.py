"""The fleet at a glance: is each promise kept, what waits, what runs, what is lost."""

from fleet.dashboards.panels import Dashboard, Panel, Query, dashboard_uid
from fleet.plan import Plan
from fleet.series import (
    LATE_SHARE,
    PROMISED_SHARE,
    PUBLISH_SECONDS,
    QUEUE_READY,
    QUEUE_UNACKED,
    TASK_WAIT,
    TASKS_ACCEPTED,
    TASKS_FINISHED,
    TASKS_REFUSED,
    WORKER_BUSY_SLOTS,
    WORKER_SLOTS,
    quoted,
    series,
)


def overview_dashboard(plan: Plan) -> Dashboard:
    """Every queue side by side."""
    fleet = plan.fleet
    shards = tuple(shard for queue in plan.queues for shard in queue.topology.shards)
    given_up = (*(queue.topology.dead_letter_queue for queue in plan.queues), plan.topology.unrouted)
    return Dashboard(
        uid=dashboard_uid(fleet, "overview"),
        title=f"{fleet}: the fleet",
        fleet=fleet,
        panels=(
            Panel(
                title="In time, last hour",
                description="Share of the tasks that started within the promised wait. Nothing where none started.",
                kind="stat",
                unit="percentunit",
                queries=(
                    Query(
                        expression=f"1 - max by (queue) ({series(LATE_SHARE, fleet, window='1h')})", legend="{{queue}}"
                    ),
                ),
            ),
            Panel(
                title="Promised",
                description="The share that the catalogue promises, to compare with.",
                kind="stat",
                unit="percentunit",
                queries=(Query(expression=f"max by (queue) ({series(PROMISED_SHARE, fleet)})", legend="{{queue}}"),),
            ),
            Panel(
                title="Alerts",
                description="Of this fleet, that fire now; the runbook has a section for each.",
                kind="stat",
                queries=(
                    Query(
                        expression=f'count(ALERTS{{alertstate="firing",fleet={quoted(fleet)}}}) or vector(0)',
                        legend="firing",
                    ),
                ),
            ),
            Panel(
                title="Started",
                description="Tasks a second that slots took up.",
                unit="reqps",
                queries=(
                    Query(
                        expression=f"sum by (queue) (rate({series(f'{TASK_WAIT}_count', fleet)}[5m]))",
                        legend="{{queue}}",
                    ),
                ),
            ),
            Panel(
                title="Waiting",
                description="Ready messages of each broker queue: what nobody has taken yet.",
                queries=(
                    Query(
                        expression=f"max by (queue) ({series(QUEUE_READY, fleet, queue=shards)})", legend="{{queue}}"
                    ),
                ),
            ),
            Panel(
                title="Held",
                description="Unacknowledged messages of each broker queue: what runs, where a slot holds one message.",
                queries=(
                    Query(
                        expression=f"max by (queue) ({series(QUEUE_UNACKED, fleet, queue=shards)})", legend="{{queue}}"
                    ),
                ),
            ),
            Panel(
                title="Slots",
                description="Tasks that can run at once, and those that do.",
                queries=(
                    Query(expression=f"sum by (queue) ({series(WORKER_SLOTS, fleet)})", legend="{{queue}}"),
                    Query(expression=f"sum by (queue) ({series(WORKER_BUSY_SLOTS, fleet)})", legend="{{queue}} busy"),
                ),
            ),
            Panel(
                title="Pods",
                description="Workers that are seen.",
                queries=(Query(expression=f"count by (queue) ({series(WORKER_SLOTS, fleet)})", legend="{{queue}}"),),
            ),
            Panel(
                title="Outcomes",
                description="Deliveries a second that came to an end, by how.",
                unit="reqps",
                queries=(
                    Query(
                        expression=f"sum by (outcome) (rate({series(TASKS_FINISHED, fleet)}[5m]))", legend="{{outcome}}"
                    ),
                ),
            ),
            Panel(
                title="Accepted",
                description="Tasks a second that the web layer handed to the broker, and those that it could not.",
                unit="reqps",
                queries=(
                    Query(expression=f"sum(rate({series(TASKS_ACCEPTED, fleet)}[5m])) or vector(0)", legend="accepted"),
                    Query(expression=f"sum(rate({series(TASKS_REFUSED, fleet)}[5m])) or vector(0)", legend="refused"),
                ),
            ),
            Panel(
                title="Time to publish",
                description="95th percentile, from the request to the broker's confirm.",
                unit="s",
                queries=(
                    Query(
                        expression=(
                            f"histogram_quantile(0.95, sum by (le) (rate({series(f'{PUBLISH_SECONDS}_bucket', fleet)}[5m])))"
                        ),
                        legend="95 %",
                    ),
                ),
            ),
            Panel(
                title="Given up",
                description="Dead letters of each queue, and messages that led nowhere: `fleet dlq list`.",
                queries=(
                    Query(
                        expression=f"max by (queue) ({series(QUEUE_READY, fleet, queue=given_up)})", legend="{{queue}}"
                    ),
                ),
            ),
        ),
    )
