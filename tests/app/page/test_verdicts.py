"""Whether a promise counts as kept, and the reasons that are given when it is not."""

import pytest

from app.minutes import Minute
from app.web.page.collecting import Source
from app.web.page.depths import Depth
from app.web.page.facts import facts_of, wait_within
from app.web.page.reasons import late_times, reasons
from app.web.page.verdicts import State, judge
from fleet.metrics import FinishedOutcome
from tests.app.documents import DEFAULT, HIGH, REPORTS
from tests.app.page.gathered import LAST, NOW, depth, facts, hour, snapshot

INFINITE = float("inf")
TASK = "shop.orders.confirm"


def minute(
    *,
    kept: int = 0,
    late: int = 0,
    ready: int = 0,
    run_seconds: float = 0.08,
    ended: dict[FinishedOutcome, int] | None = None,
) -> Minute:
    """A minute of `high`, whose promise is a second."""
    started = kept + late
    return Minute(
        number=0,
        started=started,
        waits={bound: count for bound, count in ((0.5, kept), (2.0, late)) if count},
        runs=started,
        run_seconds=started * run_seconds,
        ended={(TASK, outcome): count for outcome, count in (ended or {}).items()},
        ready={"high": ready},
        pods={"high": 1},
    )


NOTHING = Minute(number=0)


@pytest.mark.parametrize(
    ("latest", "high", "state"),
    [
        pytest.param([minute(kept=95, late=5)], depth(), State.KEPT, id="exactly-the-promised-share-is-kept"),
        pytest.param([minute(kept=949, late=51)], depth(), State.BROKEN, id="one-task-less-is-not"),
        pytest.param([minute(late=90), *[NOTHING] * 15], depth(), State.IDLE, id="what-is-long-over-is-over"),
        pytest.param([], depth(), State.IDLE, id="nothing-to-do"),
        pytest.param([minute(kept=9)], depth(5, 0), State.AT_RISK, id="tasks-wait-and-no-pod-is-there"),
        pytest.param([minute(kept=100)], depth(101), State.AT_RISK, id="more-waits-than-starts-within-the-promise"),
        pytest.param([minute(kept=100)], depth(100), State.KEPT, id="as-much-waits-as-starts-within-it"),
        pytest.param(
            [minute(kept=9), minute(ready=4), minute(ready=4)], depth(4), State.BROKEN, id="nothing-starts-for-a-minute"
        ),
        pytest.param([], Depth(ready=None, consumers=0, asked_at=NOW), State.IDLE, id="a-queue-that-is-not-there"),
        pytest.param([Minute(number=0, started=7)], depth(), State.UNKNOWN, id="nobody-says-when-its-tasks-were-due"),
    ],
)
def test_a_promise_is_judged_by_what_started(latest: list[Minute], high: Depth, state: State) -> None:
    """Eight slots at 80 ms a task start a hundred within the promised second."""
    assert judge(facts(HIGH, *latest, depths={"high": high})) is state


@pytest.mark.parametrize(
    "store",
    [
        pytest.param(Source(), id="never-answered"),
        pytest.param(Source(answered_at=NOW - 61, failing_since=NOW - 50), id="away-for-a-minute"),
    ],
)
def test_without_counts_no_promise_counts_as_kept(store: Source) -> None:
    known = snapshot(minutes={"high": hour(minute(kept=100))}, store=store)
    assert judge(facts_of(HIGH, known, now=NOW)) is State.UNKNOWN


def test_a_queue_that_the_broker_was_not_asked_about_is_no_idle_one() -> None:
    """Of two shards one has answered: how much waits is not known."""
    known = snapshot()
    one_shard = {name: found for name, found in known.depths.items() if name != "default-1"}
    found = facts_of(DEFAULT, snapshot().__class__(**{**vars(known), "depths": one_shard}), now=NOW)
    assert (found.ready, found.pods, judge(found)) == (None, None, State.UNKNOWN)


def test_shards_are_one_queue() -> None:
    """As old as what was asked longest ago."""
    both = {"default-0": depth(3, 2, seconds_ago=9), "default-1": depth(4, 1, seconds_ago=2)}
    found = facts(DEFAULT, depths=both)
    assert (found.ready, found.pods, found.asked_at) == (7, 3, NOW - 9)


def why(*latest: Minute, high: Depth) -> list[str]:
    known = facts(HIGH, *latest, depths={"high": high})
    return [reason.text for reason in reasons(known, judge(known), fleet="shop")]


