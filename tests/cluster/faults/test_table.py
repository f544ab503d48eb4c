"""What the documents say of the faults stands in the results file."""

from bench.results_file import load_figures
from bench.soak_table import BEGIN, DOCUMENT, END, NAME, section


def test_the_table_in_the_documents_is_that_of_the_results_file() -> None:
    """Written by `python -m bench.soak`, never typed."""
    quoted = DOCUMENT.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]
    assert quoted == section(load_figures(NAME))
