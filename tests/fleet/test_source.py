"""Whatever is in a file, a person gets findings with a place, never a traceback and never a machine out of memory."""

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from fleet.environment import CONFIG_KEY, default_environment, validate_environment
from fleet.errors import CatalogueError
from fleet.files import parse_catalogue
from fleet.loading import load_plan, plan_from_source
from fleet.parsing import parse_source
from tests.fleet.strategies import catalogues

DEV = default_environment("dev")


def refusal(folder: Path, content: str | bytes) -> CatalogueError:
    """What a file with this content is refused with."""
    path = folder / "queues.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(CatalogueError) as caught:
        load_plan(path, DEV, shown_as="queues.yaml")
    return caught.value


def bomb(template: str) -> str:
    """Nine anchors, each holding the one before nine times."""
    return "".join(
        template.format(name=chr(98 + step), items=",".join(["*" + chr(97 + step)] * 9)) for step in range(9)
    )


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        pytest.param("", "has no queues", id="an-empty-file"),
        pytest.param("- a\n- b\n", "has no queues", id="a-list"),
        pytest.param("queues: [a]\n", "is missing or is no mapping", id="queues-as-a-list"),
        pytest.param("a: [", "is no YAML", id="a-bracket-left-open"),
        pytest.param("a:\n\t- b", "is no YAML", id="a-tab-as-indentation"),
        pytest.param("a: 1\n---\nb: 2\n", "is no YAML", id="two-documents"),
        pytest.param("a: \0", "is no YAML", id="a-control-character"),
        pytest.param(b"\xff\xfe\xfd", "is not UTF-8", id="bytes-that-are-no-text"),
        pytest.param("a: " + "[" * 300_000, "nests more than 60 levels", id="nesting-that-would-exhaust-the-stack"),
        pytest.param("- " * 500 + "a", "nests more than 60 levels", id="nested-list-items"),
        pytest.param("queues: &a {x: *a}\n", "nests more than 60 levels", id="an-anchor-that-contains-itself"),
        pytest.param("queues: &a {<<: *a}\n", "nests more than 60 levels", id="a-merge-of-itself"),
        pytest.param(
            "a: &a [x]\n" + bomb("{name}: &{name} [{items}]\n"), "expands to more than", id="anchors-within-anchors"
        ),
        pytest.param(
            "a: &a {k: v}\n" + bomb("{name}: &{name} {{<<: [{items}]}}\n"),
            "expands to more than",
            id="merges-within-merges",
        ),
        pytest.param("a: " + "x" * 10_000_001, "more than 10000000 characters", id="a-file-that-is-no-catalogue"),
        pytest.param(
            "queues: {x: !!python/object/apply:os.getcwd []}\n", "is no mapping", id="a-tag-that-would-run-code"
        ),
        pytest.param("queues: {x: !!timestamp soon}\n", "is no mapping", id="a-timestamp-that-is-none"),
        pytest.param("queues: {x: !!bool perhaps}\n", "is no mapping", id="a-boolean-that-is-none"),
        pytest.param("queues: {x: !!int ''}\n", "is no mapping", id="a-number-that-is-none"),
        pytest.param("queues: {? [a, b] : {}}\n", "is no valid queue name", id="a-list-as-a-key"),
        pytest.param("queues: {1: {}}\n", "is no valid queue name", id="a-number-as-a-key"),
    ],
)
def test_a_hostile_file_is_refused_in_words(tmp_path: Path, content: str | bytes, problem: str) -> None:
    """Deep nesting, anchor bombs, foreign tags and text that is no YAML all end in a finding."""
    assert problem in str(refusal(tmp_path, content))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """The message names the file as the user wrote it."""
    with pytest.raises(CatalogueError, match=r"quues\.yaml: cannot be read: No such file"):
        load_plan(tmp_path / "quues.yaml", DEV, shown_as="quues.yaml")


def test_a_key_that_stands_twice_is_found_at_its_second_place() -> None:
    """YAML itself would keep the last one in silence."""
    (finding,) = parse_source("queues:\n  mail: {}\n  mail: {}\n", "queues.yaml").findings
    assert str(finding).startswith("queues.yaml:3:3: queues.mail stands twice\n")


def test_a_merge_key_lays_own_keys_over_what_is_merged() -> None:
    """`<<` works as in other YAML files."""
    text = "base: &base {a: 1, b: 2}\nown:\n  <<: *base\n  b: 3\n"
    assert parse_source(text, "f").data["own"] == {"a": 1, "b": 3}


@given(catalogues())
def test_what_was_written_is_read_back_the_same(raw: dict[str, Any]) -> None:
    """The reader with places sees the same data as PyYAML's own."""
    assert parse_source(yaml.safe_dump(raw), "f").data == raw


@given(st.text(max_size=200) | st.text(alphabet="ab:{}[]&*!<>?|-,#'\"\n ", max_size=80))
def test_random_text_never_ends_in_a_traceback(text: str) -> None:
    """Nothing a file can hold reaches the user as anything but findings."""
    check_text("f", text)


WRONG = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8) | st.integers(), inner, max_size=3),
    max_leaves=6,
)


def places(container: Any) -> Iterator[tuple[Any, Any]]:
    """Every value of nested data, as its container and its key."""
    keys = list(container) if isinstance(container, dict) else range(len(container))
    for key in keys:
        yield container, key
        if isinstance(container[key], dict | list):
            yield from places(container[key])


@given(catalogues(max_queues=2), st.data())
def test_a_value_of_any_wrong_kind_never_ends_in_a_traceback(raw: dict[str, Any], data: st.DataObject) -> None:
    """One value anywhere in a right catalogue is replaced by anything at all."""
    container, key = data.draw(st.sampled_from(list(places(raw))))
    container[key] = data.draw(WRONG)
    check_text("f", yaml.safe_dump(raw, allow_unicode=True))


