"""Many tasks at once: py-amqp, kombu and Celery talk to a broker that acknowledges, refuses, returns, falls silent and hangs up as a test says."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from celery import Celery
from hypothesis import given
from hypothesis import strategies as st

from app.enqueuing import UNSETTLED_AT_MOST, Enqueued, Outcome, TaskCall, enqueue_many
from app.settings import configure
from tests.app.amqp_broker import AmqpBroker, Answer, Published, amqp_broker
from tests.app.documents import ENVIRONMENT, PRODUCER

TASK = "shop.orders.confirm"
FULL = "the queue is full and refuses messages"
HUNG_UP = "the broker cannot be reached or refused the message"


@contextmanager
def publisher(port: int) -> Iterator[Any]:
    """The application of a web pod that has no connection yet."""
    app = Celery("many", set_as_current=False)

    @app.task(name=TASK, shared=False)
    def confirm(order_id: str) -> None: ...

    @app.task(name="app.unrouted", shared=False)
    def unrouted() -> None: ...

    configure(app, PRODUCER, {**ENVIRONMENT, "FLEET_BROKER_PORT": str(port)})
    app.finalize()
    yield app
    app.close()


def calls(count: int) -> list[TaskCall]:
    return [TaskCall(id=f"task-{number}", name=TASK, args=[f"A-{number}"]) for number in range(count)]


def scripted(answers: str) -> Any:
    """One letter a message: `a`cknowledge, `A`ll up to here, `n`ack, `r`eturn, `s`ilence, `l`ate, `h`ang up, `c`lose the channel."""
    kinds = {
        "a": Answer.ACK, "A": Answer.ACK_ALL, "n": Answer.NACK, "r": Answer.RETURN, "s": Answer.SILENCE, "l": Answer.LATE,
        "h": Answer.HANG_UP, "c": Answer.CLOSE_CHANNEL,
    }  # fmt: skip

    def decide(number: int, message: Published) -> Answer:
        return kinds[answers[number]] if number < len(answers) else Answer.ACK

    return decide


def enqueue(answers: str, *, seconds: float = 5.0, count: int | None = None) -> tuple[list[Enqueued], AmqpBroker]:
    with amqp_broker(scripted(answers)) as broker, publisher(broker.port) as app:
        return enqueue_many(app, calls(count or len(answers)), timeout_seconds=seconds), broker


def letters(found: list[Enqueued]) -> str:
    """The first letter of each outcome."""
    return "".join({"accepted": "a", "refused": "r", "returned": "t", "unknown": "u"}[each.outcome] for each in found)


def test_messages_reach_the_broker_in_the_order_of_the_calls_over_one_connection() -> None:
    """More of them than may be ahead of their confirms."""
    count = UNSETTLED_AT_MOST + 100
    found, broker = enqueue("", count=count)
    assert [each.id for each in found] == [f"task-{number}" for number in range(count)]
    assert letters(found) == "a" * count
    assert broker.ids == [f"task-{number}" for number in range(count)]
    assert broker.connections == 1


def test_a_message_is_what_a_single_publish_would_have_sent() -> None:
    with amqp_broker() as broker, publisher(broker.port) as app:
        enqueue_many(
            app, [TaskCall(id="1", name=TASK, args=["A"]), TaskCall(id="2", name=TASK, args=["A"], priority=9)]
        )
        app.tasks[TASK].apply_async(["A"], task_id="3")
        many, urgent, single = broker.published
    assert (many.exchange, many.routing_key, many.mandatory) == ("tasks", "high", True)
    assert (single.exchange, single.routing_key, single.mandatory) == ("tasks", "high", True)
    assert many.body == single.body
    assert many.properties.keys() == single.properties.keys()
    assert many.properties["delivery_mode"] == 2
    assert (many.properties["priority"], urgent.properties["priority"]) == (4, 9)
    assert many.properties["application_headers"].keys() == single.properties["application_headers"].keys()


def test_a_delay_takes_the_way_of_delays() -> None:
    with amqp_broker() as broker, publisher(broker.port) as app:
        found = enqueue_many(app, [TaskCall(name=TASK, args=["A"], countdown=4.2)])
    assert letters(found) == "a"
    assert broker.published[0].exchange == "celery_delayed_27"
    assert broker.published[0].routing_key == "0." * 25 + "1.0.1.high"


@pytest.mark.parametrize(
    ("answers", "outcomes"),
    [
        pytest.param("aaa", "aaa", id="each-confirmed"),
        pytest.param("ssA", "aaa", id="one-confirm-for-all"),
        pytest.param("sAana", "aaara", id="one-refused-among-confirmed"),
        pytest.param("ara", "ata", id="one-returned-and-then-acknowledged"),
        pytest.param("rnsA", "traa", id="returned-refused-and-the-others-confirmed-together"),
        pytest.param("lla", "aaa", id="confirms-that-come-late"),
    ],
)
def test_each_message_is_told_what_became_of_it(answers: str, outcomes: str) -> None:
    found, _ = enqueue(answers)
    assert letters(found) == outcomes


@pytest.mark.parametrize(
    ("answers", "outcome", "reason"),
    [
        pytest.param("n", Outcome.REFUSED, FULL, id="a-full-queue"),
        pytest.param("r", Outcome.RETURNED, "no queue takes the message", id="no-queue"),
        pytest.param("h", Outcome.UNKNOWN, HUNG_UP, id="a-connection-that-ends"),
        pytest.param(
            "c",
            Outcome.UNKNOWN,
            "the broker cannot be reached or refused the message (PreconditionFailed)",
            id="a-channel-that-the-broker-closes",
        ),
        pytest.param("s", Outcome.UNKNOWN, "the broker did not confirm in time", id="silence"),
    ],
)
def test_the_reason_is_told(answers: str, outcome: Outcome, reason: str) -> None:
    found, _ = enqueue(answers, seconds=1)
    assert found[0].outcome is outcome
    assert str(found[0].reason).startswith(reason)


def test_what_was_sent_before_a_lost_connection_is_unknown_and_what_was_not_is_refused() -> None:
    """Never the other way round: what is called refused runs nowhere."""
    count = 2 * UNSETTLED_AT_MOST
    found, broker = enqueue("a" * 10 + "s" * (UNSETTLED_AT_MOST - 20) + "h", count=count)
    # Confirms that had come may be lost with the connection.
    assert set(letters(found)[:10]) <= {"a", "u"}
    assert set(broker.ids[10:]) <= {each.id for each in found if each.outcome is Outcome.UNKNOWN}
    refused = [each for each in found if each.outcome is Outcome.REFUSED]
    assert refused
    assert all(each.reason and each.reason.startswith("not sent: ") for each in refused)


def test_a_broker_that_falls_silent_is_given_up_in_time() -> None:
    """As a blocked one: what is written is unknown, the rest was never sent."""
    started = time.monotonic()
    found, broker = enqueue("s" * 2 * UNSETTLED_AT_MOST, seconds=2)
    assert time.monotonic() - started < 4
    # A machine that is busy does not get to write as many as it may.
    unknown = letters(found).count("u")
    assert len(broker.ids) <= unknown <= UNSETTLED_AT_MOST
    assert letters(found) == "u" * unknown + "r" * (2 * UNSETTLED_AT_MOST - unknown)


def test_the_next_batch_is_not_taken_in_by_confirms_of_the_one_before() -> None:
    with amqp_broker(scripted("lss")) as broker, publisher(broker.port) as app:
        first = enqueue_many(app, calls(1), timeout_seconds=0.5)
        second = enqueue_many(app, [TaskCall(name=TASK, args=["B"])], timeout_seconds=0.5)
        third = enqueue_many(app, [TaskCall(name=TASK, args=["C"])], timeout_seconds=0.5)
    assert letters(first + second + third) == "uuu"


def test_a_broker_that_is_away_refuses_all_and_tells_no_password() -> None:
    """Port 1 refuses connections."""
    with publisher(1) as app:
        started = time.monotonic()
        found = enqueue_many(app, calls(3))
    assert time.monotonic() - started < 5
    assert letters(found) == "rrr"
    assert "secret" not in repr(found)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        pytest.param(TaskCall(name="shop.orders.confrim"), "no task 'shop.orders.confrim'", id="no-such-task"),
        pytest.param(TaskCall(name="app.unrouted"), "matches no queue", id="no-queue-takes-it"),
        pytest.param(TaskCall(name=TASK), "order_id", id="arguments-missing"),
        pytest.param(TaskCall(name=TASK, args=[{1, 2}]), "", id="arguments-that-are-no-json"),
        pytest.param(TaskCall(name=TASK, args=["A"], countdown=2**28), "longer than", id="a-delay-that-is-too-long"),
        pytest.param(TaskCall(name=TASK, args=["A"], priority=99), "priority 99", id="a-level-that-there-is-not"),
        pytest.param(TaskCall(name=TASK, args=["A"], id="task-0"), "in this batch already", id="an-id-twice"),
    ],
)
def test_a_wrong_call_costs_itself_alone(wrong: TaskCall, says: str) -> None:
    with amqp_broker() as broker, publisher(broker.port) as app:
        found = enqueue_many(app, [*calls(2), wrong, TaskCall(id="last", name=TASK, args=["Z"])])
    assert letters(found) == "aara"
    assert says in str(found[2].reason)
    assert broker.ids == ["task-0", "task-1", "last"]


def test_nothing_to_enqueue_needs_no_broker() -> None:
    with publisher(1) as app:
        assert enqueue_many(app, []) == []


@given(answers=st.text("aAnrsl", min_size=1, max_size=30))
def test_nothing_is_accepted_that_the_broker_did_not_confirm(answers: str) -> None:
    """Whatever it answers, in whatever order, before it hangs up: the outcomes are those of the messages."""
    found, broker = enqueue(answers + "h")
    confirmed_until = max((place for place, letter in enumerate(answers) if letter == "A"), default=-1)
    expected = ""
    for place, letter in enumerate(answers):
        told = {"n": "r", "r": "t", "s": "u"}.get(letter, "a")
        expected += "a" if told == "u" and place < confirmed_until else told
    assert letters(found) == expected + "u"
    assert broker.ids == [f"task-{number}" for number in range(len(answers) + 1)]
