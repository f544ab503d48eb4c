"""One value of a YAML file is changed and the rest stays as a person wrote it."""

import stat
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from fleet.editing import read_exactly, set_value, write_changed
from fleet.errors import FleetError
from tests.fleet.strategies import catalogues

MEAN = ("queues", "high", "runtime", "mean")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(
            "queues:\n  high:\n    runtime: {mean: 80ms, p99: 400ms} # of orders\n",
            "queues:\n  high:\n    runtime: {mean: 160ms, p99: 400ms} # of orders\n",
            id="in-a-flow-mapping-with-a-comment-behind-it",
        ),
        pytest.param(
            "queues:\n  high:\n    runtime:\n      # measured in May\n      mean:   80ms   # too low\n      p99: 1s\n",
            "queues:\n  high:\n    runtime:\n      # measured in May\n      mean:   160ms   # too low\n      p99: 1s\n",
            id="in-a-block-between-comments",
        ),
        pytest.param(
            "queues: {high: {runtime: {'mean': '80ms'}}}", "queues: {high: {runtime: {'mean': '160ms'}}}",
            id="in-single-quotes-without-a-last-line-end",
        ),
        pytest.param(
            'queues:\n  high: {runtime: {mean: "80ms"}}\n', 'queues:\n  high: {runtime: {mean: "160ms"}}\n',
            id="in-double-quotes",
        ),
        pytest.param(
            "# größer, 日本\r\nqueues:\r\n  high: {runtime: {mean: 80ms}}\r\n",
            "# größer, 日本\r\nqueues:\r\n  high: {runtime: {mean: 160ms}}\r\n",
            id="behind-letters-of-several-bytes-with-the-line-ends-of-windows",
        ),
        pytest.param(
            "\ufeffqueues:\n  high: {runtime: {mean: 80ms}}\n", "\ufeffqueues:\n  high: {runtime: {mean: 160ms}}\n",
            id="behind-a-byte-order-mark",
        ),
        pytest.param(
            "queues:\n  high:\n    runtime: {p99: 1s} # no mean\n", "queues:\n  high:\n    runtime: {p99: 1s, mean: 160ms} # no mean\n",
            id="missing-in-a-flow-mapping",
        ),
        pytest.param(
            "queues:\n  high:\n    runtime:\n      p99: 1s # slow\n  # next\n  low: {}\n",
            "queues:\n  high:\n    runtime:\n      p99: 1s # slow\n      mean: 160ms\n  # next\n  low: {}\n",
            id="missing-in-a-block-before-a-comment",
        ),
        pytest.param(
            "queues:\n  high:\n    tasks:\n      - a\n      - b # last\n\nother: 1\n",
            "queues:\n  high:\n    tasks:\n      - a\n      - b # last\n    runtime: {mean: 160ms}\n\nother: 1\n",
            id="missing-with-its-mapping-behind-a-list",
        ),
        pytest.param(
            "queues:\n  high:\n    note: |\n      two\n      lines\n", "queues:\n  high:\n    note: |\n      two\n      lines\n    runtime: {mean: 160ms}\n",
            id="missing-with-its-mapping-behind-a-text-of-lines",
        ),
        pytest.param("queues: {high: {}}\n", "queues: {high: {runtime: {mean: 160ms}}}\n", id="missing-in-an-empty-mapping"),
        pytest.param(
            "queues:\n  high:\n    profile: io", "queues:\n  high:\n    profile: io\n    runtime: {mean: 160ms}\n",
            id="missing-at-the-end-of-a-file-without-a-last-line-end",
        ),
        pytest.param(
            "queues:\n  low: &base {memory: 60Mi}\n  high: {runtime: {mean: 80ms}}\n  other: *base\n",
            "queues:\n  low: &base {memory: 60Mi}\n  high: {runtime: {mean: 160ms}}\n  other: *base\n",
            id="beside-an-anchor-of-others",
        ),
    ],
)  # fmt: skip
def test_one_value_changes_and_nothing_else(before: str, after: str) -> None:
    assert set_value(before, "queues.yaml", MEAN, "160ms") == after


