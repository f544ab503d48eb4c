"""Dead letters over a broker of lists: which are meant, and that none is lost whatever happens."""

import contextlib
import json
import os
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.dead_letters.__main__ import operator_connections
from app.dead_letters.mailbox import FullError, ReturnedError, StoppedError
from app.dead_letters.messages import Message, as_line, read_letter, replayed
from fleet.dead_letters import LetterAnswer, LetterOutcome
from fleet.errors import FleetError
from tests.app.letter_box import NOW, Box, dead, handler

ROOT = Path(__file__).parents[2]


def test_a_summary_counts_reasons_and_tasks() -> None:
    """Of those that it looked at; all are back afterwards."""
    letters = [dead(1), dead(2, "shop.pay", reason="delivery_limit"), dead(3), dead(4)]
    box = Box({"mail-dead": letters})
    (found,) = handler(box, "list", limit=3).summaries()
    assert (found.count, found.looked, found.reasons, found.tasks) == (
        4, 3, {"rejected": 2, "delivery_limit": 1}, {"shop.send": 2, "shop.pay": 1},
    )  # fmt: skip
    assert found.oldest_at == datetime(2026, 11, 26, 12, tzinfo=UTC).timestamp()
    assert box.ids("mail-dead") == ["1", "2", "3", "4"]


def test_a_summary_is_bounded_however_many_names_there_are() -> None:
    """A name is whatever a publisher wrote."""
    box = Box({"mail-dead": [dead(number, f"shop.{number}") for number in range(120)]})
    (found,) = handler(box, "list").summaries()
    assert (len(found.tasks), found.tasks["(others)"], sum(found.tasks.values())) == (51, 70, 120)


def test_a_queue_that_the_broker_does_not_have() -> None:
    """A summary says so; a command about it alone is an error."""
    box = Box({})
    (found,) = handler(box, "list").summaries()
    assert (found.count, found.looked) == (None, 0)
    with pytest.raises(FleetError, match="mail-dead: is not in the broker"):
        handler(box).replay()


def test_a_replay_begins_anew() -> None:
    """Due now, no deaths, no deliveries, no retries; what its publisher wrote stays."""
    stale: dict[str, Any] = {
        "x-delivery-count": 21,
        "x-acquired-count": 21,
        "x-last-death-queue": "mail",
        "x-first-death-reason": "rejected",
    }
    box = Box({"mail-dead": [dead(1, retries=3, fleet_due_at=1.0, CC=["other"], group="g", **stale)]})
    assert handler(box).replay().tasks == {"shop.send": 1}
    (sent,) = box.sent["mail"]
    assert sent.headers == {
        "id": "1", "task": "shop.send", "group": "g", "retries": 0, "fleet_due_at": NOW, "fleet_replays": 1,
    }  # fmt: skip
    assert sent.properties == {"correlation_id": "1", "priority": 9, "delivery_mode": 2}
    assert replayed(sent, NOW).headers["fleet_replays"] == 2
    assert box.ids("mail-dead") == []


@pytest.mark.parametrize(
    ("queue", "letter", "target"),
    [
        pytest.param("spread", dead(1, queue="spread-1"), "spread-1", id="the-shard-it-died-in"),
        pytest.param("spread", dead(1, queue="spread-7"), "spread-1", id="todays-shard-where-that-is-gone"),
        pytest.param("mail", dead(1, "wide.work"), "mail", id="its-queue-though-the-catalogue-routes-it-elsewhere-now"),
        pytest.param("unrouted", dead(1, "shop.send"), "mail", id="unrouted-where-its-task-belongs"),
        pytest.param("unrouted", dead(1, "wide.work"), "spread-1", id="unrouted-to-a-shard"),
    ],
)
def test_where_a_letter_goes(queue: str, letter: Message, target: str) -> None:
    box = Box({f"{queue}-dead" if queue != "unrouted" else queue: [letter]})
    handler(box, queue=queue).replay()
    assert box.sent_ids(target) == ["1"]


