"""What stands on the page: words, numbers and charts, whatever was gathered."""

import re
import xml.etree.ElementTree as ET
from dataclasses import replace

import msgspec
import pytest

from app.minutes import Minute
from app.web.page.charts import WaitBar, level_chart, wait_chart
from app.web.page.collecting import Snapshot, Source
from app.web.page.rendering import HEADERS, render_now, render_page
from app.web.page.verdicts import State
from app.web.page.view import PageView, headline, view_page
from app.web.page.words import about, age, exactly, percent
from fleet.documents import WebDocument
from fleet.metrics import FinishedOutcome
from tests.app.documents import PRODUCER, WEB
from tests.app.page.gathered import NOW, depth, hour, snapshot
from tests.app.page.reading import text_of

MARKUP = "<script>alert(1)</script>&\"'"


def view(known: Snapshot | None = None, document: WebDocument = WEB) -> PageView:
    return view_page(document, known or snapshot(), now=NOW)


def busy() -> Snapshot:
    """`high` is kept, `default` is broken, with failures and a dead letter."""
    failed = {
        ("shop.orders.confirm", FinishedOutcome.FAILED): 2,
        ("shop.orders.confirm", FinishedOutcome.SUCCEEDED): 98,
    }
    return snapshot(
        minutes={
            "high": hour(Minute(number=0, started=100, waits={0.5: 99, 2.0: 1}, runs=100, run_seconds=8, ended=failed)),
            "default": hour(Minute(number=0, started=10, waits={45.0: 10}, ready={"default-0": 900, "default-1": 300})),
        },
        depths={"default-0": depth(900, 3), "default-1": depth(300, 3), "high-dead": depth(4)},
    )


def test_the_page_answers_whether_each_promise_is_kept_and_why_not() -> None:
    """In words, without a picture, a colour or a script."""
    said = text_of(render_page(view(busy())))
    for words in (
        "Fleet shop, prod 08:00:30 UTC 1 of 3 promises is broken: default.",
        "high kept app.tasks.orders.*, shop.orders.* 95 % start within 1 s 99 % of 100 did in the last 15 min",
        "95 % waited 500 ms or less",
        "default broken app.tasks.mail.* 95 % start within 30 s 0 % of 10 did in the last 15 min",
        "1,200 highest 1,200 6 of 2 to 6 All 6 pods that it may have are at work: 1,200 tasks wait, about 15 s of work",
        "kubectl -n shop get scaledobjects,pods -l celery-fleet/queue=default",
        "reports idle app.tasks.reports.* 90 % start within 10 min none started in the last 15 min",
        "shop.orders.confirm high 2 0 0 0 100 08:00 UTC",
        "high 4 fleet dlq show high -s prod None of default, reports, unrouted.",
        "Results store, waits, runs and outcomes: read 2 s ago. Broker, messages and pods: read 1 s ago.",
    ):
        assert words in said


@pytest.mark.parametrize(
    ("states", "said"),
    [
        pytest.param("kept kept", "Every promise is kept.", id="all-kept"),
        pytest.param("kept idle", "Every promise is kept.", id="those-that-have-anything-to-do"),
        pytest.param("idle idle", "Nothing to do: no task waits, and none has started lately.", id="nothing-to-do"),
        pytest.param("broken", "1 of 1 promise is broken: q0.", id="the-only-one"),
        pytest.param("broken kept broken", "2 of 3 promises are broken: q0, q2.", id="two"),
        pytest.param(
            "broken kept at-risk unknown",
            "1 of 4 promises is broken: q0; 1 of 4 promises is at risk: q2; 1 of 4 promises is not known to be kept: q3.",
            id="the-worst-first",
        ),
        pytest.param("broken " * 5, "5 of 5 promises are broken: q0, q1, q2 and 2 more.", id="many"),
    ],
)
def test_the_headline_is_the_answer(states: str, said: str) -> None:
    found = [State(word.replace("-", " ")) for word in states.split()]
    assert headline({f"q{number}": state for number, state in enumerate(found)}) == said


@pytest.mark.parametrize(
    ("known", "words"),
    [
        pytest.param(
            Snapshot(),
            (
                "3 of 3 promises are not known to be kept",
                "messages and pods: not asked yet",
                "not known",
                "not asked yet",
            ),
            id="a-moment-after-the-start",
        ),
        pytest.param(
            snapshot(broker=Source(answered_at=NOW - 90, failing_since=NOW - 80, problem="ConnectionRefusedError")),
            ("messages and pods: read 1 s ago",),
            id="the-broker-answers-another-pod",
        ),
        pytest.param(
            snapshot(
                broker=Source(answered_at=NOW - 90, failing_since=NOW - 0.5, problem="ConnectionRefusedError"),
                depths={"high": depth(7, 2, seconds_ago=600)},
            ),
            (
                "no answer since 08:00:29 UTC (ConnectionRefusedError). Shown is what it said at 07:59:00 UTC",
                "7 10 min old",
            ),
            id="the-broker-is-away",
        ),
        pytest.param(
            snapshot(store=Source(failing_since=NOW - 30, problem="ConnectionError")),
            (
                "waits, runs and outcomes: no answer since 08:00:00 UTC (ConnectionError). It has never answered this pod.",
            ),
            id="the-results-store-is-away",
        ),
        pytest.param(
            snapshot(depths={"high-dead": depth(None)}), ("high the broker has no such queue",), id="a-missing-queue"
        ),
    ],
)
def test_what_is_old_or_unknown_says_so(known: Snapshot, words: tuple[str, ...]) -> None:
    said = text_of(render_page(view(known)))
    for expected in words:
        assert expected in said


