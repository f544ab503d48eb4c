"""What the design document quotes as simulated stands in the results file."""

from bench.plan import NAME
from bench.plan_tables import BEGIN, DOCUMENT, END, section
from bench.results_file import load_figures


def test_the_figures_of_the_design_are_the_benchs() -> None:
    """Written by `python -m bench.plan_tables`, never typed."""
    quoted = DOCUMENT.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]
    assert quoted == section(load_figures(NAME))
