"""From two sides of the project's files to what a preview says of the catalogue: words, promises, cost."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from fleet.comparing import Comparison, compare
from stacks.review.gates import Status, judge
from stacks.review.model import FORMAT, Preview
from stacks.review.recording import main, read_side, record_preview
from stacks.review.summary import change_line
from stacks.review.words import sentences
from tests.stacks.review.samples import DEPLOYMENT, ended, planned, said

ROOT = Path(__file__).resolve().parents[3]
STACK = "prod"
STATED = "  celery-fleet:environment:"


CATALOGUE = """\
application: app.celery_app:celery_app
queues:
  mail:
    tasks: [app.tasks.mail.*]
    profile: io
    runtime: {mean: 300ms, p99: 1200ms, limit: 10s}
    load: {peak: 2/s}
    wait: {promise: 2m}
    memory: 40Mi
    idempotent: true
    capacity: spot
  reports:
    tasks: [app.tasks.reports.*]
    profile: cpu
    runtime: {mean: 40s, p99: 4m, limit: 10m}
    load: {peak: 0.2/s}
    wait: {promise: 10m}
    memory: 200Mi
    replicas: {min: 0}
"""


simulated = pytest.mark.scan
"""A change on which `fleet simulate` is asked about promises, half a second for each of its queues and sides."""


@pytest.fixture
def sides(tmp_path: Path) -> tuple[Path, Path]:
    """A small catalogue with the repository's settings, twice."""
    for side in ("base", "head"):
        (tmp_path / side).mkdir()
        (tmp_path / side / "queues.yaml").write_text(CATALOGUE)
        shutil.copy(ROOT / f"Pulumi.{STACK}.yaml", tmp_path / side)
    return tmp_path / "base", tmp_path / "head"


def edit(folder: Path, before: str, after: str, *, name: str = "queues.yaml") -> None:
    text = (folder / name).read_text()
    assert before in text
    (folder / name).write_text(text.replace(before, after))


def recorded(sides: tuple[Path, Path] | tuple[None, Path], events: Sequence[str] = (), **more: object) -> Preview:
    base, head = sides
    fields: dict[str, object] = {"base_name": "main", "imagined": True, "stood_in": (), **more}
    return record_preview([*events, ended()], stack=STACK, head=head, base=base, **fields)  # type: ignore[arg-type]  # each in its place


def compared(sides: tuple[Path, Path]) -> Comparison:
    before, after = (read_side(side, STACK) for side in sides)
    assert before is not None
    assert after is not None
    return compare(before.draft, after.draft)


def failed(preview: Preview) -> list[str]:
    return [item.gate.id for item in judge([preview]) if item.status is Status.FAILED]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        pytest.param(("peak: 0.2/s", "peak: 0.3/s"), ["queue reports: max replicas 18 -> 26 because peak 0.2/s -> 0.3/s"], id="one-line"),
        pytest.param(("    capacity: spot\n", ""), ["queue mail: capacity spot -> on-demand"], id="a-field-that-goes"),
        pytest.param(
            ("  reports:", "  accounts:"), ["queue reports goes", "queue accounts is new", "pods roll that change in nothing else: mail"],
            id="a-queue-is-renamed",
        ),
        pytest.param(("peak: 0.2/s", "peak: 0.20/s"), [], id="the-same-in-other-letters"),
    ],
)  # fmt: skip
def test_a_change_is_told_in_the_catalogue_s_words(
    sides: tuple[Path, Path], change: tuple[str, str], told: list[str]
) -> None:
    """With what was written as its reason."""
    edit(sides[1], *change)
    found = list(sentences(compared(sides)))
    for sentence in told:
        assert any(text.startswith(sentence) for text in found), found
    assert bool(found) is bool(told)


@simulated
def test_a_change_of_the_environment_is_its_own_reason(sides: tuple[Path, Path]) -> None:
    """No line of the catalogue changed."""
    edit(
        sides[1],
        "  celery-fleet:environment:",
        "  celery-fleet:environment:\n    loadFactor: 2",
        name="Pulumi.prod.yaml",
    )
    comparison = recorded(sides).comparison
    assert comparison is not None
    assert any("because of the environment's settings" in sentence for sentence in sentences(comparison))


@simulated
def test_promises_and_cost_are_told_before_and_after(sides: tuple[Path, Path]) -> None:
    """Of the queue that changes alone, and of the stack as a whole."""
    edit(sides[1], "peak: 0.2/s", "peak: 0.3/s")
    found = recorded(sides)
    (promise,) = found.promises
    assert (promise.queue, promise.promise) == ("reports", "95 % within 10m")
    assert promise.before is not None
    assert promise.before.kept
    assert promise.after.kept
    assert found.cost.before is not None
    assert found.cost.after is not None
    assert found.cost.after.peak > found.cost.before.peak
    assert failed(found) == []
    # No event said that a resource changes; the words are told all the same.
    assert change_line([found]).endswith("because peak 0.2/s -&#62; 0.3/s (no resource changes).")


