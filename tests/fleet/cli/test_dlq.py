"""`fleet dlq` over a program that stands in for `python -m app.dead_letters`: what it asks, what it shows, and how it ends."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from typer.testing import CliRunner, Result

from fleet.cli import app
from fleet.cli.reference import SHAPES
from fleet.dead_letter_text import age, clean
from fleet.dead_letters import Left, Letter, LetterAnswer, LetterError, LetterOutcome, Progress, QueueLetters
from tests.fleet.strategies import sample_queue

RAW = {
    "application": "shop.celery:app",
    "queues": {
        "mail": sample_queue(tasks=["shop.mail.*"], shards=2),
        "money": sample_queue(tasks=["shop.money.pay"]),
    },
}

LETTER = Letter(
    id="1", task="shop.money.pay", reason="rejected", queue="money", deaths=2, dead_at=1_700_000_000.0, due_at=1_700_000_000.0,
    sender="gen1@\x1b[31mweb", retries=3, replays=1, expires=None, arguments="(1,\n2)", error="ValueError: no", traceback="a\nb",
    size_bytes=20,
)  # fmt: skip
OUTCOME = LetterOutcome(
    queue="money", dead_letter_queue="money-dead", count=3, done=2, dry_run=False, tasks={"shop.money.pay": 2}, left=(),
    left_count=0, missing=(), stopped=None, file=None,
)  # fmt: skip
SUMMARY = QueueLetters(
    queue="money", dead_letter_queue="money-dead", count=700, looked=500, oldest_at=1_700_000_000.0,
    reasons={"rejected": 400, "expired": 100}, tasks={"shop.money.pay": 500},
)  # fmt: skip

Answers = Callable[..., Path]


@pytest.fixture
def answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Answers:
    """Makes the process answer with these lines; the file that it returns gets what it was asked."""
    (tmp_path / "queues.yaml").write_text(yaml.safe_dump(RAW, sort_keys=False))
    monkeypatch.chdir(tmp_path)

    def make(*lines: LetterAnswer) -> Path:
        said, asked, program = tmp_path / "said", tmp_path / "asked", tmp_path / "python"
        said.write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))
        program.write_text(f"#!/bin/sh\ncat > {asked}\nexec cat {said}\n")
        program.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(program))
        return asked

    return make


def dlq(*words: str) -> Result:
    result = CliRunner().invoke(app, ["dlq", *words])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


def asked(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(file.read_text())
    return found


def test_what_the_process_is_asked(answers: Answers) -> None:
    """Queues, shards and routes are the plan's; the vhost has the fleet's name. Nothing stands on a command line."""
    file = answers(LetterAnswer(outcome=OUTCOME))
    words = (
        "replay",
        "money",
        "--id",
        "1",
        "--id",
        "2",
        "--task",
        "shop.*",
        "--limit",
        "5",
        "--dry-run",
        "--name",
        "shop",
    )
    assert dlq(*words).exit_code == 0
    request = asked(file)
    assert request["queues"] == [
        {"name": "mail", "dead_letter_queue": "mail-dead", "shards": ["mail-0", "mail-1"]},
        {"name": "money", "dead_letter_queue": "money-dead", "shards": ["money"]},
        {"name": "unrouted", "dead_letter_queue": "unrouted", "shards": []},
    ]
    assert {"pattern": "shop.mail.*", "queue": "mail"} in request["routes"]
    assert (request["command"], request["vhost"], request["names"]) == ("replay", "shop", ["money"])
    assert (request["ids"], request["tasks"], request["limit"], request["dry_run"]) == (["1", "2"], ["shop.*"], 5, True)


@pytest.mark.parametrize(
    ("words", "names"),
    [
        pytest.param(["list"], ["mail", "money", "unrouted"], id="all"),
        pytest.param(["list", "money", "unrouted"], ["money", "unrouted"], id="some"),
        pytest.param(["list", "mail-dead"], ["mail"], id="by-the-name-of-the-dead-letter-queue"),
        pytest.param(["list", "mail-1"], ["mail"], id="by-the-name-of-a-shard"),
    ],
)
def test_which_queues_are_meant(words: list[str], names: list[str], answers: Answers) -> None:
    file = answers(LetterAnswer(queues=()))
    assert dlq(*words).exit_code == 0
    assert asked(file)["names"] == names


def test_a_list_is_a_row_a_queue(answers: Answers) -> None:
    """How many of them the reasons are about is said where it is not all."""
    missing = msgspec.structs.replace(SUMMARY, queue="mail", count=None, looked=0, oldest_at=None, reasons={}, tasks={})
    answers(LetterAnswer(queues=(missing, SUMMARY)))
    rows = dlq("list").stdout.splitlines()[2:]
    assert rows[0].split() == ["mail", "not", "there"]
    assert "700 (500 looked at)" in rows[1]
    assert "rejected 400, expired 100" in rows[1]


def test_a_letter_is_shown_without_control_characters(answers: Answers) -> None:
    """A publisher's words could move the cursor or look like other lines."""
    file = answers(LetterAnswer(letters=(LETTER, LETTER)))
    result = dlq("show", "money", "--no-args")
    assert asked(file)["arguments"] is False
    shown = result.stdout.splitlines()
    assert "\x1b" not in result.stdout
    assert shown[0] == "shop.money.pay  1"
    assert shown[1].startswith("  rejected in money ")
    assert shown[1].endswith("(2023-11-14 22:13:20Z), 2 times")
    assert shown[2] == (
        "  due 2023-11-14 22:13:20Z, published by gen1@\\x1b[31mweb, retried 3 times, replayed 1 times, 20 bytes"
    )
    assert shown[3:8] == ["  arguments (1,\\n2)", "  error ValueError: no", "    a", "    b", ""]


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"left": (Left(id="1", task=None, why="queue money is full"),), "left_count": 1}, id="stays"),
        pytest.param({"missing": ("7",)}, id="was-not-seen"),
        pytest.param({"stopped": "interrupted"}, id="was-stopped"),
    ],
)
def test_1_where_something_that_was_meant(changes: dict[str, Any], answers: Answers) -> None:
    """A script has to notice."""
    answers(LetterAnswer(outcome=msgspec.structs.replace(OUTCOME, **changes)))
    result = dlq("replay", "money")
    assert result.exit_code == 1
    assert result.stdout.splitlines()[0] == "money-dead: replayed: 2 of 3"
    assert len(result.stdout.splitlines()) == 3


