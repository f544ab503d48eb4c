"""What is told of one dead letter, from its headers and its body."""

from typing import Any

import pytest

from app.dead_letters.messages import Message, read_letter, replayed
from tests.app.letter_box import NOW, dead


@pytest.mark.parametrize(
    ("headers", "shown"),
    [
        pytest.param({"argsrepr": "(***)", "kwargsrepr": "{}"}, "(***) {}", id="as-the-publisher-wants-them-shown"),
        pytest.param({}, '[[1], {"a": 2}, {}]', id="else-the-body"),
        pytest.param({"argsrepr": "x" * 900}, "x" * 497 + "...", id="shortened"),
    ],
)
def test_the_arguments_that_are_shown(headers: dict[str, Any], shown: str) -> None:
    """`argsrepr` is how an application hides what nobody should read."""
    letter = dead(1, **headers)
    assert read_letter(letter, unrouted=False, arguments=True).arguments == shown
    assert read_letter(letter, unrouted=False, arguments=False).arguments is None


def test_what_a_letter_says_of_itself() -> None:
    headers: dict[str, Any] = {
        "origin": "gen1@web",
        "retries": 2,
        "fleet_due_at": 5.0,
        "fleet_replays": 1,
        "expires": "2026",
    }
    letter = read_letter(dead(1, **headers), unrouted=False, arguments=False)
    assert (letter.reason, letter.queue, letter.deaths, letter.sender) == ("rejected", "mail", 2, "gen1@web")
    assert (letter.retries, letter.replays, letter.due_at, letter.expires) == (2, 1, 5.0, "2026")


def test_a_task_that_its_worker_put_there() -> None:
    """No death of RabbitMQ's is written; its replay carries nothing of the failure."""
    failed = {"fleet_failed_in": "spread-1", "fleet_failed_at": 5.0, "fleet_error": "E: no", "fleet_traceback": "at"}
    message = Message(body=b"", properties={}, headers={"id": "1", "task": "a", **failed}, routing_key="spread-dead")
    letter = read_letter(message, unrouted=False, arguments=False)
    assert (letter.reason, letter.queue, letter.dead_at, letter.deaths) == ("failed", "spread-1", 5.0, 1)
    assert (letter.error, letter.traceback) == ("E: no", "at")
    assert set(replayed(message, NOW).headers) == {"id", "task", "retries", "fleet_due_at", "fleet_replays"}