@pytest.mark.parametrize(
    ("latest", "high", "said"),
    [
        pytest.param([minute(kept=9)], depth(), [], id="a-kept-promise-needs-none"),
        pytest.param(
            [minute(kept=9)],
            depth(1, 0),
            ["1 task waits and no pod is at work. One comes about 18 s after the first task."],
            id="no-pod",
        ),
        pytest.param(
            [minute(kept=9), minute(ready=4), minute(ready=4), minute(ready=4)],
            depth(4, 0),
            [
                "4 tasks wait and no pod is at work. Nothing has started for 2 min. One comes about 18 s after the first task."
            ],
            id="no-pod-for-long",
        ),
        pytest.param(
            [minute(kept=100)],
            depth(4000, 4),
            [
                "All 4 pods that it may have are at work: 4,000 tasks wait, about 10 s of work for the pods there are. \
More arrives than they can take; raise load.peak or replicas.max in the catalogue."
            ],
            id="at-the-maximum",
        ),
        pytest.param(
            [minute(kept=100)],
            depth(4000, 2),
            [
                "2 of 4 pods at most are at work: 4,000 tasks wait, about 20 s of work for the pods there are. More come within about 18 s."
            ],
            id="pods-are-on-their-way",
        ),
        pytest.param(
            [minute(kept=100), minute(ready=9), minute(ready=9), minute(ready=9)],
            depth(9, 2),
            ["Nothing has started for 2 min: 9 tasks wait and all slots are taken."],
            id="every-slot-is-taken",
        ),
        pytest.param(
            [minute(kept=100, run_seconds=0.16)],
            depth(),
            [
                "A task runs for 160 ms on average, 2.0 times the 80 ms that the catalogue states and the plan counts with: correct \
runtime.mean (fleet measure proposes it)."
            ],
            id="slower-than-declared-also-while-it-is-kept",
        ),
        pytest.param([minute(kept=19, run_seconds=0.16)], depth(), [], id="a-mean-of-few-says-nothing"),
        pytest.param(
            [minute(), minute(kept=9000, ready=600), NOTHING],
            depth(),
            ["160/s arrived in the busiest minute; the plan counts with 120/s at peak: correct load.peak."],
            id="more-arrives-than-declared",
        ),
        pytest.param(
            [minute(kept=8, ended={FinishedOutcome.LOST: 2, FinishedOutcome.RETRIED: 1, FinishedOutcome.SUCCEEDED: 6})],
            depth(),
            [
                "2 runs were cut short and had to begin again: a process, a pod or a connection was lost.",
                "11 % of the runs raised and are tried again; each takes a slot once more.",
            ],
            id="lost-and-tried-again",
        ),
        pytest.param(
            [minute(late=9), NOTHING],
            depth(),
            [
                "Tasks started late at 07:59 UTC. Nothing waits now; the promise counts as kept again once that is 15 min ago."
            ],
            id="a-burst-that-is-over",
        ),
        pytest.param(
            [Minute(number=0, started=7)],
            depth(),
            ["Its publishers do not say when their tasks were due, so nobody knows how long they waited."],
            id="nobody-says-when-they-were-due",
        ),
    ],
)
def test_why_a_promise_is_not_kept(latest: list[Minute], high: Depth, said: list[str]) -> None:
    assert why(*latest, high=high) == said


def test_a_reason_says_where_to_look() -> None:
    known = facts(REPORTS, depths={"reports": depth(1, 0)})
    (reason,) = reasons(known, judge(known), fleet="shop")
    assert reason.command == "kubectl -n shop get scaledobjects,pods -l celery-fleet/queue=reports"


def test_late_minutes_are_told_as_stretches() -> None:
    late, fine = minute(late=1), minute(kept=1)
    assert late_times(hour(late, late, late, fine, late, fine), 1.0) == "07:55 to 07:57, 07:59"
    assert LAST // 60 % 24 == 8


@pytest.mark.parametrize(
    ("waits", "percent", "bound"),
    [
        pytest.param({}, 95, None, id="none"),
        pytest.param({0.5: 95, 2.0: 5}, 95, 0.5, id="just-enough"),
        pytest.param({0.5: 94, 2.0: 6}, 95, 2.0, id="one-too-few"),
        pytest.param({0.5: 1, INFINITE: 1}, 95, INFINITE, id="beyond-every-bound"),
    ],
)
def test_a_percentile_is_the_bound_that_holds_so_many(
    waits: dict[float, int], percent: float, bound: float | None
) -> None:
    assert wait_within([Minute(number=0, waits=waits)], percent) == bound
