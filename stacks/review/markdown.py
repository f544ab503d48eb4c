"""Markdown that says what it is given and nothing else, within GitHub's bound.

Invariant: whatever comes from a catalogue, a resource or a pull request is shown letter by letter: it opens no tag, no link, no mention, no list and no
code block. A text that is too long loses whole lines of its folded parts first, each with the number of what is missing.
Sources: CommonMark 0.31, "Entity and numeric character references" (they never open a structure) and "HTML blocks"; GitHub's html-pipeline (mentions
and references inside `code` and `pre` are left alone); GitHub's limit of 65,536 characters on the body of a comment.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

T = TypeVar("T")

LIMIT = 64_500
"""Characters of a comment, below GitHub's limit by what a workflow may add."""

LONGEST_LINE = 400
"""Characters of one text that are shown."""

LONGEST_ESCAPED = 1000
"""Characters that those may take: a text of marks alone is ten times as long once they are references."""

MOST_ITEMS = 500
"""Of one part that are put into words: no more of the shortest would fit."""

FEWEST_LINES = 3
"""Of each folded part, however many parts there are."""


NOT_SAFE = re.compile(r"""[^A-Za-z0-9 ,;….\-/()=%+'"{}?]""")
"""All but letters, digits and marks that open nothing where letters stand before them."""


def code(text: str) -> str:
    """A name or value of others, letter by letter, in the type of code."""
    return f"<code>{escaped(text)}</code>"


def plain(text: str) -> str:
    """A sentence of our own that holds names of others."""
    # As text a reference would still be a mention or the number of an issue; a space of no width parts it from its mark.
    line = escaped(text, parted="@#")
    # At the beginning these would open a list.
    return re.sub(r"^(\d*)([-+.)])", lambda mark: f"{mark[1]}&#{ord(mark[2])};", line)


def escaped(text: str, *, parted: str = "") -> str:
    """Any text in one line: what may open something is a numeric reference, with a space of no width behind those in `parted`."""
    line = " ".join(text[: LONGEST_LINE * 2].split())
    length = LONGEST_LINE
    while True:
        shown = line if len(line) <= length else f"{line[: length - 1]}…"
        found = NOT_SAFE.sub(lambda mark: _reference(mark[0]) + ("&#8203;" if mark[0] in parted else ""), shown)
        if len(found) <= LONGEST_ESCAPED:
            return re.sub(r"(?i)(www)\.", r"\1&#46;", found)
        length //= 2


def preformatted(text: str) -> str:
    """A line of text of fixed width, its indentation kept."""
    return " " * (len(text) - len(text.lstrip(" "))) + escaped(text)


def _reference(letter: str) -> str:
    # Marks that turn the direction of writing or take no room could make a text look like another.
    if unicodedata.category(letter) in {"Cf", "Cc", "Co", "Cs", "Cn"}:
        return f"&#92;u{ord(letter):04x}"
    return letter if letter.isalnum() else f"&#{ord(letter)};"


@dataclass(frozen=True, kw_only=True)
class Part:
    """A folded part of a comment."""

    title: str
    """Ready Markdown."""
    lines: Sequence[str]
    """Ready Markdown, each whole in itself; the first of them where there are very many."""
    more: int = 0
    """Lines that were not even made."""
    preformatted: bool = False
    """Whether the lines are text of fixed width, escaped already."""


def part(title: str, items: Sequence[T], lines: Callable[[T], Iterable[str]], *, preformatted: bool = False) -> Part:
    """A part of as many items as could ever be shown."""
    made = [line for item in items[:MOST_ITEMS] for line in lines(item)]
    return Part(title=title, lines=made, more=max(0, len(items) - MOST_ITEMS), preformatted=preformatted)


@dataclass(kw_only=True)
class Comment:
    """What is always shown, and what is folded."""

    head: list[str] = field(default_factory=list)
    parts: list[Part | str] = field(default_factory=list)
    """Folded parts, and headings between them."""
    foot: list[str] = field(default_factory=list)

    def render(self, limit: int = LIMIT) -> str:
        """The whole, within the limit."""
        allowed = max((len(part.lines) for part in self.parts if isinstance(part, Part)), default=0)
        while len(text := self._rendered(allowed)) > limit and allowed > FEWEST_LINES:
            allowed = max(FEWEST_LINES, allowed * 3 // 4)
        return text if len(text) <= limit else self._cut(limit)

    def _rendered(self, allowed: int) -> str:
        body = (part if isinstance(part, str) else "\n".join(_folded(part, allowed)) for part in self.parts)
        return "\n".join([*self.head, "", *body, *self.foot]) + "\n"

    def _cut(self, limit: int) -> str:
        """Only as many parts as fit, and how many do not; the head is bounded by whoever writes it."""
        kept = len(self.parts)
        while kept:
            kept -= 1
            note = f"\n{len(self.parts) - kept} more parts are in the files `preview.json`."
            short = Comment(head=self.head, parts=[*self.parts[:kept], note], foot=self.foot)
            if len(text := short._rendered(FEWEST_LINES)) <= limit:
                return text
        # Not even the head has room: whole lines of it, and the end, by which the comment can be found again.
        foot, room = "\n".join(["", *self.foot]) + "\n", list(self.head)
        while room and len("\n".join(room)) + len(foot) > limit:
            room.pop()
        return "\n".join(room) + foot


def _folded(part: Part, allowed: int) -> Iterable[str]:
    shown = part.lines[:allowed]
    more = len(part.lines) - len(shown) + part.more
    yield f"<details><summary>{part.title}</summary>"
    yield ""
    if part.preformatted:
        yield f"<pre>{chr(10).join(shown)}</pre>"
    else:
        yield from shown
    if more:
        yield ""
        yield f"… {more} more lines; all are in `preview.json`."
    yield ""
    yield "</details>"
    yield ""
