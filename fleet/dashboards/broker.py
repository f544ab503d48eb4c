"""The broker: whether publishers are blocked, how near that is, and what its nodes carry."""

from fleet.alerts.broker import LAST_DELAY_QUEUE
from fleet.dashboards.panels import Dashboard, Panel, Query, Unit, dashboard_uid
from fleet.plan import Plan
from fleet.series import (
    BROKER_CHANNELS,
    BROKER_CONNECTIONS,
    BROKER_CONNECTIONS_OPENED,
    BROKER_DISK_ALARM,
    BROKER_DISK_FREE,
    BROKER_DISK_LIMIT,
    BROKER_MEMORY,
    BROKER_MEMORY_ALARM,
    BROKER_MEMORY_LIMIT,
    BROKER_QUEUES,
    BROKER_UNREACHABLE,
    QUEUE_DELIVERED,
    QUEUE_INFO,
    QUEUE_MESSAGES,
    series,
)


def _by_node(title: str, description: str, fleet: str, *metrics: tuple[str, str], unit: Unit = "short") -> Panel:
    queries = [
        Query(expression=f"max by (pod) ({series(metric, fleet)})", legend=f"{{{{pod}}}} {legend}".strip())
        for metric, legend in metrics
    ]
    return Panel(title=title, description=description, unit=unit, queries=tuple(queries))


def broker_dashboard(plan: Plan) -> Dashboard:
    """Node by node."""
    fleet = plan.fleet
    return Dashboard(
        uid=dashboard_uid(fleet, "broker"),
        title=f"{fleet}: the broker",
        fleet=fleet,
        panels=(
            _by_node(
                "Alarms",
                "1 where publishers are blocked, for memory or for disk; one node is enough.",
                fleet,
                (BROKER_MEMORY_ALARM, "memory"),
                (BROKER_DISK_ALARM, "disk"),
            ),
            _by_node(
                "Memory",
                "Resident, and the watermark above which publishers are blocked.",
                fleet,
                (BROKER_MEMORY, ""),
                (BROKER_MEMORY_LIMIT, "watermark"),
                unit="bytes",
            ),
            _by_node(
                "Disk",
                "Free, and the limit below which publishers are blocked.",
                fleet,
                (BROKER_DISK_FREE, ""),
                (BROKER_DISK_LIMIT, "limit"),
                unit="bytes",
            ),
            Panel(
                title="Messages",
                description="In all queues of the fleet; what a backlog takes of memory and disk.",
                queries=(
                    Query(expression=f"sum(max by (queue) ({series(QUEUE_MESSAGES, fleet)}))", legend="messages"),
                ),
            ),
            Panel(
                title="Delivered",
                description="Messages a second to consumers.",
                unit="reqps",
                queries=(Query(expression=f"sum(rate({series(QUEUE_DELIVERED, fleet)}[5m]))", legend="delivered"),),
            ),
            Panel(
                title="Delayed",
                description="Tasks with a countdown in the last second of it; they stay only where their queue is not bound.",
                queries=(
                    Query(expression=f"max({series(QUEUE_MESSAGES, fleet, queue=LAST_DELAY_QUEUE)})", legend="due"),
                ),
            ),
            _by_node(
                "Connections",
                "Of workers, web layer and KEDA.",
                fleet,
                (BROKER_CONNECTIONS, ""),
                (BROKER_CHANNELS, "channels"),
            ),
            Panel(
                title="Opened connections",
                description="A second; many mean that somebody opens one for each message.",
                unit="reqps",
                queries=(
                    Query(
                        expression=f"sum by (pod) (rate({series(BROKER_CONNECTIONS_OPENED, fleet)}[5m]))",
                        legend="{{pod}}",
                    ),
                ),
            ),
            _by_node("Queues", "With a leader on the node.", fleet, (BROKER_QUEUES, "")),
            Panel(
                title="Members",
                description="Of the queue with the fewest: queues live while a majority does.",
                queries=(
                    Query(
                        expression=f"min(count by (vhost, queue) ({series(QUEUE_INFO, fleet, membership=('leader', 'follower'))}))",
                        legend="members",
                    ),
                ),
            ),
            _by_node("Unreachable nodes", "As each node sees the others.", fleet, (BROKER_UNREACHABLE, "")),
        ),
    )
