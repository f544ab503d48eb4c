"""What the README quotes as measured stands in the results files."""

import json
import re

from ops.target import ROOT

ROW = re.compile(r"^\| .* \| `(?P<key>\w+)` \| (?P<value>[\d.]+) \|$", re.MULTILINE)


RESULTS = re.compile(r"\]\((bench/results/[\w-]+\.json)\)")


def test_every_figure_of_the_readme_is_the_benchs() -> None:
    """A figure is written by the bench and quoted, never typed from memory; a table quotes the results file that is named before it."""
    _, *named = RESULTS.split((ROOT / "README.md").read_text())
    assert named[::2] == ["bench/results/first-fleet.json", "bench/results/plan.json"]
    for file, text in zip(named[::2], named[1::2], strict=True):
        figures = json.loads((ROOT / file).read_text())["figures"]
        quoted = {row["key"]: float(row["value"]) for row in ROW.finditer(text)}
        assert quoted
        assert quoted == {key: figures[key] for key in quoted}
