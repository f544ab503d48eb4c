"""What the catalogue should say, written where it says it."""

from pathlib import Path
from typing import Any

import pytest

from fleet.environment import default_environment
from fleet.errors import FleetError
from fleet.loading import draft_stack_plan
from fleet.measure.consequences import Simulated, consequences
from fleet.measure.judging import measure
from fleet.measure.observation import Look, Observation
from fleet.measure.proposing import Proposal, propose
from tests.fleet.measure.seen import STACK, arrivals, observation, runs

MAIN = """\
# Our queues.
application: shop.celery:app
defaults:
  wait: {promise: 30s} # as agreed
queues:
  mail: # letters
    tasks: [shop.tasks.*]
    profile: io
    runtime: {mean: "100ms", p99: 400ms, limit: 2s} # by hand
    load: {peak: 600/min} # Mondays
    memory: 40Mi
"""
TWICE = {"runs": runs(0.2, 0.8, 100_000)}


def proposed(folder: Path, seen: dict[str, Observation], main: str = MAIN, **parts: str) -> Proposal:
    """The proposal for a catalogue; `parts` are files of its folder."""
    (folder / "queues.yaml").write_text(main)
    for name, text in parts.items():
        (folder / "queues.d").mkdir(exist_ok=True)
        (folder / "queues.d" / f"{name}.yaml").write_text(text)
    path = folder / "queues.yaml"
    drafted = draft_stack_plan(path, STACK, root=folder, shown_as="queues.yaml")
    assert drafted.plan is not None
    assert drafted.catalogue is not None
    assert drafted.errors == []
    look = Look(source="a test", seconds=86_400, queues=seen)
    measured = measure(drafted.plan, drafted.catalogue, default_environment(STACK), look)
    return propose(path, drafted.source, drafted.catalogue.queues, measured)


@pytest.mark.parametrize(
    ("seen", "changes"),
    [
        pytest.param({}, [], id="nothing-where-all-is-right"),
        pytest.param(TWICE, [("runtime.mean", "100ms", "200ms"), ("runtime.p99", "400ms", "800ms")], id="both-runtimes"),
        pytest.param({"runs": runs(0.155, 0.4, 100_000)}, [("runtime.mean", "100ms", "155ms")], id="a-mean-of-three-digits"),
        pytest.param(
            {"runs": runs(0.2, 0.8, 500)}, [("runtime.mean", "100ms", "200ms"), ("runtime.p99", "400ms", "800ms")],
            id="p99-keeps-its-ratio-where-only-the-mean-is-sure",
        ),
        pytest.param(
            {"runs": runs(0.5, 0.4, 100_000)}, [("runtime.mean", "100ms", "500ms"), ("runtime.p99", "400ms", "500ms")],
            id="p99-is-never-below-the-mean",
        ),
        pytest.param(
            {"runs": runs(1.5, 3.0, 100_000)}, [("runtime.mean", "100ms", "1.5s"), ("runtime.p99", "400ms", "2s")],
            id="p99-is-never-above-the-limit",
        ),
        pytest.param({"runs": runs(0.2, 0.8, 20)}, [], id="nothing-from-twenty-tasks"),
        pytest.param({"arrivals": arrivals(15.2)}, [("load.peak", "600/min", "910/min")], id="a-peak-in-the-unit-that-stands-there"),
        pytest.param({"peak_resident_bytes": (112 + 4 * 60.2) * 2**20}, [("memory", "40Mi", "61Mi")], id="memory-in-whole-mebibytes"),
    ],
)  # fmt: skip
def test_only_what_differs_enough_is_proposed(
    seen: dict[str, Any], changes: list[tuple[str, str, str]], tmp_path: Path
) -> None:
    found = proposed(tmp_path, {"mail": observation(**seen)})
    assert [(change.path, change.before, change.after) for change in found.changes] == changes
    assert bool(found.files) == bool(changes)


def test_the_diff_is_of_the_lines_that_change_with_their_comments_and_quotes(tmp_path: Path) -> None:
    """As `git apply` takes it."""
    found = proposed(tmp_path, {"mail": observation(**TWICE, arrivals=arrivals(20))})
    assert found.diff.splitlines()[:2] == ["--- a/queues.yaml", "+++ b/queues.yaml"]
    assert [line for line in found.diff.splitlines()[2:] if line[0] in "+-"] == [
        '-    runtime: {mean: "100ms", p99: 400ms, limit: 2s} # by hand',
        "-    load: {peak: 600/min} # Mondays",
        '+    runtime: {mean: "200ms", p99: 800ms, limit: 2s} # by hand',
        "+    load: {peak: 1200/min} # Mondays",
    ]


