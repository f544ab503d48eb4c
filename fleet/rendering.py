"""The plan as text for a terminal."""

from collections.abc import Iterable, Iterator, Sequence

from fleet.cost_rendering import cost_summary, nodes_summary
from fleet.plan import Plan, QueuePlan
from fleet.records import Reason
from fleet.tables import BOLD, DIM, Column, Screen, table_lines, title
from fleet.units import format_cpu, format_duration, format_number, format_promise, format_rate, format_size

EXPLAINED_QUEUES_MAX = 12
"""On a terminal the reasons of more queues than this would scroll everything else away; a file or a pipe gets all."""

QUEUE_HEADINGS = ("queue", "load", "promise", "worker", "pod", "limits", "scaling", "replicas")
REASON_HEADINGS = ("number", "value", "why", "source")


def plan_lines(plan: Plan, screen: Screen) -> Iterator[str]:
    """One table of the queues, one of what is deployed beside them, and one of reasons a queue."""
    yield title(f"Fleet {plan.fleet}, environment {plan.environment}: {len(plan.queues)} queues", screen)
    columns = [Column(heading=heading, whole=heading == "queue") for heading in QUEUE_HEADINGS]
    yield from table_lines(columns, (queue_cells(queue) for queue in plan.queues), screen)
    yield ""
    yield title("Beside the queues", screen)
    columns = [Column(heading="part", style=BOLD, whole=True), Column(heading="what")]
    yield from table_lines(columns, shared_rows(plan), screen)
    for note in plan.notes:
        yield ""
        yield str(note)
    if screen.terminal and len(plan.queues) > EXPLAINED_QUEUES_MAX:
        yield ""
        yield (
            f"The reasons of {len(plan.queues)} queues are not shown here: `fleet why {plan.queues[0].name}` shows those of one,"
            " `fleet plan | less` all, `fleet plan --html plan.html` a page."
        )
        return
    for name, reasons in reasons_by_queue(plan).items():
        yield ""
        yield title(f"Why: {name}", screen)
        yield from reason_lines(reasons, screen)


def reasons_by_queue(plan: Plan) -> dict[str, list[Reason]]:
    """The first word of a path -> its reasons, in the order of the plan."""
    found: dict[str, list[Reason]] = {}
    for reason in plan.reasons:
        found.setdefault(reason.path.partition(".")[0], []).append(reason)
    return found


def reason_lines(reasons: Iterable[Reason], screen: Screen) -> Iterator[str]:
    """Number, value, arithmetic and source, a line each."""
    number, value, why, source = REASON_HEADINGS
    columns = (
        Column(heading=number, whole=True),
        Column(heading=value, style=BOLD, modest=True),
        Column(heading=why),
        Column(heading=source, style=DIM, modest=True),
    )
    return table_lines(columns, map(reason_cells, reasons), screen)


def reason_cells(reason: Reason) -> tuple[str, str, str, str]:
    """One reason in a line, under `REASON_HEADINGS`."""
    why = f"{reason.formula}: {reason.because}" if reason.because else reason.formula
    return reason.path, reason.value, why, reason.source


def queue_cells(queue: QueuePlan) -> tuple[str, ...]:
    """One queue in a line, under `QUEUE_HEADINGS`."""
    promise, worker, resources, auto = queue.promise, queue.worker, queue.resources, queue.autoscaling
    shards = f" x {len(queue.topology.shards)} shards" if queue.topology.sharded else ""
    soft = f"soft {format_duration(worker.soft_limit_seconds)}, " if worker.soft_limit_seconds else ""
    retries = f", {worker.retries.max_retries} retries" if worker.retries else ""
    cpu_limit = f" (limit {format_cpu(resources.cpu_limit_millicores)})" if resources.cpu_limit_millicores else ""
    return (
        queue.name,
        f"{format_rate(promise.peak_per_second)} x {format_duration(promise.mean_seconds)}{_ingress(queue)}",
        format_promise(promise.percentile, promise.wait_seconds),
        f"{queue.profile}: {worker.pool.value}, {worker.concurrency} slot(s){shards}{_worker_extras(queue)}",
        f"cpu {format_cpu(resources.cpu_request_millicores)}{cpu_limit}, memory {format_size(resources.memory_bytes)}{_aws_policies(queue)}",
        f"{soft}hard {format_duration(worker.hard_limit_seconds)}, grace {worker.grace_seconds}s{retries}",
        auto.formula or f"{format_number(auto.target)} messages a pod",
        f"{auto.min_replicas} .. {auto.max_replicas}{' a shard' if queue.topology.sharded else ''}{_replicas_extras(queue)}",
    )


def _worker_extras(queue: QueuePlan) -> str:
    """What a queue's worker has that most do not, in few words."""
    worker = queue.worker
    extras = {
        f" x {worker.prefetch_multiplier} held": worker.prefetch_multiplier > 1,
        f", {worker.max_tasks_per_child} tasks a child": worker.max_tasks_per_child is not None,
        f", {len(queue.priorities)} priorities": bool(queue.priorities),
    }
    return "".join(text for text, shown in extras.items() if shown)


def _aws_policies(queue: QueuePlan) -> str:
    """How many policies the role of the pods has; without any they have none."""
    number = len(queue.aws_policies)
    return f", {number} AWS polic{'ies' if number > 1 else 'y'}" if number else ""


def _ingress(queue: QueuePlan) -> str:
    """How many patterns lead publishers that are not Celery here; `shared_rows` has them."""
    number = len(queue.topology.ingress_patterns)
    return f", {number} ingress pattern{'s' if number > 1 else ''}" if number else ""


def _replicas_extras(queue: QueuePlan) -> str:
    """What raises the minimum by the clock, and what caps the maximum."""
    windows = queue.autoscaling.windows
    peaks = f"; from {', '.join(str(window.min_replicas) for window in windows)} in known peaks" if windows else ""
    cap = f"; {queue.downstream.name} takes {queue.downstream.limit} tasks" if queue.downstream else ""
    return peaks + cap


def shared_rows(plan: Plan) -> list[Sequence[str]]:
    """What all queues share, as name and description."""
    broker = plan.broker
    size = f"cpu {format_cpu(broker.cpu_millicores)}, memory {format_size(broker.memory_bytes)}, disk {format_size(broker.storage_bytes)}"
    patterns = [
        f"{', '.join(queue.topology.ingress_patterns)} to {queue.name}"
        for queue in plan.queues
        if queue.topology.ingress_patterns
    ]
    ingress = (
        [("ingress", f"{plan.topology.ingress} (topic, not for Celery): {'; '.join(patterns)}")] if patterns else []
    )
    queues = ", ".join(plan.scale_in.queues)
    scale_in = [("scale-in", f"a controller: of {queues} the idlest pods are stopped first")] if queues else []
    return [
        ("broker", f"RabbitMQ, {broker.nodes} node(s), {size}; vhost {plan.topology.vhost}"),
        (
            "exchange",
            f"{plan.topology.exchange} (topic; routing key = queue), messages without a route in {plan.topology.unrouted}",
        ),
        *ingress,
        *scale_in,
        ("nodes", nodes_summary(plan.nodes)),
        ("cost", cost_summary(plan.cost)),
        ("dead letters", ", ".join(queue.topology.dead_letter_queue for queue in plan.queues)),
        ("application", plan.application),
    ]
