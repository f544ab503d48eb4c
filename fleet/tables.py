"""Tables of plain text: as wide as the terminal, unbroken lines where there is none.

Rich lays out four thousand cells a second, this a million, and a plan of 500 queues has 40,000; `bench/plan_command.py` measures the whole command.
Cells are ASCII by construction (names, numbers, arithmetic), so that a character is a column.
"""

import os
import shutil
import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

GAP = "  "
UNBOUNDED = 1_000_000
"""Width where nobody looks: a line a row, for grep and files."""

LEAST_WIDTH = 8
"""No column is squeezed below this, however narrow the terminal."""

MODEST_WIDTH = 24
"""What a modest column keeps for as long as the others have something to give."""

BOLD, DIM = "\x1b[1m", "\x1b[2m"
_RESET = "\x1b[0m"


@dataclass(frozen=True, kw_only=True)
class Column:
    """How one column looks."""

    heading: str
    style: str = ""
    """`BOLD`, `DIM` or nothing."""
    whole: bool = False
    """Never broken over lines: names that people copy."""
    modest: bool = False
    """Gives its width up first where the screen is narrow."""


@dataclass(frozen=True, kw_only=True)
class Screen:
    """What the text is written for."""

    width: int
    styled: bool
    terminal: bool


def find_screen() -> Screen:
    """Standard output as it is: `COLUMNS` bounds the width anywhere, `NO_COLOR` takes the styles away (no-color.org)."""
    terminal = sys.stdout.isatty()
    bounded = terminal or os.environ.get("COLUMNS", "").isdigit()
    return Screen(
        width=max(40, shutil.get_terminal_size().columns) if bounded else UNBOUNDED,
        styled=terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb",
        terminal=terminal,
    )


def title(text: str, screen: Screen) -> str:
    """A line above a table."""
    return f"{BOLD}{text}{_RESET}" if screen.styled else text


def table_lines(columns: Sequence[Column], rows: Iterable[Sequence[str]], screen: Screen) -> Iterator[str]:
    """The lines of a table; its headings stand above a rule."""
    kept = list(rows)
    widths = _fit(columns, kept, screen.width)
    yield _line([column.heading for column in columns], widths, columns, screen, heading=True)
    yield GAP.join("-" * width for width in widths)
    for row in kept:
        yield from _row(row, widths, columns, screen)


def _fit(columns: Sequence[Column], rows: list[Sequence[str]], available: int) -> list[int]:
    """Widths of the columns: their longest cells, or less for those that may be broken, modest ones and then the widest first."""
    widths = [
        max(len(column.heading), *(len(row[index]) for row in rows)) if rows else len(column.heading)
        for index, column in enumerate(columns)
    ]
    broken = [index for index, column in enumerate(columns) if not column.whole]
    surplus = sum(widths) + len(GAP) * (len(widths) - 1) - available
    for index in (index for index in broken if columns[index].modest and widths[index] > MODEST_WIDTH):
        taken = max(0, min(surplus, widths[index] - MODEST_WIDTH))
        widths[index] -= taken
        surplus -= taken
    while surplus > 0 and broken:
        widest = max(broken, key=lambda index: widths[index])
        if widths[widest] <= LEAST_WIDTH:
            break
        second = max((widths[index] for index in broken if widths[index] < widths[widest]), default=LEAST_WIDTH)
        taken = min(surplus, widths[widest] - max(second, LEAST_WIDTH))
        widths[widest] -= taken
        surplus -= taken
    return widths


def _row(cells: Sequence[str], widths: list[int], columns: Sequence[Column], screen: Screen) -> Iterator[str]:
    if all(len(cell) <= width for cell, width in zip(cells, widths, strict=True)):
        yield _line(cells, widths, columns, screen)
        return
    broken = [_break(cell, width) for cell, width in zip(cells, widths, strict=True)]
    for number in range(max(len(lines) for lines in broken)):
        parts = [lines[number] if number < len(lines) else "" for lines in broken]
        yield _line(parts, widths, columns, screen)


def _break(cell: str, width: int) -> list[str]:
    return [cell] if len(cell) <= width else textwrap.wrap(cell, width) or [""]


def _line(
    cells: Sequence[str], widths: list[int], columns: Sequence[Column], screen: Screen, *, heading: bool = False
) -> str:
    padded = [cell.ljust(width) for cell, width in zip(cells, widths, strict=True)]
    padded[-1] = cells[-1]
    if screen.styled:
        styles = [BOLD if heading else column.style for column in columns]
        padded = [f"{style}{cell}{_RESET}" if style else cell for style, cell in zip(styles, padded, strict=True)]
    return GAP.join(padded).rstrip()
