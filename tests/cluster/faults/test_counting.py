"""The counts of a fault, from answers and from what a sink was told: no cluster is needed to see that a loss would be found."""

from collections.abc import Sequence
from typing import Any

import pytest

from tests.cluster.faults.counting import ONCE, Event, count, without_effect
from tests.cluster.faults.fault import Fault, Outcome, violations
from tests.cluster.faults.load import Accepted, Answers
from tests.cluster.faults.table import FAULTS, IN_CI

WORK = "faults.work"


def answers(*tasks: tuple[str, str], at: float = 100.0) -> Answers:
    """Each (id, task) was accepted then."""
    accepted = {task_id: Accepted(task=task, sent_at=at - 1, answered_at=at) for task_id, task in tasks}
    return Answers(accepted=accepted)


def events(*told: tuple[str, str, str], at: float = 101.0) -> list[Event]:
    """Each (what, id, task), a second apart."""
    return [
        Event(what=what, id=task_id, task=task, at=at + number, pod="pod")
        for number, (what, task_id, task) in enumerate(told)
    ]


RAN = (("started", "a", WORK), ("done", "a", WORK))
CHARGED = (("started", "a", ONCE), ("done", "a", ONCE))


@pytest.mark.parametrize(
    ("accepted", "told", "dead", "expected"),
    [
        pytest.param([("a", WORK)], RAN, [], {"done": 1, "lost": 0, "longest_wait_seconds": 1.0}, id="done"),
        pytest.param([("a", WORK), ("b", WORK)], RAN, [], {"accepted": 2, "done": 1, "lost": 1}, id="never-seen"),
        pytest.param([("a", WORK)], RAN[:1], [], {"done": 0, "lost": 1}, id="started-and-not-ended"),
        pytest.param([("a", WORK)], RAN[:1], ["a"], {"lost": 0, "dead_lettered": 1}, id="given-up"),
        pytest.param([("a", WORK)], RAN, ["a"], {"done": 1, "dead_lettered": 0}, id="done-and-a-dead-letter-too"),
        pytest.param([], RAN, ["z"], {"accepted": 0, "done": 0, "dead_lettered": 0}, id="nothing-was-promised"),
        pytest.param([("a", WORK)], (*RAN[:1], *RAN), [], {"duplicated": 0, "started_again": 1}, id="run-again"),
        pytest.param([("a", WORK)], (*RAN, *RAN), [], {"duplicated": 1, "started_again": 1}, id="two-effects"),
        pytest.param([], (*RAN, *RAN), [], {"duplicated": 1, "started_again": 1}, id="two-effects-of-no-promise"),
        pytest.param(
            [("a", ONCE)], (*CHARGED, *CHARGED), [],
            {"duplicated": 0, "started_again": 0, "once_second_effects": 1, "once_started_again": 1},
            id="two-effects-of-a-task-that-runs-once",
        ),
        pytest.param(
            [("a", ONCE)], (*CHARGED, ("started", "a", ONCE), ("there", "a", ONCE)), [],
            {"done": 1, "once_second_effects": 0, "once_started_again": 1},
            id="a-later-holder-that-finds-the-effect",
        ),
    ],
)  # fmt: skip
def test_each_task_is_counted_by_its_id(
    accepted: Sequence[tuple[str, str]],
    told: Sequence[tuple[str, str, str]],
    dead: list[str],
    expected: dict[str, Any],
) -> None:
    """From both sides: what was promised, and what happened."""
    counts = vars(count(answers(*accepted), events(*told), dead))
    assert {name: counts[name] for name in expected} == expected


def test_what_had_no_effect_is_named_with_what_is_known_of_it() -> None:
    """A reader of the failure has to see whether a task was lost, or failed."""
    told = events(("started", "b", WORK), *((what, "d", task) for what, _, task in RAN))
    found = without_effect(answers(("a", WORK), ("b", ONCE), ("d", WORK)), told, {"b": "TimeoutError"})
    assert list(found) == [
        "faults.work[a] in no dead-letter queue, never started",
        "faults.charge[b] a dead letter (TimeoutError), started 1.0 s later in pod",
    ]


def outcome(told: Sequence[tuple[str, str, str]] = RAN, *, unanswered: int = 0, **fields: Any) -> Outcome:
    given = answers(("a", WORK))
    given.unanswered = unanswered
    plain: dict[str, Any] = {
        "counts": count(given, events(*told), []),
        "in_flight": 0,
        "expected_dead": 0,
        "first_start_seconds": None,
        "unexpected": (),
        "without_effect": (),
        "left": {},
        "seconds": 1.0,
        "notes": {},
    }
    return Outcome(**{**plain, **fields})


def _strike(scene: object) -> None:
    """Does nothing."""


FAULT = Fault(name="none", says="nothing", strike=_strike, again="nothing", first_start_seconds=15)


@pytest.mark.parametrize(
    ("found", "violated"),
    [
        pytest.param(outcome(first_start_seconds=3.0), 0, id="all-is-well"),
        pytest.param(outcome(RAN[:1], first_start_seconds=3.0), 1, id="a-lost-task"),
        pytest.param(outcome((*RAN, *RAN), first_start_seconds=3.0), 1, id="more-again-than-was-held"),
        pytest.param(outcome((*RAN, *RAN), first_start_seconds=3.0, in_flight=1), 0, id="as-many-again-as-were-held"),
        pytest.param(outcome(first_start_seconds=16.0), 1, id="a-late-first-start"),
        pytest.param(outcome(), 1, id="no-start-after-the-blow"),
        pytest.param(outcome(first_start_seconds=3.0, expected_dead=1), 1, id="no-dead-letter-where-one-has-to-be"),
        pytest.param(outcome(first_start_seconds=3.0, unexpected=("500",)), 1, id="an-answer-that-is-none"),
        pytest.param(outcome(first_start_seconds=3.0, unanswered=1), 1, id="a-request-that-hangs"),
        pytest.param(outcome(first_start_seconds=3.0, left={"work": 1}), 1, id="a-message-that-stays"),
    ],
)
def test_what_must_not_be_is_told(found: Outcome, violated: int) -> None:
    """One sentence each."""
    assert len(list(violations(FAULT, found))) == violated


def test_faults_have_names_of_their_own_and_those_of_continuous_integration_exist() -> None:
    names = [fault.name for fault in FAULTS]
    assert len(set(names)) == len(names)
    assert set(IN_CI) <= set(names)