@simulated
def test_a_promise_that_the_plan_breaks_fails_its_gate(sides: tuple[Path, Path]) -> None:
    """Pods that start too late for a queue that may sleep."""
    edit(sides[1], STATED, f"{STATED}\n    startup: 20m", name="Pulumi.prod.yaml")
    assert "promise" in failed(recorded(sides))


@simulated
def test_a_queue_that_goes_fails_its_gate(sides: tuple[Path, Path]) -> None:
    """Although the engine alone would delete it without a word."""
    edit(sides[1], "  reports:", "  accounts:")
    assert failed(recorded(sides)) == ["remove-queue"]


@simulated
def test_a_fourfold_load_fails_the_gate_of_cost(sides: tuple[Path, Path]) -> None:
    """By the plan's own count."""
    edit(sides[1], "peak: 0.2/s", "peak: 0.8/s")
    assert "cost" in failed(recorded(sides))


def test_nothing_changed_is_nothing_told(sides: tuple[Path, Path]) -> None:
    """No false alarm, and no simulation that nobody asked for."""
    found = recorded(sides, [planned("same", DEPLOYMENT, "web", old={"a": "1"}, new={"a": "1"})])
    assert (found.steps, found.promises, found.unchanged, failed(found)) == ((), (), 1, [])


@simulated
def test_without_a_base_all_promises_are_asked_for(sides: tuple[Path, Path]) -> None:
    """A first deploy promises everything anew."""
    found = recorded((None, sides[1]), base_name=None)
    assert [item.queue for item in found.promises] == ["mail", "reports"]
    assert (found.comparison, found.cost.before) == (None, None)


@pytest.mark.parametrize(
    ("events", "more", "errors"),
    [
        pytest.param([said("error", "queues.yaml:3:1: wrong")], {"failed": True}, ("queues.yaml:3:1: wrong",), id="the-program-s-findings"),
        pytest.param([], {"failed": True, "said": "error: no backend\n"}, ("error: no backend",), id="the-cli-s-own-words"),
        pytest.param([], {"failed": True}, ("the engine ended without a word",), id="nothing-at-all"),
        pytest.param([], {"problems": ("dev of the base: broken",)}, ("dev of the base: broken",), id="a-base-that-cannot-be-brought-up"),
        pytest.param([said("error", "as it is currently marked for protection")], {"failed": True}, (), id="what-the-gates-say-themselves"),
    ],
)  # fmt: skip
def test_what_cannot_be_previewed_says_why(
    sides: tuple[Path, Path], events: list[str], more: dict[str, object], errors: tuple[str, ...]
) -> None:
    """And is never taken for a change that does nothing."""
    assert recorded(sides, events, **more).errors == errors


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda head: edit(head, "p99: 4m", "p99: 15m"), id="a-catalogue-with-findings"),
        pytest.param(lambda head: (head / "queues.yaml").write_text("{"), id="a-catalogue-that-is-no-yaml"),
        pytest.param(lambda head: (head / "queues.yaml").unlink(), id="no-catalogue"),
        pytest.param(lambda head: (head / "Pulumi.prod.yaml").write_text("config: ["), id="settings-that-are-no-yaml"),
    ],
)
def test_bad_files_leave_the_catalogue_s_side_out(sides: tuple[Path, Path], spoil: Callable[[Path], object]) -> None:
    """The program tells what is wrong with them; no traceback hides that."""
    spoil(sides[1])
    found = recorded(sides, [said("error", "what the program says")])
    assert (found.comparison, found.promises) == (None, ())
    assert found.errors == ("what the program says",)


def test_both_files_are_written(sides: tuple[Path, Path], tmp_path: Path) -> None:
    """The one that programs read and the one that people do."""
    events = tmp_path / "events"
    events.write_text("\n".join([planned("create", DEPLOYMENT, "web", new={}), ended()]))
    base, head = (str(side) for side in sides)
    out = tmp_path / "preview" / STACK
    words = ["--stack", STACK, "--events", str(events), "--head", head, "--base", base, "--out", str(out)]
    assert main([*words, "--base-name", "main", "--imagined"]) == 0
    assert f'"format": {FORMAT}' in (out / "preview.json").read_text()
    assert "**prod**: 1 created" in (out / "preview.md").read_text()
    assert main([*words, "--problem", "no base"]) == 1
