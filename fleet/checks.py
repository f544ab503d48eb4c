"""What has to hold across fields before anything is applied; each rule says what breaking it leads to.

Rules over the catalogue alone come first, then those that need derived numbers. All of them return findings at their place in the file; none raises.
"""

from collections.abc import Iterator

from fleet.catalogue import Catalogue, QueueSpec
from fleet.environment import Environment
from fleet.errors import Finding
from fleet.plan import Plan, QueuePlan
from fleet.sizing import SPOT_NOTICE_SECONDS, Pool
from fleet.source import Source
from fleet.topology import DEAD_SUFFIX, TASK_EXCHANGE, UNROUTED, shard_names
from fleet.units import format_duration, format_size

CONNECTIONS_PER_POD = 2
"""A worker without gossip, mingle and event heartbeat keeps one connection for consuming and one for publishing."""

CONNECTION_BYTES = 100 * 2**10
"""Memory of one connection on the broker (RabbitMQ docs, Networking: about 100 kB with default buffers)."""

CONNECTION_MEMORY_SHARE = 0.2
"""Share of a broker node's memory that connections may take; queues need the rest."""


def check_catalogue(catalogue: Catalogue, environment: Environment, source: Source) -> list[Finding]:
    """Findings that need no derived number: names, routing, runtimes, pools, capacity."""
    findings: list[Finding] = []
    findings += _check_names(catalogue, source)
    findings += _check_routing(catalogue, source)
    for name, spec in catalogue.queues.items():
        findings += _check_runtime(name, spec, source)
        findings += _check_pool(name, spec, source)
        findings += _check_spot(name, spec, source)
    findings += [
        source.finding(
            ("queues", name),
            "is named by the environment's minimums but is no queue",
            "Correct the name in Pulumi." + environment.name + ".yaml.",
        )
        for name in environment.minimums
        if name not in catalogue.queues and name not in (source.data or {}).get("queues", {})
    ]
    return findings


def check_plan(plan: Plan, catalogue: Catalogue, environment: Environment, source: Source) -> list[Finding]:
    """Findings that need derived numbers: replicas, memory against nodes, connections against the broker."""
    findings: list[Finding] = []
    for queue in plan.queues:
        findings += _check_replicas(queue, catalogue.queues[queue.name], source)
        findings += _check_memory(queue, environment, source)
    findings += _check_connections(plan, source)
    return findings


def _check_names(catalogue: Catalogue, source: Source) -> Iterator[Finding]:
    taken: dict[str, str] = {TASK_EXCHANGE: "the task exchange", UNROUTED: "the queue of messages without a route"}
    for name, spec in catalogue.queues.items():
        names = {name, f"{name}{DEAD_SUFFIX}", *shard_names(name, spec.shards)}
        for broker_name in sorted(names & taken.keys()):
            yield source.finding(
                ("queues", name),
                f"needs the broker name {broker_name!r}, which is taken by {taken[broker_name]}",
                "Messages of the two would mix. Rename the queue.",
            )
        taken |= dict.fromkeys(names, f"queue {name!r}")


def _check_routing(catalogue: Catalogue, source: Source) -> Iterator[Finding]:
    seen: list[tuple[str, str]] = []
    for name, spec in catalogue.queues.items():
        for index, pattern in enumerate(spec.tasks):
            for other, earlier in seen:
                if patterns_overlap(pattern, earlier):
                    yield source.finding(
                        ("queues", name, "tasks", index),
                        f"is {pattern!r}, which meets {earlier!r} of queue {other!r}",
                        "A task has to have exactly one queue. Make one of the two patterns narrower.",
                    )
            seen.append((name, pattern))


def patterns_overlap(left: str, right: str) -> bool:
    """Whether some task name matches both patterns (`*` stands for any run of characters)."""
    reachable = {(0, 0)}
    queue = [(0, 0)]
    while queue:
        i, j = queue.pop()
        if i == len(left) and j == len(right):
            return True
        steps = []
        if i < len(left) and left[i] == "*":
            steps.append((i + 1, j))
            if j < len(right):
                steps.append((i, j + 1))
        if j < len(right) and right[j] == "*":
            steps.append((i, j + 1))
            if i < len(left):
                steps.append((i + 1, j))
        if i < len(left) and j < len(right) and left[i] == right[j]:
            steps.append((i + 1, j + 1))
        for step in steps:
            if step not in reachable:
                reachable.add(step)
                queue.append(step)
    return False


