"""A change in the words of the catalogue: `queue reports: max replicas 40 -> 60 because peak 0.2/s -> 0.3/s`.

Invariant: a number is said as the plan shows it, and what it follows from is what was written; nothing is computed here.
"""

from collections.abc import Iterator

from fleet.comparing import Comparison, QueueChange, ReasonChange
from stacks.review.model import PromiseChange

HEADLINES = {
    "replicas.max": "max replicas",
    "replicas.min": "min replicas",
    "worker.concurrency": "concurrency",
    "worker.pool": "pool",
    "worker.hard_limit": "hard limit",
    "worker.capacity": "capacity",
    "resources.memory": "memory",
    "resources.cpu_request": "CPU request",
    "scaling.target": "scaling target",
    "broker.shards": "shards",
    "broker.max_length": "max length",
    "broker.consumer_timeout": "consumer timeout",
}
"""Numbers that say most about a queue, in the order in which they are told."""

FLEET_HEADLINES = {
    "broker.nodes": "broker nodes",
    "broker.cpu": "broker CPU",
    "broker.memory": "broker memory",
    "broker.disk": "broker disk",
    "web.min": "min web pods",
    "web.max": "max web pods",
}
"""The same of what queues share."""

FIELD_WORDS = {
    "load.peak": "peak",
    "load.burst.rate": "burst",
    "wait.promise": "promise",
    "replicas.min": "min replicas",
}

MOST_NUMBERS = 6


def sentences(comparison: Comparison) -> Iterator[str]:
    """One for each queue that changes, and one for what they share."""
    for queue in comparison.queues:
        if queue.fields or queue.reasons or queue.change != "changed":
            yield queue_sentence(queue)
    if rolling := [queue.queue for queue in comparison.queues if _only_rolls(queue)]:
        yield f"pods roll that change in nothing else: {', '.join(rolling)}"
    if shared := _numbers(comparison.reasons, FLEET_HEADLINES):
        yield f"shared: {', '.join(shared)}"
    if comparison.application:
        yield f"application: {comparison.application.before} -> {comparison.application.after}"


def _only_rolls(queue: QueueChange) -> bool:
    """Whether what changes is not the queue's own: its pods read a document that names the others."""
    own = queue.fields or queue.reasons or queue.change != "changed"
    return not own and any(item.pods_roll for item in queue.objects)


def queue_sentence(queue: QueueChange) -> str:
    """What becomes of a queue, and why."""
    if queue.change == "added":
        return f"queue {queue.queue} is new"
    if queue.change == "removed":
        return f"queue {queue.queue} goes"
    written = [f"{FIELD_WORDS.get(item.path, item.path)} {_change(item.before, item.after)}" for item in queue.fields]
    numbers = _numbers(queue.reasons, HEADLINES)
    # A number that was written itself needs no reason.
    told = [number for number in numbers if number not in written]
    if not told:
        return f"queue {queue.queue}: {', '.join(written) or 'other numbers'}"
    because = (
        f" because {', '.join(written)}" if written else " because of the environment's settings or of this project"
    )
    return f"queue {queue.queue}: {', '.join(told)}{because}"


def promise_sentence(change: PromiseChange) -> str:
    """How a queue's promise is kept before and after."""
    after = f"{change.after.within_percent:.1f} % on {change.after.worst_trace}"
    kept = "kept" if change.after.kept else "NOT kept"
    if change.before is None:
        return f"queue {change.queue}: {change.promise}, {kept} ({after})"
    before = "kept" if change.before.kept else "not kept"
    return (
        f"queue {change.queue}: {change.promise}, {before} before ({change.before.within_percent:.1f} % on"
        f" {change.before.worst_trace}), {kept} after ({after})"
    )


def _numbers(reasons: tuple[ReasonChange, ...], words: dict[str, str]) -> list[str]:
    by_path = {change.path.partition(".")[2]: change for change in reasons}
    changed = [
        f"{word} {_change(*_values(by_path[path]))}"
        for path, word in words.items()
        if path in by_path and len(set(_values(by_path[path]))) > 1
    ]
    return changed[:MOST_NUMBERS]


def _values(change: ReasonChange) -> tuple[str | None, str | None]:
    return (change.before.value if change.before else None, change.after.value if change.after else None)


def _change(before: str | None, after: str | None) -> str:
    return f"{before if before is not None else 'not stated'} -> {after if after is not None else 'not stated'}"