@pytest.mark.parametrize(
    ("text", "place"),
    [
        pytest.param("queues:\n  high:\n    runtime: &r {mean: 80ms}\n  low:\n    runtime: *r\n", "3:14", id="an-anchor-that-others-use"),
        pytest.param("queues:\n  low: {runtime: &r {mean: 80ms}}\n  high:\n    runtime: *r\n", "2:18", id="the-anchor-of-another-queue"),
        pytest.param("queues:\n  high:\n    runtime: {mean: &m 80ms}\n  low: {wait: *m}\n", "3:21", id="a-value-with-an-anchor"),
        pytest.param("queues:\n  high:\n    runtime: {mean: !!str 80ms}\n", "3:21", id="a-value-with-a-tag"),
        pytest.param("base: &b {runtime: {mean: 1s}}\nqueues:\n  high:\n    <<: *b\n", "4:5", id="what-a-merge-brings"),
        pytest.param("queues:\n  high:\n    runtime: {mean: [80ms]}\n", "3:21", id="a-list"),
        pytest.param("queues:\n  high:\n    runtime:\n      mean: |\n        80ms\n", "4:13", id="a-text-of-lines"),
        pytest.param("queues:\n  high: 3\n", "2:9", id="a-queue-that-is-none"),
    ],
)  # fmt: skip
def test_what_cannot_be_changed_alone_is_refused_at_its_place(text: str, place: str) -> None:
    with pytest.raises(FleetError) as refused:
        set_value(text, "queues.yaml", MEAN, "160ms")
    assert refused.value.where == f"queues.yaml:{place}"
    assert refused.value.problem.startswith("queues.high.runtime.mean ")
    assert refused.value.fix == "Write 160ms there yourself."


STYLES = st.sampled_from([None, True, False])


@given(catalogues(), st.data())
def test_whatever_the_catalogue_only_the_path_differs(raw: dict[str, Any], data: st.DataObject) -> None:
    """In both of YAML's styles; what is read afterwards is what was read before, but for the one value."""
    text = yaml.safe_dump(raw, sort_keys=False, default_flow_style=data.draw(STYLES), width=200)
    queue = data.draw(st.sampled_from(sorted(raw["queues"])))
    path = data.draw(st.sampled_from([("runtime", "mean"), ("runtime", "p99"), ("load", "peak"), ("memory",)]))
    changed = yaml.safe_load(set_value(text, "queues.yaml", ("queues", queue, *path), "7min"))
    inner = raw["queues"][queue]
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = "7min"
    assert changed == raw


def test_a_file_is_replaced_whole_and_keeps_its_mode(tmp_path: Path) -> None:
    file = tmp_path / "queues.yaml"
    file.write_bytes(b"a: 1\r\n")
    file.chmod(0o640)
    write_changed({file: (read_exactly(file), "a: 2\r\n")})
    assert file.read_bytes() == b"a: 2\r\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert list(tmp_path.iterdir()) == [file]


def test_nothing_is_written_over_what_changed_meanwhile(tmp_path: Path) -> None:
    """Not even the files that did not."""
    first, second = tmp_path / "a.yaml", tmp_path / "b.yaml"
    first.write_text("a: 1\n")
    second.write_text("b: an editor was here\n")
    with pytest.raises(FleetError, match="has changed meanwhile"):
        write_changed({first: ("a: 1\n", "a: 2\n"), second: ("b: 1\n", "b: 2\n")})
    assert (first.read_text(), second.read_text()) == ("a: 1\n", "b: an editor was here\n")


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    """What it points at is changed."""
    (tmp_path / "real.yaml").write_text("a: 1\n")
    link = tmp_path / "queues.yaml"
    link.symlink_to("real.yaml")
    write_changed({link: ("a: 1\n", "a: 2\n")})
    assert link.is_symlink()
    assert (tmp_path / "real.yaml").read_text() == "a: 2\n"


def test_a_folder_that_takes_no_file_is_a_finding(tmp_path: Path) -> None:
    file = tmp_path / "gone" / "queues.yaml"
    with pytest.raises(FleetError, match="cannot be read"):
        write_changed({file: ("", "a: 1\n")})
