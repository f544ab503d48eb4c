"""Enough of PromQL to tell a broken expression from a whole one, without Prometheus: literals, brackets, selectors.

What Prometheus itself says of the rules is asked by `make scan`, with promtool.
"""

import itertools
import re
from collections.abc import Iterator

_TOKEN = re.compile(
    r'(?P<text>"(?:[^"\\\n]|\\["\\nrt])*")'
    r"|(?P<range>\[\d+(?:ms|[smhdw])(?:\d+(?:ms|[smhdw]))*\])"
    r"|(?P<number>\d+(?:\.\d+)?(?:e[+-]?\d+)?)"
    r"|(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)"
    r"|(?P<sign>=~|!~|!=|==|>=|<=|[=<>+\-*/%(){},])"
    r"|(?P<space>\s+)"
)
_PAIRS = {")": "(", "}": "{"}


def tokens(expression: str) -> list[tuple[str, str]]:
    """Kind and text of each word.

    Raises: ValueError at the first character that no word of PromQL begins with, which is where an unescaped name goes wrong.
    """
    found, position = [], 0
    while position < len(expression):
        match = _TOKEN.match(expression, position)
        if match is None:
            raise ValueError(f"no word of PromQL at {expression[position : position + 20]!r}")
        if match.lastgroup != "space":
            found.append((str(match.lastgroup), match.group()))
        position = match.end()
    return found


def problems(expression: str) -> Iterator[str]:
    """What is wrong with the form of an expression."""
    try:
        words = tokens(expression)
    except ValueError as error:
        yield str(error)
        return
    opened: list[str] = []
    for index, (_, text) in enumerate(words):
        if text in "({":
            opened.append(text)
        elif text in _PAIRS and (not opened or opened.pop() != _PAIRS[text]):
            yield f"{text} closes nothing"
        if opened and opened[-1] == "{" and text in {"=", "=~"} and words[index + 1][0] != "text":
            yield f"{words[index - 1][1]} is compared with no text"
    if opened:
        yield f"{opened[-1]} is never closed"


def metrics(expression: str) -> set[str]:
    """The metrics that it selects."""
    words = tokens(expression)
    return {text for (_, text), (_, after) in itertools.pairwise(words) if after == "{"}


def texts(expression: str) -> list[str]:
    """Its literals, without escapes."""
    return [
        re.sub(r"\\(.)", lambda match: {"n": "\n", "r": "\r", "t": "\t"}.get(match[1], match[1]), text[1:-1])
        for kind, text in tokens(expression)
        if kind == "text"
    ]
