"""Whether two patterns can meet in one name: task patterns letter by letter, binding patterns of a topic exchange word by word."""

from collections.abc import Iterator, Sequence


def patterns_overlap(left: str, right: str) -> bool:
    """Whether some task name matches both patterns (`*` stands for any run of characters)."""
    # Of 125,000 pairs of 500 queues all but a few differ before the first `*` or after the last one.
    if not _agree(left, right) or not _agree(left[::-1], right[::-1]):
        return False
    return _meet(left, right, run="*", single=None)


def _agree(left: str, right: str) -> bool:
    """Whether what stands before the first `*` of two patterns can begin the same name."""
    mine, other = left.partition("*")[0], right.partition("*")[0]
    return mine.startswith(other) or other.startswith(mine)


def binding_patterns_overlap(left: str, right: str) -> bool:
    """Whether some routing key matches both patterns of a topic exchange: `*` is one word, `#` any number of words, none included.

    Source: RabbitMQ docs, "AMQP 0-9-1 Model Explained", topic exchange.
    """
    return _meet(left.split("."), right.split("."), run="#", single="*")


def _meet(left: Sequence[str], right: Sequence[str], *, run: str, single: str | None) -> bool:
    """Whether some sequence of symbols matches both; `run` stands for any number of symbols, `single` for one."""
    reachable = {(0, 0)}
    pending = [(0, 0)]
    while pending:
        i, j = pending.pop()
        if i == len(left) and j == len(right):
            return True
        for step in _steps(left[i : i + 1], right[j : j + 1], run=run, single=single):
            reached = (i + step[0], j + step[1])
            if reached not in reachable:
                reachable.add(reached)
                pending.append(reached)
    return False


def _steps(left: Sequence[str], right: Sequence[str], *, run: str, single: str | None) -> Iterator[tuple[int, int]]:
    """How far one symbol, or none at the end of a pattern, can take each side."""
    for mine, other, ahead, behind in ((left, right, (1, 0), (0, 1)), (right, left, (0, 1), (1, 0))):
        if mine and mine[0] == run:
            yield ahead
            if other:
                yield behind
    if left and right and run not in (left[0], right[0]) and (left[0] == right[0] or single in (left[0], right[0])):
        yield 1, 1
