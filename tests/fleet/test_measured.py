"""What the documents quote of measurements is what was measured."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
ROWS = re.findall(
    r"^\| ([a-z]\w*(?:\.\w+)+) \| ([^|]*?) \|",
    (ROOT / "docs/explanation/throughput.md").read_text(encoding="utf-8"),
    re.MULTILINE,
)


def figures(name: str) -> Any:
    return json.loads((ROOT / f"bench/results/{name}.json").read_text(encoding="utf-8"))["figures"]


@pytest.mark.parametrize(("path", "value"), ROWS, ids=[path for path, _ in ROWS])
def test_a_quoted_figure_is_the_one_of_the_results_file(path: str, value: str) -> None:
    found = figures("throughput")
    for key in path.split("."):
        found = found[key]
    assert value == str(found)


def test_no_malformed_message_or_request_was_taken_up_or_lost() -> None:
    """The page says so in words."""
    found = figures("malformed")
    messages, requests = found["messages"], found["requests"]
    assert messages["sent"] + requests["sent"] == 10_000
    assert (messages["dead_lettered"], requests["refused"]) == (messages["sent"], requests["sent"])
    assert [messages["ran"], messages["workers_ended"], requests["published"], requests["processes_ended"]] == [0] * 4