def test_what_a_queue_takes_from_defaults_it_then_states_itself(tmp_path: Path) -> None:
    """Others keep the default; memory that nobody stated is stated too."""
    main = """\
application: shop.celery:app
defaults:
  runtime: {mean: 100ms, p99: 400ms, limit: 2s}
queues:
  mail:
    tasks: [shop.mail.*]
    profile: io
    load: {peak: 600/min} # Mondays
  # quiet
  other: {tasks: [shop.other.*], profile: io, load: {peak: 1/s}}
"""
    seen = observation(**TWICE, peak_resident_bytes=(112 + 4 * 100) * 2**20)
    found = proposed(tmp_path, {"mail": seen, "other": observation(arrivals=())}, main)
    assert [(change.path, change.before, change.after) for change in found.changes if change.queue == "mail"] == [
        ("runtime.mean", "100ms", "200ms"),
        ("runtime.p99", "400ms", "800ms"),
        ("memory", None, "100Mi"),
    ]
    assert "    runtime: {mean: 200ms, p99: 800ms}\n    memory: 100Mi\n  # quiet\n" in found.texts["queues.yaml"]


def test_a_queue_is_changed_in_its_own_file(tmp_path: Path) -> None:
    part = """\
queues:
  bills:
    tasks: [shop.bills.*] # of March
    profile: io
    runtime: {mean: 100ms, p99: 400ms, limit: 2s}
    load: {peak: 1/s}
"""
    found = proposed(tmp_path, {"bills": observation(**TWICE, arrivals=())}, bills=part)
    assert list(found.files) == [tmp_path / "queues.d" / "bills.yaml"]
    assert "+++ b/queues.d/bills.yaml" in found.diff
    assert "# of March" in found.texts["queues.d/bills.yaml"]


def test_an_anchor_is_left_to_a_person_and_the_rest_is_changed(tmp_path: Path) -> None:
    """Its value is another queue's too."""
    main = f"{MAIN.replace('runtime: {', 'runtime: &usual {')}  bills:\n    tasks: [bills.*]\n    profile: io\n    runtime: *usual\n    load: {{peak: 1/s}}\n"
    found = proposed(tmp_path, {"mail": observation(**TWICE, arrivals=arrivals(20))}, main)
    assert [change.path for change in found.changes] == ["load.peak"]
    assert [(refusal.path, refusal.after, refusal.where) for refusal in found.refusals] == [
        ("runtime.mean", "200ms", "queues.yaml:9:14"),
        ("runtime.p99", "800ms", "queues.yaml:9:14"),
    ]


def test_what_was_written_asks_for_nothing_more(tmp_path: Path) -> None:
    """The same figures against the catalogue that they made."""
    seen = {"mail": observation(**TWICE, arrivals=arrivals(20), peak_resident_bytes=(112 + 4 * 90) * 2**20)}
    first = proposed(tmp_path, seen)
    assert len(first.changes) == 4
    assert proposed(tmp_path, seen, first.texts["queues.yaml"]).changes == ()


def test_a_file_that_is_gone_is_a_finding(tmp_path: Path) -> None:
    path = tmp_path / "queues.yaml"
    path.write_text(MAIN)
    drafted = draft_stack_plan(path, STACK, root=tmp_path)
    path.unlink()
    with pytest.raises(FleetError, match="cannot be read"):
        propose(path, drafted.source, {}, [])


def test_a_change_that_the_checks_refuse_has_their_findings_and_no_consequences(tmp_path: Path) -> None:
    """A multiplier of the prefetch is for means under 20 ms; the measured one is 100 ms."""
    main = MAIN.replace('"100ms", p99: 400ms', "10ms, p99: 40ms") + "    args: {prefetch_multiplier: 4}\n"
    found = proposed(tmp_path, {"mail": observation(arrivals=())}, main)
    before = draft_stack_plan(tmp_path / "queues.yaml", STACK, root=tmp_path, explain=True)
    follows = consequences(before, found, default_environment(STACK), simulate=None)
    assert follows.comparison is None
    assert [finding.path for finding in follows.findings] == ["queues.mail.args.prefetch_multiplier"]


def test_both_plans_are_tried_on_the_tasks_that_were_measured(tmp_path: Path) -> None:
    """First the old plan under the new figures, then the new one; a change of memory alone tries nothing."""
    tried = []

    def simulate(planned: Any, actual: Any) -> Simulated:
        tried.append((planned.promise.mean_seconds, actual.promise.mean_seconds))
        return Simulated(kept=True, traces_kept=10, traces=10, worst_trace="steady", within_percent=99.0)

    for seen in (observation(**TWICE), observation(peak_resident_bytes=2**30)):
        found = proposed(tmp_path, {"mail": seen})
        before = draft_stack_plan(tmp_path / "queues.yaml", STACK, root=tmp_path, explain=True)
        follows = consequences(before, found, default_environment(STACK), simulate=simulate)
        assert follows.comparison is not None
        assert [change.queue for change in follows.comparison.queues] == ["mail"]
    assert tried == [(0.1, 0.2), (0.2, 0.2)]
