"""The plan as tables for a terminal."""

from collections.abc import Iterable

from rich.table import Table

from fleet.plan import Plan, QueuePlan
from fleet.records import Reason
from fleet.units import format_cpu, format_duration, format_number, format_rate, format_size


def plan_tables(plan: Plan) -> list[Table]:
    """One table of the queues, one of what is deployed beside them, and one of reasons a queue."""
    tables = [_queue_table(plan), _shared_table(plan)]
    for queue in plan.queues:
        tables.append(
            reason_table(
                [reason for reason in plan.reasons if reason.path.startswith(f"{queue.name}.")],
                title=f"Why: {queue.name}",
            )
        )
    return tables


def reason_table(reasons: Iterable[Reason], *, title: str | None = None) -> Table:
    """Number, value, arithmetic and source, a line each."""
    table = Table(title=title, title_justify="left", expand=False)
    table.add_column("number", no_wrap=True)
    table.add_column("value", overflow="fold", max_width=28, style="bold")
    table.add_column("why", overflow="fold")
    table.add_column("source", overflow="fold", max_width=24, style="dim")
    for reason in reasons:
        table.add_row(reason.path, reason.value, reason.formula, reason.source)
    return table


def _queue_table(plan: Plan) -> Table:
    table = Table(
        title=f"Fleet {plan.fleet}, environment {plan.environment}: {len(plan.queues)} queues", title_justify="left"
    )
    table.add_column("queue", style="bold", no_wrap=True)
    for heading in ("load", "promise", "worker", "pod", "limits", "scaling", "replicas"):
        table.add_column(heading, overflow="fold")
    for queue in plan.queues:
        table.add_row(queue.name, *_queue_cells(queue))
    return table


def _queue_cells(queue: QueuePlan) -> tuple[str, ...]:
    promise, worker, resources, auto = queue.promise, queue.worker, queue.resources, queue.autoscaling
    shards = f" x {len(queue.topology.shards)} shards" if queue.topology.sharded else ""
    soft = f"soft {format_duration(worker.soft_limit_seconds)}, " if worker.soft_limit_seconds else ""
    cpu_limit = f" (limit {format_cpu(resources.cpu_limit_millicores)})" if resources.cpu_limit_millicores else ""
    return (
        f"{format_rate(promise.peak_per_second)} x {format_duration(promise.mean_seconds)}",
        f"{format_number(promise.percentile)} % in {format_duration(promise.wait_seconds)}",
        f"{worker.pool.value}, {worker.concurrency} slot(s){shards}",
        f"cpu {format_cpu(resources.cpu_request_millicores)}{cpu_limit}, memory {format_size(resources.memory_bytes)}",
        f"{soft}hard {format_duration(worker.hard_limit_seconds)}, grace {worker.grace_seconds}s",
        auto.formula or f"{format_number(auto.target)} messages a pod",
        f"{auto.min_replicas} .. {auto.max_replicas}" + (" a shard" if queue.topology.sharded else ""),
    )


def _shared_table(plan: Plan) -> Table:
    broker = plan.broker
    table = Table(title="Beside the queues", title_justify="left", show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row(
        "broker",
        f"RabbitMQ, {broker.nodes} node(s), cpu {format_cpu(broker.cpu_millicores)}, memory {format_size(broker.memory_bytes)},"
        f" disk {format_size(broker.storage_bytes)}; vhost {plan.topology.vhost}",
    )
    dead = ", ".join(queue.topology.dead_letter_queue for queue in plan.queues)
    table.add_row(
        "exchange",
        f"{plan.topology.exchange} (topic; routing key = queue), messages without a route in {plan.topology.unrouted}",
    )
    table.add_row("dead letters", dead)
    table.add_row("application", plan.application)
    return table
