"""Which queue a task goes to, told from the catalogue alone, and why.

The same patterns reach the pods as the routes of `fleet.documents`; `app.routing` applies them there.
"""

import difflib
from dataclasses import dataclass
from fnmatch import fnmatchcase

from fleet.catalogue import Catalogue, QueueSpec
from fleet.records import Record
from fleet.source import KeyPath, Source
from fleet.topology import DEFAULT_PRIORITY, INGRESS_EXCHANGE, TASK_EXCHANGE, shard_names

NEAREST_MAX = 3


@dataclass(frozen=True, kw_only=True)
class Match:
    """A pattern that takes a task."""

    queue: str
    pattern: str
    path: KeyPath
    """Where the pattern stands."""


class Route(Record, frozen=True, kw_only=True):
    """What becomes of one task."""

    task: str
    queue: str | None
    """The queue; None when no pattern takes the task."""
    pattern: str | None
    place: str | None
    """`file:line:column` of the pattern."""
    exchange: str | None
    routing_key: str | None
    shards: tuple[str, ...]
    """Broker queues that may hold it."""
    shard_rule: str | None
    """How one of several shards is chosen."""
    priority: int | None
    priority_pattern: str | None
    """The pattern that gave the priority; None for the default."""
    ingress: tuple[str, ...]
    """Patterns by which publishers that are not Celery reach the same queue."""
    nearest: tuple[str, ...]
    """Without a queue: the patterns that look most like the task, with their queues."""


def matching(catalogue: Catalogue, task: str) -> tuple[Match, ...]:
    """Every pattern that takes a task (`*` stands for any run of characters), in file order."""
    return tuple(
        Match(queue=name, pattern=pattern, path=("queues", name, "tasks", index))
        for name, spec in catalogue.queues.items()
        for index, pattern in enumerate(spec.tasks)
        if fnmatchcase(task, pattern)
    )


def route_task(catalogue: Catalogue, task: str, source: Source) -> Route:
    """Where one task goes; without a queue the nearest patterns are named."""
    matches = matching(catalogue, task)
    if not matches:
        return Route(
            task=task, queue=None, pattern=None, place=None, exchange=None, routing_key=None, shards=(), shard_rule=None,
            priority=None, priority_pattern=None, ingress=(), nearest=_nearest(catalogue, task),
        )  # fmt: skip
    match = matches[0]
    spec = catalogue.queues[match.queue]
    priority_pattern, priority = _priority(spec, task)
    place = source.finding(match.path, "", "")
    return Route(
        task=task,
        queue=match.queue,
        pattern=match.pattern,
        place=f"{place.file}:{place.line}:{place.column}",
        exchange=TASK_EXCHANGE,
        routing_key=match.queue,
        shards=shard_names(match.queue, spec.shards),
        shard_rule=f"consistent hash of the task id over {spec.shards} queues" if spec.shards > 1 else None,
        priority=priority,
        priority_pattern=priority_pattern,
        ingress=tuple(f"{INGRESS_EXCHANGE}: {pattern}" for pattern in spec.binds),
        nearest=(),
    )


def _priority(spec: QueueSpec, task: str) -> tuple[str | None, int]:
    """The first pattern of `priority` that takes the task, and its number."""
    return next(
        ((pattern, number) for pattern, number in spec.priority.items() if fnmatchcase(task, pattern)),
        (None, DEFAULT_PRIORITY),
    )


def _nearest(catalogue: Catalogue, task: str) -> tuple[str, ...]:
    patterns = {pattern: name for name, spec in catalogue.queues.items() for pattern in spec.tasks}
    near = difflib.get_close_matches(task, patterns, n=NEAREST_MAX, cutoff=0.4)
    return tuple(f"{pattern} ({patterns[pattern]})" for pattern in near)