@pytest.mark.parametrize(
    ("queue", "letter", "refuses", "why"),
    [
        pytest.param("mail", dead(1), {"mail": ReturnedError()}, "the broker has no queue mail", id="returned"),
        pytest.param("mail", dead(1), {"mail": FullError()}, "queue mail is full", id="refused"),
        pytest.param(
            "mail",
            dead(1, expires="2026-11-26T12:00:00+00:00"),
            {},
            "its `expires` is over: a worker would discard it",
            id="expired",
        ),
        pytest.param("unrouted", dead(1, "no.body"), {}, "no queue of the catalogue takes its task", id="of-no-queue"),
    ],
)
def test_why_a_letter_stays(queue: str, letter: Message, refuses: dict[str, Exception], why: str) -> None:
    name = "unrouted" if queue == "unrouted" else "mail-dead"
    box = Box({name: [letter, letter]}, refuses=refuses)
    outcome = handler(box, queue=queue).replay()
    assert (outcome.done, outcome.left_count, {left.why for left in outcome.left}) == (0, 2, {why})
    assert len(box.ready[name]) == 2


def test_an_expiry_in_the_future_is_none() -> None:
    box = Box({"mail-dead": [dead(1, expires="2100-01-01T00:00:00")]})
    assert handler(box).replay().done == 1


def test_a_confirm_that_stays_away_ends_the_replay() -> None:
    """It is told with what was done before, and every letter that is not known to be kept stays."""
    box = Box({"mail-dead": [dead(1), dead(2)]}, refuses={"mail": StoppedError("the broker did not confirm")})
    outcome = handler(box).replay()
    assert (outcome.done, outcome.stopped) == (0, "the broker did not confirm")
    box.put_back()
    assert box.ids("mail-dead") == ["1", "2"]


def test_what_dies_again_meanwhile_waits_for_the_next_replay() -> None:
    """The number at the beginning bounds it: a task that fails at once would go round for ever."""

    class Again(Box):
        def publish(self, message: Message, queue: str) -> None:
            super().publish(message, queue)
            self.ready["mail-dead"].append(message)

    box = Again({"mail-dead": [dead(1), dead(2)]})
    assert handler(box).replay().done == 2


@pytest.mark.parametrize(
    ("fields", "done", "missing"),
    [
        pytest.param({}, ["1", "2", "3", "4"], (), id="all"),
        pytest.param({"limit": 2}, ["1", "2"], (), id="the-first-ones"),
        pytest.param({"ids": ("3", "nope")}, ["3"], ("nope",), id="by-id"),
        pytest.param({"tasks": ("shop.p*",)}, ["2", "4"], (), id="by-pattern"),
        pytest.param({"tasks": ("shop.p*",), "limit": 1}, ["2"], (), id="the-first-by-pattern"),
        pytest.param({"tasks": ("shop.send",), "ids": ("2", "3")}, ["3"], ("2",), id="by-both"),
        pytest.param({"dry_run": True}, [], (), id="none-in-a-dry-run"),
    ],
)
@pytest.mark.parametrize("command", ["replay", "drop"])
def test_which_letters_are_meant(
    command: str, fields: dict[str, Any], done: list[str], missing: tuple[str, ...]
) -> None:
    """The others stay, in their order."""
    box = Box({"mail-dead": [dead(1), dead(2, "shop.pay"), dead(3), dead(4, "shop.pay")]})
    outcome: LetterOutcome = getattr(handler(box, command, **fields), command)()
    assert box.ids("mail-dead") == [number for number in "1234" if number not in done]
    assert box.sent_ids("mail") == (done if command == "replay" else [])
    assert (outcome.missing, outcome.count) == (missing, 4)
    assert outcome.done == (4 if fields.get("dry_run") else len(done))


def test_a_replay_ends_between_two_letters_when_it_is_asked_to() -> None:
    box = Box({"mail-dead": [dead(number) for number in range(9)]})
    outcome = handler(box, stopped_after=4).replay()
    assert (outcome.done, outcome.stopped, len(box.ids("mail-dead"))) == (4, "interrupted", 5)


@given(st.integers(0, 30), st.integers(1, 6), st.booleans())
def test_a_crash_at_any_moment_loses_nothing(fails_at: int, count: int, full: bool) -> None:
    """Each letter is in a queue at least once, and at most one is in two."""
    box = Box(
        {"mail-dead": [dead(number) for number in range(count)]},
        refuses={"mail": FullError()} if full else {},
        fails_at=fails_at,
    )
    with contextlib.suppress(KeyboardInterrupt):
        handler(box).replay()
    found = Counter(box.ids("mail-dead") + box.sent_ids("mail"))
    assert set(found) == {str(number) for number in range(count)}
    assert found.total() - count in (0, 1)


