"""The plan as text and as a page."""

import re
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest

from fleet.environment import default_environment
from fleet.loading import load_plan
from fleet.page import plan_page
from fleet.plan import Plan
from fleet.records import Basis, Reason
from fleet.rendering import plan_lines, queue_cells, reason_cells, shared_rows
from fleet.tables import UNBOUNDED, Screen
from tests.fleet.strategies import Raw, load_from, sample_queue

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def plan() -> Plan:
    return load_plan(ROOT / "queues.yaml", default_environment("prod"), explain=True)


def many(count: int, folder: Path) -> Plan:
    queues = {f"q{number}": sample_queue(tasks=[f"shop.q{number}.*"]) for number in range(count)}
    return load_from({"application": "shop.celery:app", "queues": queues}, folder, explain=True)


@pytest.mark.parametrize(
    ("terminal", "explained"),
    [
        pytest.param(True, 0, id="a-terminal-is-not-scrolled-away"),
        pytest.param(False, 21, id="a-file-gets-all-of-them"),
    ],
)
def test_reasons_of_many_queues(terminal: bool, explained: int, tmp_path: Path) -> None:
    """A person looks at one queue; a file is searched."""
    lines = list(plan_lines(many(20, tmp_path), Screen(width=UNBOUNDED, styled=False, terminal=terminal)))
    assert sum(line.startswith("Why: ") for line in lines) == explained
    assert any("fleet why q0" in line for line in lines) is terminal


def cells(folder: Path, **fields: object) -> tuple[str, ...]:
    """The line of one queue."""
    raw = {"application": "shop.celery:app", "queues": {"mail": sample_queue(**fields)}}
    return queue_cells(load_from(raw, folder).queues[0])


def test_what_computes_and_what_waits_look_different(tmp_path: Path) -> None:
    """Pool, slots, CPU, its limit and the soft limit: at one look."""
    assert cells(tmp_path, profile="cpu")[3:6] == (
        "cpu: prefork, 1 slot(s)",
        "cpu 1 (limit 1), memory 240Mi",
        "soft 5s, hard 10s, grace 70s",
    )
    assert cells(tmp_path, profile="io")[3:6] == (
        "io: gevent, 4 slot(s)",
        "cpu 248m, memory 432Mi",
        "hard 10s, grace 70s",
    )


@pytest.mark.parametrize(
    ("fields", "worker", "limits"),
    [
        pytest.param(
            {"runtime": {"mean": "10ms", "p99": "20ms", "limit": "5s"}, "args": {"prefetch_multiplier": 4}},
            "io: gevent, 8 slot(s) x 4 held",
            "hard 5s, grace 65s",
            id="messages-held-ahead",
        ),
        pytest.param(
            {"pool": "prefork", "args": {"max_tasks_per_child": 100}, "retries": {"max": 5}},
            "io: prefork, 4 slot(s), 100 tasks a child",
            "soft 5s, hard 10s, grace 70s, 5 retries",
            id="children-and-retries",
        ),
        pytest.param(
            {"priority": {"shop.tasks.urgent": 9, "shop.tasks.bulk": 1}},
            "io: gevent, 4 slot(s), 2 priorities",
            "hard 10s, grace 70s",
            id="priorities",
        ),
    ],
)
def test_what_most_queues_do_not_have_is_shown_where_it_is(
    tmp_path: Path, fields: dict[str, object], worker: str, limits: str
) -> None:
    found = cells(tmp_path, **fields)
    assert (found[3], found[5]) == (worker, limits)


@pytest.mark.parametrize(
    ("policies", "pod"),
    [
        pytest.param([], "cpu 248m, memory 432Mi", id="no-role"),
        pytest.param(["reports"], "cpu 248m, memory 432Mi, 1 AWS policy", id="one"),
        pytest.param(["reports", "mail"], "cpu 248m, memory 432Mi, 2 AWS policies", id="two"),
    ],
)
def test_what_the_pods_may_do_in_aws_is_shown_beside_them(tmp_path: Path, policies: list[str], pod: str) -> None:
    assert cells(tmp_path, aws_policies=policies)[4] == pod


