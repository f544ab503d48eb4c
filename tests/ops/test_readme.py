"""What the README quotes as measured stands in the results file."""

import json
import re

from ops.target import ROOT

ROW = re.compile(r"^\| .* \| `(?P<key>\w+)` \| (?P<value>[\d.]+) \|$", re.MULTILINE)


def test_every_figure_of_the_readme_is_the_benchs() -> None:
    """A figure is written by the bench and quoted, never typed from memory."""
    figures = json.loads((ROOT / "bench" / "results" / "first-fleet.json").read_text())["figures"]
    quoted = {row["key"]: float(row["value"]) for row in ROW.finditer((ROOT / "README.md").read_text())}
    assert quoted
    assert quoted == {key: figures[key] for key in quoted}
