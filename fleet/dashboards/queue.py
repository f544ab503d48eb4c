"""One queue: what was promised and declared beside what is measured, from the wait back to its causes."""

from fleet.dashboards.panels import Dashboard, Panel, Query, Variable, dashboard_uid
from fleet.plan import Plan
from fleet.series import (
    LATE_SHARE,
    NAMESPACE_LABEL,
    PLANNED_MEAN,
    PLANNED_SLOTS,
    PLANNED_WAIT,
    PROMISED_SHARE,
    QUEUE_CONSUMERS,
    QUEUE_READY,
    QUEUE_REDELIVERED,
    QUEUE_UNACKED,
    SCALER_VALUE,
    TASK_RETRIES,
    TASK_RUN,
    TASK_WAIT,
    TASKS_FINISHED,
    WORKER_BUSY_SLOTS,
    WORKER_MEMORY,
    WORKER_SLOTS,
    WORKER_STARTUP,
    quoted,
    series,
)

QUEUE = "$queue"
SHARDS = "$queue(-[0-9]+)?"
"""The queue itself, or its shards."""


def _in_broker(metric: str, fleet: str, name: str = SHARDS, label: str = "queue") -> str:
    """A selector by a pattern with the variable in it."""
    return f"{metric}{{{NAMESPACE_LABEL}={quoted(fleet)},{label}=~{quoted(name)}}}"


def _percentiles(metric: str, fleet: str) -> tuple[Query, ...]:
    buckets = f"sum by (le) (rate({series(f'{metric}_bucket', fleet, queue=QUEUE)}[5m]))"
    return tuple(
        Query(expression=f"histogram_quantile({share}, {buckets})", legend=legend)
        for share, legend in ((0.5, "half"), (0.95, "95 %"), (0.99, "99 %"))
    )


def _of_queue(metric: str, fleet: str, legend: str, function: str = "sum") -> Query:
    return Query(expression=f"{function}({series(metric, fleet, queue=QUEUE)})", legend=legend)


def queue_dashboard(plan: Plan) -> Dashboard:
    """Any queue of the fleet, by the variable `queue`."""
    fleet = plan.fleet
    mean = (
        f"sum(rate({series(f'{TASK_RUN}_sum', fleet, queue=QUEUE)}[5m]))"
        f" / sum(rate({series(f'{TASK_RUN}_count', fleet, queue=QUEUE)}[5m]))"
    )
    return Dashboard(
        uid=dashboard_uid(fleet, "queue"),
        title=f"{fleet}: one queue",
        fleet=fleet,
        variable=Variable(name="queue", values=tuple(queue.name for queue in plan.queues)),
        panels=(
            Panel(
                title="Wait",
                description="From when a task was due to when a slot took it up, beside the promised wait.",
                unit="s",
                queries=(*_percentiles(TASK_WAIT, fleet), _of_queue(PLANNED_WAIT, fleet, "promised", "max")),
            ),
            Panel(
                title="Late",
                description="Share of the tasks that started later than promised, beside the share that may.",
                unit="percentunit",
                queries=(
                    Query(
                        expression=f"max({series(LATE_SHARE, fleet, queue=QUEUE, window='5m')})", legend="five minutes"
                    ),
                    Query(expression=f"max({series(LATE_SHARE, fleet, queue=QUEUE, window='1h')})", legend="an hour"),
                    Query(expression=f"1 - max({series(PROMISED_SHARE, fleet, queue=QUEUE)})", legend="may be late"),
                ),
            ),
            Panel(
                title="Backlog",
                description="Messages that wait, and those that workers hold, over all shards.",
                queries=(
                    Query(expression=f"sum(max by (queue) ({_in_broker(QUEUE_READY, fleet)}))", legend="ready"),
                    Query(expression=f"sum(max by (queue) ({_in_broker(QUEUE_UNACKED, fleet)}))", legend="held"),
                ),
            ),
            Panel(
                title="Slots",
                description="Those that run a task, those that are there, and the most that the plan allows.",
                queries=(
                    _of_queue(WORKER_BUSY_SLOTS, fleet, "busy"),
                    _of_queue(WORKER_SLOTS, fleet, "there"),
                    _of_queue(PLANNED_SLOTS, fleet, "at most", "max"),
                ),
            ),
            Panel(
                title="Runtime",
                description="How long a task holds its slot, beside the mean that the catalogue declares: minimum, maximum and backlog follow from it.",
                unit="s",
                queries=(
                    Query(expression=mean, legend="mean"),
                    _percentiles(TASK_RUN, fleet)[-1],
                    _of_queue(PLANNED_MEAN, fleet, "declared mean", "max"),
                ),
            ),
            Panel(
                title="Outcomes",
                description="Deliveries a second that came to an end, by how, and retries.",
                unit="reqps",
                queries=(
                    Query(
                        expression=f"sum by (outcome) (rate({series(TASKS_FINISHED, fleet, queue=QUEUE)}[5m]))",
                        legend="{{outcome}}",
                    ),
                    Query(expression=f"sum(rate({series(TASK_RETRIES, fleet, queue=QUEUE)}[5m]))", legend="retries"),
                ),
            ),
            Panel(
                title="Consumers",
                description="Of the broker queue, all shards together; none is right only where nothing waits.",
                queries=(
                    Query(expression=f"sum(max by (queue) ({_in_broker(QUEUE_CONSUMERS, fleet)}))", legend="consumers"),
                ),
            ),
            Panel(
                title="Autoscaler",
                description="What KEDA reads: messages, or pods where a formula counts them.",
                queries=(
                    Query(
                        expression=f"max by (scaledObject, metric) ({_in_broker(SCALER_VALUE, fleet, f'worker-{SHARDS}', 'scaledObject')})",
                        legend="{{scaledObject}} {{metric}}",
                    ),
                ),
            ),
            Panel(
                title="Delivered again",
                description="Deliveries a second that are not the first: lost workers, lost connections.",
                unit="reqps",
                queries=(
                    Query(
                        expression=f"sum(rate({_in_broker(QUEUE_REDELIVERED, fleet)}[5m])) or vector(0)",
                        legend="redelivered",
                    ),
                ),
            ),
            Panel(
                title="Memory of a task",
                description="Highest resident memory of a task's process since its pod started.",
                unit="bytes",
                queries=(_of_queue(WORKER_MEMORY, fleet, "highest", "max"),),
            ),
            Panel(
                title="Start-up",
                description="From the pod's place on a node to the first task it could run; `startup` of the environment is what the plan takes it for.",
                unit="s",
                queries=(_of_queue(WORKER_STARTUP, fleet, "slowest", "max"),),
            ),
            Panel(
                title="Dead letters",
                description="Messages that the queue has given up: `fleet dlq show`.",
                queries=(
                    Query(
                        expression=f"max({series(QUEUE_READY, fleet, queue=f'{QUEUE}-dead')})", legend="dead letters"
                    ),
                ),
            ),
        ),
    )
