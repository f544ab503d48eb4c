"""Routing: every task goes to exactly one queue, whoever publishes it, and has one priority there."""

from collections.abc import Iterator
from itertools import combinations

from fleet.catalogue import Catalogue, QueueSpec
from fleet.checks.patterns import binding_patterns_overlap, patterns_overlap
from fleet.errors import Finding
from fleet.source import Source


def check_routing(catalogue: Catalogue, source: Source) -> Iterator[Finding]:
    """No two task patterns of different places can meet in one name."""
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


def check_binds(catalogue: Catalogue, source: Source) -> Iterator[Finding]:
    """No two queues have binding patterns that one routing key matches: a topic exchange hands a copy to each."""
    seen: list[tuple[str, str]] = []
    for name, spec in catalogue.queues.items():
        for index, pattern in enumerate(spec.binds):
            for other, earlier in seen:
                if other != name and binding_patterns_overlap(pattern, earlier):
                    yield source.finding(
                        ("queues", name, "binds", index),
                        f"is {pattern!r}, which meets {earlier!r} of queue {other!r}",
                        "A message whose routing key fits both would run twice, once from each queue. Make one of the two patterns narrower.",
                    )
            seen.append((name, pattern))


def check_priorities(name: str, spec: QueueSpec, source: Source) -> Iterator[Finding]:
    """Every pattern of `priority` can meet a task of its queue, and no task can have two priorities."""
    for pattern in spec.priority:
        if not any(patterns_overlap(pattern, taken) for taken in spec.tasks):
            yield source.finding(
                ("queues", name, "priority", pattern),
                f"meets no task of this queue, which takes {', '.join(map(repr, spec.tasks))}",
                "It would mean nothing: a priority counts within its own queue. Correct it, or move it to the queue of its tasks.",
            )
    for (earlier, before), (pattern, number) in combinations(spec.priority.items(), 2):
        if number != before and patterns_overlap(pattern, earlier):
            yield source.finding(
                ("queues", name, "priority", pattern),
                f"is {number}, but {earlier!r}, which it meets, is {before}",
                "A task has to have exactly one priority. Make one of the two patterns narrower, or give them the same number.",
            )