def test_progress_goes_to_standard_error(answers: Answers) -> None:
    """Standard output is the answer, as JSON too."""
    answers(LetterAnswer(progress=Progress(done=5, looked=6, of=9)), LetterAnswer(outcome=OUTCOME))
    result = dlq("replay", "money", "--json")
    assert result.stderr == "5 done, 6 of 9 looked at\n"
    assert json.loads(result.stdout)["done"] == 2


def test_nobody_to_ask_is_no_yes(answers: Answers) -> None:
    """Nothing is asked of the broker."""
    file = answers(LetterAnswer(outcome=OUTCOME))
    assert dlq("drop", "money").exit_code == 2
    assert not file.exists()
    assert dlq("drop", "money", "--yes", "--to", "kept.jsonl").exit_code == 0
    assert asked(file)["file"] == str(Path("kept.jsonl").absolute())


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        pytest.param(
            [LetterAnswer(error=LetterError(where="broker", problem="cannot be reached", fix="Look."))],
            "cannot be reached",
            id="what-the-process-says",
        ),
        pytest.param([], "ended without an answer", id="a-process-that-says-nothing"),
        pytest.param(
            [LetterAnswer(progress=Progress(done=1, looked=1, of=2))],
            "ended without an answer",
            id="one-that-was-killed",
        ),
    ],
)
def test_1_where_the_broker_cannot_be_asked(lines: list[LetterAnswer], problem: str, answers: Answers) -> None:
    answers(*lines)
    result = dlq("list", "--json")
    assert result.exit_code == 1
    assert problem in json.loads(result.stdout)["error"]["problem"]


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(["show"], id="show-without-a-queue"),
        pytest.param(["show", "monye"], id="a-queue-that-is-not-there"),
        pytest.param(["replay", "money", "--limit", "0"], id="a-limit-of-nothing"),
        pytest.param(["list", "-s", "prdo"], id="an-environment-that-is-not-there"),
    ],
)
def test_2_where_the_command_line_is_wrong(words: list[str], answers: Answers) -> None:
    answers()
    assert dlq(*words).exit_code == 2


@pytest.mark.parametrize("command", ["list", "show", "replay", "drop"])
def test_every_command_says_what_it_does(command: str) -> None:
    """In its help, and what JSON it prints in the reference."""
    assert dlq(command, "-h").exit_code == 0
    assert f"dlq {command}" in SHAPES


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        pytest.param(-3, "0s", id="a-clock-that-is-behind"),
        pytest.param(119.9, "119s", id="seconds"),
        pytest.param(7199, "119m", id="minutes"),
        pytest.param(172_799, "47h", id="hours"),
        pytest.param(864_000, "10d", id="days"),
    ],
)
def test_an_age_is_one_whole_number(seconds: float, shown: str) -> None:
    assert age(seconds) == shown


def test_clean_text_keeps_what_can_be_read() -> None:
    assert clean("Grüße\r\x1b[2J\u202e") == "Grüße\\r\\x1b[2J\\u202e"
