"""Writes the figures of the results file into docs/explanation/throughput.md, wherever a table names one."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.results_file import load_figures

PAGE = Path(__file__).resolve().parents[2] / "docs/explanation/throughput.md"
ROW = re.compile(r"^\| (?P<path>[a-z]\w*(?:\.\w+)+) \| (?P<value>[^|]*?) \|", re.MULTILINE)


def figure(figures: Mapping[str, Any], path: str) -> str:
    """The figure at a dotted path, as it stands in the file.

    Raises: KeyError where there is none.
    """
    found: Any = figures
    for key in path.split("."):
        found = found[key]
    return str(found)


def write_page() -> None:
    """Nothing but the values changes; one that has not been measured stays."""
    figures = load_figures("throughput")

    def row(found: re.Match[str]) -> str:
        try:
            return f"| {found['path']} | {figure(figures, found['path'])} |"
        except KeyError:
            return found[0]

    PAGE.write_text(ROW.sub(row, PAGE.read_text(encoding="utf-8")), encoding="utf-8")