@pytest.mark.parametrize(
    ("fields", "load", "replicas"),
    [
        pytest.param({}, "10/s x 200ms", "1 .. 2", id="nothing-more"),
        pytest.param(
            {"binds": ["mail.#", "post.*"]}, "10/s x 200ms, 2 ingress patterns", "1 .. 2", id="other-publishers"
        ),
        pytest.param(
            {"shards": 2, "schedule": [
                {"from": "0 8 * * *", "to": "0 9 * * *", "min": 5}, {"from": "0 20 * * *", "to": "0 21 * * *", "min": 3},
            ]},
            "10/s x 200ms", "1 .. 5 a shard; from 5, 3 in known peaks", id="known-peaks",
        ),
        pytest.param(
            {"depends_on_downstream": {"name": "db", "limit": 4}},
            "10/s x 200ms", "1 .. 1; db takes 4 tasks", id="a-downstream",
        ),
    ],
)  # fmt: skip
def test_what_moves_the_bounds_is_shown_beside_them(
    tmp_path: Path, fields: dict[str, object], load: str, replicas: str
) -> None:
    found = cells(tmp_path, wait={"promise": "20m"}, **fields)
    assert (found[1], found[7]) == (load, replicas)


def test_the_patterns_of_other_publishers_stand_beside_the_queues(tmp_path: Path) -> None:
    """Which leads where; without any there is no such line."""
    queues = {
        "mail": sample_queue(tasks=["shop.mail.*"], binds=["mail.#", "post.*"]),
        "money": sample_queue(tasks=["shop.money.*"], binds=["money.#"]),
        "news": sample_queue(tasks=["shop.news.*"]),
    }
    assert ["ingress", "ingress (topic, not for Celery): mail.#, post.* to mail; money.# to money"] in shared(
        queues, tmp_path
    )
    del queues["mail"]["binds"], queues["money"]["binds"]
    assert "ingress" not in {row[0] for row in shared(queues, tmp_path)}


def shared(queues: dict[str, Raw], folder: Path) -> list[list[str]]:
    """What `fleet plan` shows beside the queues."""
    return [list(row) for row in shared_rows(load_from({"application": "shop.celery:app", "queues": queues}, folder))]


class Reader(HTMLParser):
    """Keeps the texts of a page and refuses tags that are not closed in order."""

    VOID = ("meta",)

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.texts: list[str] = []
        self.details = 0
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.links += [value or "" for name, value in attrs if name in ("src", "href")]
        self.details += tag == "details"
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert reader.open == []
    return reader


def test_the_page_shows_every_queue_and_every_reason(plan: Plan) -> None:
    """Each queue can be unfolded; each number stands with its arithmetic."""
    reader = read(plan_page(plan))
    assert reader.details == len(plan.queues) + 1
    for reason in plan.reasons:
        assert set(reason_cells(reason)) <= set(reader.texts)


def test_the_page_asks_no_network(plan: Plan) -> None:
    """It can be sent by mail and read without a connection."""
    page = plan_page(plan)
    assert read(page).links == []
    assert re.findall(r"url\(|@import|<script", page) == []


def test_the_page_shows_markup_as_text(plan: Plan) -> None:
    """Nothing from a catalogue becomes a part of the page."""
    attack = "<script>alert('x')</script>\" onload=\"&amp;"
    reason = Reason(
        path=f"high.{attack}", value=attack, basis=Basis.CHOSEN, formula=attack, because=attack, source=attack
    )
    queues = (msgspec.structs.replace(plan.queues[0], tasks=(attack,)), *plan.queues[1:])
    reader = read(plan_page(msgspec.structs.replace(plan, application=attack, reasons=(reason,), queues=queues)))
    assert (reader.texts.count(attack), reader.texts.count(f"{attack}: {attack}")) == (3, 1)
    assert f"takes {attack}" in reader.texts
