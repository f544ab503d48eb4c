"""The results of `bench.soak` as the tables of docs/explanation/faults.md, between two markers.

Invariant: no figure of that section is typed; a test compares the section with what stands in the results file.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bench.results_file import load_figures, write_section
from tests.cluster.faults.table import FAULTS

NAME = "faults"
DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "explanation" / "faults.md"
BEGIN, END = "<!-- figures: python -m bench.soak -->\n", "<!-- end of figures -->\n"

COLUMNS = {
    "accepted": "accepted",
    "done": "done",
    "dead_lettered": "dead letters",
    "lost": "lost",
    "duplicated": "duplicated",
    "started_again": "started again",
    "in_flight": "may start again",
    "once_second_effects": "`@once`: second effects",
    "once_started_again": "`@once`: started again",
    "longest_wait_seconds": "longest wait, s",
    "first_start_seconds": "first start, s",
    "refused": "503",
    "slowest_answer_seconds": "slowest answer, s",
    "runs_without_violation": "runs",
}


def section(figures: Mapping[str, Mapping[str, Any]]) -> str:
    """Everything between the markers."""
    return "\n".join([*_faults(), "", *_counts(figures), *_missing(figures), ""])


def _faults() -> Iterator[str]:
    yield "| fault | does | what may start again |"
    yield "|---|---|---|"
    for fault in FAULTS:
        yield f"| `{fault.name}` | {fault.says} | {fault.again} |"


def _counts(figures: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    yield f"| fault | {' | '.join(COLUMNS.values())} |"
    yield "|---|" + "---|" * len(COLUMNS)
    for fault in FAULTS:
        if fault.name in figures:
            cells = (str(figures[fault.name].get(column, "")) for column in COLUMNS)
            yield f"| `{fault.name}` | {' | '.join(cells)} |"


def _missing(figures: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    missing = [f"`{fault.name}`" for fault in FAULTS if fault.name not in figures]
    if missing:
        yield ""
        yield f"Not run yet: {', '.join(missing)}."


def write_document() -> None:
    """Write the section."""
    write_section(DOCUMENT, BEGIN, END, section(load_figures(NAME)))
