"""Routing: every task goes to exactly one queue."""

from collections.abc import Iterator

from fleet.catalogue import Catalogue
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


def patterns_overlap(left: str, right: str) -> bool:
    """Whether some task name matches both patterns (`*` stands for any run of characters)."""
    # Of 125,000 pairs of 500 queues all but a few differ before the first `*` or after the last one.
    if not _agree(left, right) or not _agree(left[::-1], right[::-1]):
        return False
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


def _agree(left: str, right: str) -> bool:
    """Whether what stands before the first `*` of two patterns can begin the same name."""
    mine, other = left.partition("*")[0], right.partition("*")[0]
    return mine.startswith(other) or other.startswith(mine)