@given(catalogues(max_queues=1), catalogues(max_queues=1), st.data())
def test_anything_in_a_further_file_or_in_the_settings_never_ends_in_a_traceback(
    raw: dict[str, Any], other: dict[str, Any], data: st.DataObject
) -> None:
    """A further file of anything, beside a right one, in an environment of anything."""
    part = data.draw(WRONG | st.fixed_dictionaries({"queues": st.just(other["queues"]), "defaults": WRONG}))
    wrong = {"config": {CONFIG_KEY: data.draw(WRONG | st.dictionaries(st.sampled_from(SETTINGS), WRONG, max_size=3))}}
    stated = parse_source(yaml.safe_dump(wrong), "s")
    environment, findings = validate_environment("dev", stated)
    texts = {"f": yaml.safe_dump(raw), "g": yaml.safe_dump(part)}
    with contextlib.suppress(CatalogueError):
        plan_from_source(replace(parse_catalogue(texts), settings=stated), environment, findings=findings)


def check_text(name: str, text: str) -> None:
    """Takes text through everything that a file goes through; only findings may come out."""
    try:
        findings = list(plan_from_source(parse_catalogue({name: text}), DEV).notes)
    except CatalogueError as error:
        findings = error.findings
    assert all(finding.problem and finding.fix and finding.file == name for finding in findings)


RIGHT = """\
application: shop.celery:app
queues:
  mail:
    tasks: [shop.tasks.*]
    profile: io
    runtime: {mean: 200ms, p99: 1s, limit: 10s}
    load: {peak: 10/s}
"""


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("\ufeff" + RIGHT, id="a-byte-order-mark"),
        pytest.param(RIGHT.replace("\n", "\r\n"), id="lines-as-windows-ends-them"),
        pytest.param(RIGHT.replace("  mail:", "  no:"), id="a-queue-named-no"),
        pytest.param(RIGHT + "    retries: {max: 1, on: [OSError]}\n", id="a-key-that-yaml-takes-for-a-boolean"),
        pytest.param(RIGHT + "    idempotent: yes\n", id="a-boolean-as-yaml-1.1-has-it"),
        pytest.param("%YAML 1.1\n---\n" + RIGHT + "...\n", id="directives-and-document-marks"),
    ],
)
def test_a_file_as_some_editors_write_it_is_read(text: str) -> None:
    """None of this is a mistake."""
    assert len(plan_from_source(parse_catalogue({"f": text}), DEV).queues) == 1


@pytest.mark.parametrize(
    ("line", "place", "problem"),
    [
        pytest.param("shards: 0x" + "f" * 5000, "8:5", "shards is '0xfff", id="a-number-of-thousands-of-digits"),
        pytest.param("shards: true", "8:5", "shards is true", id="a-truth-for-a-number"),
        pytest.param("shards: '2'", "8:5", "shards is '2'", id="a-text-for-a-number"),
        pytest.param("shards: 2.0", "8:5", "shards is 2.0", id="a-fraction-for-a-number"),
        pytest.param("idempotent: 1", "8:5", "idempotent is 1", id="a-number-for-a-truth"),
        pytest.param("wait: {percentile: .nan}", "8:12", "percentile is nan", id="no-number"),
        pytest.param("wait: {percentile: .inf}", "8:12", "percentile is inf", id="a-number-without-end"),
        pytest.param("memory: 2026-01-01", "8:5", "memory is wrong: 2026-01-01 is no text", id="a-date"),
        pytest.param("wait:", "8:5", "wait is null, no mapping", id="nothing"),
        pytest.param("wait: [1]", "8:5", "wait is [1], no mapping", id="a-list-for-a-mapping"),
        pytest.param("binds: {a: b}", "8:5", "binds is {'a': 'b'}", id="a-mapping-for-a-list"),
        pytest.param("<<: 3", "8:5", "<< merges something that is no mapping", id="a-merge-of-a-number"),
        pytest.param("wait: &a [*a]", "8:11", "nests more than 60 levels", id="an-anchor-in-itself"),
        pytest.param("memory: '\uff11Mi'", "8:5", "is no size", id="digits-of-another-script"),
        pytest.param(f"memory: '{'9' * 100_000}Mi'", "8:5", "is too long", id="a-quantity-of-many-digits"),
        pytest.param("on: 1", "8:5", "on is no known key", id="a-key-shown-as-it-is-written"),
        pytest.param('"\\ud800": 1', "8:8", "is no YAML", id="half-a-character"),
    ],
)
def test_a_value_of_a_wrong_kind_is_told_as_it_is_written(line: str, place: str, problem: str) -> None:
    """At its place, in YAML's words and not in Python's, and never longer than a line."""
    with pytest.raises(CatalogueError) as caught:
        plan_from_source(parse_catalogue({"f": f"{RIGHT}    {line}\n"}), DEV)
    (finding,) = caught.value.findings
    assert f"{finding.line}:{finding.column}" == place
    assert problem in f"{finding.path} {finding.problem}"
    assert len(finding.problem) < 200


def test_the_place_of_a_merged_key_is_the_one_that_counts() -> None:
    """Own keys win over merged ones wherever `<<` stands, and of several merges the first."""
    text = "a: &a {x: 1, y: 1}\nb: &b {x: 2, z: 2}\nc:\n  x: 3\n  <<: [*a, *b]\n"
    source = parse_source(text, "f")
    assert source.data["c"] == {"x": 3, "y": 1, "z": 2}
    assert [source.places["c", key] for key in "xyz"] == [(4, 3), (1, 14), (2, 14)]


SETTINGS = ["startup", "cpuScale", "loadFactor", "spot", "minimums", "nodeMemory", "broker"]