def _check_runtime(name: str, spec: QueueSpec, source: Source) -> Iterator[Finding]:
    runtime = spec.runtime
    if runtime.mean > runtime.p99:
        yield source.finding(
            ("queues", name, "runtime", "mean"),
            f"is {format_duration(runtime.mean)}, above runtime.p99 ({format_duration(runtime.p99)})",
            "A mean above the 99th percentile makes every size wrong. Lower mean or raise p99.",
        )
    if runtime.p99 > runtime.limit:
        yield source.finding(
            ("queues", name, "runtime", "p99"),
            f"is {format_duration(runtime.p99)}, above runtime.limit ({format_duration(runtime.limit)})",
            f"One task in a hundred would be killed at {format_duration(runtime.limit)} and start again from nothing."
            " Raise limit above p99, or correct p99.",
        )
    if runtime.limit < 1:
        yield source.finding(
            ("queues", name, "runtime", "limit"),
            f"is {format_duration(runtime.limit)}, below 1s",
            "Celery's limits are enforced about once a second. Write at least 1s.",
        )


def _check_pool(name: str, spec: QueueSpec, source: Source) -> Iterator[Finding]:
    if spec.pool is Pool.THREADS and not spec.runtime.cooperative:
        yield source.finding(
            ("queues", name, "pool"),
            "is threads, which enforces no runtime.limit",
            "A task that hangs would hold its slot for ever. Use gevent or prefork,"
            " or say `cooperative: true` under runtime if the tasks keep the limit themselves.",
        )
    if spec.pool is Pool.GEVENT and spec.profile == "cpu":
        yield source.finding(
            ("queues", name, "pool"),
            "is gevent on a cpu queue",
            "One computing task would stop all others of its pod and its heartbeat. Use prefork, or profile io.",
        )


def _check_spot(name: str, spec: QueueSpec, source: Source) -> Iterator[Finding]:
    if spec.capacity == "spot" and not spec.idempotent and spec.runtime.limit > SPOT_NOTICE_SECONDS:
        yield source.finding(
            ("queues", name, "capacity"),
            f"is spot, but a task may run {format_duration(spec.runtime.limit)} and is not idempotent",
            f"A spot node goes away {SPOT_NOTICE_SECONDS} s after its notice and the task would run twice."
            " Use on-demand, lower runtime.limit to 2m, or declare the tasks idempotent.",
        )


def _check_replicas(queue: QueuePlan, spec: QueueSpec, source: Source) -> Iterator[Finding]:
    auto = queue.autoscaling
    if auto.min_replicas > auto.max_replicas:
        yield source.finding(
            ("queues", queue.name, "replicas", "max"),
            f"is {auto.max_replicas}, below the minimum of {auto.min_replicas}",
            "Raise max, lower min, or promise a longer wait (it sets the minimum where nothing reactive is in time).",
        )
    elif spec.replicas.max is not None and spec.replicas.max < auto.peak_replicas:
        yield source.finding(
            ("queues", queue.name, "replicas", "max"),
            f"is {spec.replicas.max}, but the peak load needs {auto.peak_replicas} pods of {queue.worker.concurrency} slot(s)",
            f"At peak the wait of {format_duration(queue.promise.wait_seconds)} could not be kept."
            f" Raise max to {auto.peak_replicas} or more, or lower load.peak.",
        )


def _check_memory(queue: QueuePlan, environment: Environment, source: Source) -> Iterator[Finding]:
    if queue.resources.memory_bytes > environment.node_memory_bytes:
        yield source.finding(
            ("queues", queue.name, "memory"),
            f"makes a pod of {format_size(queue.resources.memory_bytes)} ({queue.worker.concurrency} slot(s)),"
            f" above the largest node's {format_size(environment.node_memory_bytes)}",
            f"It could never be scheduled. Lower memory or concurrency, or raise nodeMemory in Pulumi.{environment.name}.yaml.",
        )


def _check_connections(plan: Plan, source: Source) -> Iterator[Finding]:
    pods = sum(queue.autoscaling.max_replicas * len(queue.topology.shards) for queue in plan.queues)
    wanted = pods * CONNECTIONS_PER_POD
    capacity = int(plan.broker.nodes * plan.broker.memory_bytes * CONNECTION_MEMORY_SHARE / CONNECTION_BYTES)
    if wanted > capacity:
        yield source.finding(
            ("queues",),
            f"reach {pods} pods at their maximum, {wanted} connections, above the broker's {capacity}",
            f"The broker would run out of memory. Raise broker.memory in Pulumi.{plan.environment}.yaml, or lower replicas.max.",
        )