def test_no_text_becomes_markup() -> None:
    """Names of tasks come from messages and from people; one that is markup stands there as it is written."""
    queue = msgspec.structs.replace(WEB.queues[0], tasks=(MARKUP,))
    document = msgspec.structs.replace(WEB, queues=(queue,), environment=MARKUP)
    known = replace(
        snapshot(minutes={"high": hour(Minute(number=0, ended={(MARKUP, FinishedOutcome.FAILED): 1}))}),
        store=Source(failing_since=NOW, problem=MARKUP),
    )
    page = render_page(view(known, document))
    assert page.count("<script>") == 1
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt;&amp;&#34;&#39;") >= 4


def test_a_browser_runs_and_loads_nothing_but_the_page() -> None:
    """No address, no handler and no style in the markup; what there is, is named by its hash."""
    page, policy = render_page(view(busy())), HEADERS["Content-Security-Policy"]
    assert not re.search(r"(?:src|href|action)=\"(?!data:,)|\son\w+=|\sstyle=", page)
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    assert HEADERS["Cache-Control"] == "no-store"


def test_the_content_is_well_formed_and_charts_have_words() -> None:
    """Each chart says in words what it shows, for those who do not see it."""
    root = ET.fromstring(  # noqa: S314 -- of our own making
        f"<div>{render_now(view(busy()))}</div>"
    )
    charts = root.findall(".//svg")
    assert len(charts) == 9
    assert all(chart.get("role") == "img" and chart.get("aria-label") for chart in charts)
    labels = [chart.get("aria-label") for chart in charts]
    assert labels[3] == (
        "Wait of 95 % of the tasks in each minute of the last hour, against the promise of 30 s: above it in 1 of 1 minutes with tasks."
    )
    assert labels[4] == "Tasks that waited in each minute of the last hour: 1,200 at most."


def test_a_long_list_of_failures_shows_the_worst() -> None:
    ended = {(f"shop.orders.t{number}", FinishedOutcome.FAILED): number for number in range(1, 31)}
    shown = view(snapshot(minutes={"high": hour(Minute(number=0, ended=ended))}))
    assert [row.failed for row in shown.failures] == list(range(30, 10, -1))
    assert shown.failures_left == 10


def test_every_queue_shows_as_many_pods_as_its_shards_have() -> None:
    (row,) = [row for row in view(busy()).queues if row.name == "default"]
    assert (row.ready, row.pods, row.pods_of) == ("1,200", "6", "of 2 to 6")


def test_waits_are_drawn_around_the_promise() -> None:
    """The promise is half way up; a sixteenth of it is the floor, sixteen times it the top, and longer is no higher."""
    ratios = (1.0, 16.0, float("inf"), 1 / 16, None)
    drawn = wait_chart([WaitBar(ratio=ratio, late=bool(ratio and ratio > 1)) for ratio in ratios], label="")
    kept, late, _ = (bars.path for bars in drawn.bars)
    assert drawn.line_y == 20
    assert kept == "M0 40v-20h3V40zM12 40v-1.5h3V40z"
    assert late == "M4 40v-40h3V40zM8 40v-40h3V40z"


def test_levels_are_drawn_up_to_the_highest_or_the_line() -> None:
    assert level_chart([0, 5, None, 10], highest=10, label="").bars[0].path == "M4 40v-20h3V40zM12 40v-40h3V40z"
    assert level_chart([5], highest=5, line=10, label="").line_y == 0


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        pytest.param(percent(94.99), "94.9 %", id="short-of-a-share-is-never-rounded-up-to-it"),
        pytest.param(percent(100), "100 %", id="all"),
        pytest.param(about(0.0123), "12 ms", id="milliseconds"),
        pytest.param(about(4.56), "4.6 s", id="seconds"),
        pytest.param(about(90), "90 s", id="a-minute-and-a-half"),
        pytest.param(about(900), "15 min", id="minutes"),
        pytest.param(about(7200), "2 h", id="hours"),
        pytest.param(exactly(5400), "1 h 30 min", id="as-it-was-stated"),
        pytest.param(exactly(0.08), "80 ms", id="as-it-was-stated-small"),
        pytest.param(age(14, 15), "", id="young"),
        pytest.param(age(16, 15), "16 s old", id="old"),
    ],
)
def test_numbers_are_written_for_people(said: str, expected: str) -> None:
    assert said == expected


def test_a_fleet_of_many_queues_is_a_page() -> None:
    """A hundred queues are rendered, each with its row."""
    queues = tuple(
        msgspec.structs.replace(WEB.queues[0], name=f"q{number}", shards=(f"q{number}",)) for number in range(100)
    )
    page = render_now(view(Snapshot(), msgspec.structs.replace(WEB, queues=queues, producer=PRODUCER)))
    assert page.count('scope="row"><span class="name">') == 100