def test_what_is_dropped_is_in_the_file_before_it_is_gone(tmp_path: Path) -> None:
    """A crash between the two leaves it in both; another drop adds to the file."""
    file = tmp_path / "kept.jsonl"
    box = Box({"mail-dead": [dead(1), dead(2)]}, fails_at=1)
    with pytest.raises(KeyboardInterrupt):
        handler(box, "drop", file=str(file)).drop()
    assert box.ids("mail-dead") == ["1", "2"]
    box.fails_at = -1
    assert handler(box, "drop", file=str(file)).drop().file == str(file)
    kept = [json.loads(line) for line in file.read_text().splitlines()]
    assert [line["headers"]["id"] for line in kept] == ["1", "1", "2"]
    assert (file.stat().st_mode & 0o777, box.ids("mail-dead")) == (0o600, [])


def test_a_file_that_cannot_be_written_drops_nothing(tmp_path: Path) -> None:
    box = Box({"mail-dead": [dead(1)]})
    with pytest.raises(FleetError, match="cannot be written"):
        handler(box, "drop", file=str(tmp_path / "no" / "folder")).drop()
    assert box.ids("mail-dead") == ["1"]


AMQP_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats()
    | st.text()
    | st.binary()
    | st.datetimes(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
KNOWN = [
    "x-death",
    "id",
    "task",
    "expires",
    "retries",
    "origin",
    "argsrepr",
    "fleet_due_at",
    "fleet_replays",
    "fleet_traceback",
    "fleet_failed_in",
    "fleet_failed_at",
]


@pytest.mark.scan
@given(st.dictionaries(st.sampled_from(KNOWN) | st.text(max_size=3), AMQP_VALUES, max_size=6), st.binary(max_size=40))
def test_no_message_is_too_strange(headers: dict[str, Any], body: bytes) -> None:
    """It is summed up, shown as JSON, kept as a line, and sent back, whatever it holds."""
    letter = Message(body=body, properties={"correlation_id": "1"}, headers=headers, routing_key="mail-dead")
    box = Box({"mail-dead": [letter]})
    msgspec.json.encode(handler(box, "list").summaries())
    msgspec.json.encode(handler(box, "show").letters())
    assert json.loads(as_line(letter, read_letter(letter, unrouted=False, arguments=True)))
    outcome = handler(box).replay()
    msgspec.json.encode(outcome)
    assert len(box.sent.get("mail", [])) == outcome.done == 1 - outcome.left_count


@pytest.mark.parametrize(
    ("environ", "problem"),
    [
        pytest.param({}, "FLEET_BROKER_HOST, FLEET_OPERATOR_USERNAME, FLEET_OPERATOR_PASSWORD not set", id="nothing"),
        pytest.param(
            {"FLEET_BROKER_HOST": "b", "FLEET_BROKER_USERNAME": "worker", "FLEET_BROKER_PASSWORD": "x"},
            "FLEET_OPERATOR_USERNAME, FLEET_OPERATOR_PASSWORD not set",
            id="a-workers-login",
        ),
    ],
)
def test_a_login_that_is_missing_is_named(environ: dict[str, str], problem: str) -> None:
    """A worker's login is never tried: it may not read dead letters."""
    with pytest.raises(FleetError) as told:
        operator_connections(environ)
    assert told.value.problem == problem


@pytest.mark.parametrize(
    "request_", [pytest.param(b"{}", id="no-request"), pytest.param(None, id="no-broker-in-sight")]
)
def test_the_process_answers_in_json_whatever_happens(request_: bytes | None) -> None:
    """One line with what is wrong, exit code 1, no traceback and no password."""
    stated = handler(Box({}), "list").request
    environ = {
        "PATH": os.environ["PATH"],
        "FLEET_BROKER_HOST": "127.0.0.1",
        "FLEET_BROKER_PORT": "1",
        "FLEET_OPERATOR_USERNAME": "me",
        "FLEET_OPERATOR_PASSWORD": "s3cret",
    }
    done = subprocess.run(
        [sys.executable, "-m", "app.dead_letters"],
        input=msgspec.json.encode(stated) if request_ is None else request_,
        env=environ, cwd=ROOT, capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    answer = msgspec.json.decode(done.stdout, type=LetterAnswer)
    assert (done.returncode, done.stderr, answer.queues) == (1, b"", None)
    assert answer.error is not None
    assert b"s3cret" not in done.stdout
