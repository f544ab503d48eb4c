"""Tables of plain text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.tables import BOLD, UNBOUNDED, Column, Screen, table_lines

COLUMNS = (Column(heading="number", whole=True), Column(heading="why"), Column(heading="source", modest=True))
ROW = ("reports.replicas.max", "max(2 x 9 at peak, minimum 0)", "docs/designs/scaling.md, section two")


def screen(width: int, *, styled: bool = False) -> Screen:
    return Screen(width=width, styled=styled, terminal=styled)


def test_a_file_gets_one_line_a_row() -> None:
    """What is searched with grep is not broken."""
    assert list(table_lines(COLUMNS, [ROW], screen(UNBOUNDED))) == [
        "number                why                            source",
        "--------------------  -----------------------------  ------------------------------------",
        "reports.replicas.max  max(2 x 9 at peak, minimum 0)  docs/designs/scaling.md, section two",
    ]


def test_a_narrow_terminal_breaks_what_may_be_broken() -> None:
    """The modest column gives first; a name is never broken."""
    assert list(table_lines(COLUMNS, [ROW], screen(70))) == [
        "number                why                     source",
        "--------------------  ----------------------  ------------------------",
        "reports.replicas.max  max(2 x 9 at peak,      docs/designs/scaling.md,",
        "                      minimum 0)              section two",
    ]


def test_styles_do_not_move_the_columns() -> None:
    """Escape sequences have no width."""
    columns = (Column(heading="a", style=BOLD), Column(heading="b"))
    *_, line = table_lines(columns, [("x", "y")], screen(80, styled=True))
    assert line == "\x1b[1mx\x1b[0m  y"


def test_a_table_without_rows_has_its_headings() -> None:
    """Nothing found is shown as nothing found."""
    assert list(table_lines((Column(heading="task"),), [], screen(80))) == ["task", "----"]


@given(
    rows=st.lists(
        st.tuples(*[st.text("abc -.", max_size=90).map(lambda text: " ".join(text.split()))] * 3), max_size=6
    ),
    width=st.integers(60, 200),
)
def test_nothing_is_lost_and_nothing_is_wider_than_the_screen(rows: list[tuple[str, str, str]], width: int) -> None:
    """However cells are broken, all their characters are there."""
    columns = [Column(heading=heading) for heading in ("one", "two", "three")]
    heading, rule, *lines = table_lines(columns, rows, screen(width))
    assert max(len(line) for line in (heading, rule, *lines)) <= width
    assert sorted("".join(lines).replace(" ", "")) == sorted("".join("".join(row) for row in rows).replace(" ", ""))


@pytest.mark.parametrize("columns", ["40", "200"])
def test_the_width_that_is_asked_for_holds_for_a_pipe_too(columns: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """`COLUMNS=100 fleet plan | less`."""
    from fleet.tables import find_screen

    monkeypatch.setenv("COLUMNS", columns)
    assert find_screen().width == int(columns)
