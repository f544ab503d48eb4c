"""What nobody should send: hundreds of messages that a worker could trip over, and hundreds of requests that the web layer has to refuse."""

import json
from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest
from celery import Celery, chain, chord, group
from celery.app.task import Context
from kombu.message import Message

from app.settings import configure
from app.web.limits import DEFAULTS
from app.worker.consumer import QueueConsumer
from app.worker.messages import problem_of
from tests.app.amqp_broker import Published, amqp_broker
from tests.app.documents import ENVIRONMENT, worker_document
from tests.app.malformed import Malformed, bad_requests, malformed_messages
from tests.app.web_layer import CALL, TASK, Store, publishing_to, serving

SEED = 20261126


class Delivery(Message):
    """A message that remembers what became of it."""

    def __init__(self, sent: Malformed) -> None:
        self.end: str | None = None
        super().__init__(
            body=sent.body,
            delivery_tag=1,
            headers=sent.headers or {},
            accept={"application/json"},
            delivery_info={"routing_key": "high"},
            properties={},
            **{"content_type": None, "content_encoding": None, **sent.properties},
        )

    def reject_log_error(self, logger: Any, errors: Any, requeue: bool = False) -> None:
        self.end = "requeued" if requeue else "rejected"


class Backend:
    def __init__(self, *, away: bool = False) -> None:
        self.failed: list[str] = []
        self.away = away

    def mark_as_failure(self, task_id: str, error: Exception, request: Context) -> None:
        if self.away:
            raise OSError
        self.failed.append(task_id)


class Worker(QueueConsumer):
    """A consumer without a broker; its only task is `shop.orders.confirm`."""

    def __init__(self, *, away: bool = False) -> None:
        self.taken_up: list[Any] = []
        self.app = SimpleNamespace(backend=Backend(away=away))
        self.connection_errors = ()
        self.strategies = {TASK: lambda message, *_: self.taken_up.append(message)}
        self.on_task_message: set[Any] = set()
        self.call_soon_ack = self.taken_up.append
        self._maximum_prefetch_restored = True
        self.deliver = self.create_task_handler()

    def receive(self, sent: Malformed) -> Delivery:
        """As kombu's consumer hands a message on."""
        message = Delivery(sent)
        if message.errors:
            message._reraise_error(self.on_decode_error)
        else:
            self.deliver(message)
        return message


def test_no_malformed_message_is_taken_up_or_lost_or_ends_the_worker() -> None:
    """Each of every kind is rejected, which makes it a dead letter."""
    worker = Worker()
    ends = [(sent.kind, worker.receive(sent).end) for sent in malformed_messages(SEED, 430, task=TASK)]
    assert [kind for kind, end in ends if end != "rejected"] == []
    assert len(ends) == 430
    assert worker.taken_up == []


@pytest.mark.parametrize("away", [pytest.param(False, id="told"), pytest.param(True, id="a-store-that-is-away")])
def test_whoever_waits_for_an_unregistered_task_is_told(away: bool) -> None:
    worker = Worker(away=away)
    headers = {"task": "shop.orders.confrim", "id": "1"}
    assert worker.receive(Malformed(kind="misspelt", headers=headers)).end == "rejected"
    assert worker.app.backend.failed == ([] if away else ["1"])


def work(*_: Any, **__: Any) -> None:
    """Never run."""


def refill(task: Any) -> Any:
    """A retry as `Task.retry` publishes it."""
    request = Context(id="1", args=("A",), kwargs={}, headers={}, retries=2, timelimit=[9, 8], root_id="0")
    return task.signature_from_request(request, countdown=3, retries=3)


@pytest.mark.parametrize(
    "send",
    [
        pytest.param(lambda task: task.delay("A"), id="at-once"),
        pytest.param(lambda task: task.apply_async(["A"], {"b": [1]}, countdown=3, expires=60), id="later-or-never"),
        pytest.param(
            lambda task: task.apply_async(["A"], time_limit=9, soft_time_limit=8.5, shadow="x", headers={"mine": 1}),
            id="with-limits-and-headers",
        ),
        pytest.param(lambda task: task.apply_async(["A"], ignore_result=True, priority=3), id="without-a-result"),
        pytest.param(lambda task: refill(task).apply_async(), id="tried-again"),
        pytest.param(lambda task: chain(task.s("A"), task.s(), task.s()).apply_async(), id="a-chain"),
        pytest.param(lambda task: group(task.s("A"), task.s("B")).apply_async(), id="a-group"),
        pytest.param(lambda task: chord([task.s("A")], task.s()).apply_async(), id="a-chord"),
        pytest.param(
            lambda task: task.apply_async(["A"], link=task.s(), link_error=task.s()), id="with-callbacks-and-errbacks"
        ),
        pytest.param(lambda task: task.s("A").stamp(order="7").apply_async(), id="stamped"),
    ],
)
def test_what_celery_sends_is_taken_up(send: Any) -> None:
    with amqp_broker() as broker:
        app = Celery("shop", set_as_current=False)
        configure(app, worker_document(), {**ENVIRONMENT, "FLEET_BROKER_PORT": str(broker.port)})
        app.conf.result_backend = "cache+memory://"
        task = app.task(name=TASK, shared=False, typing=False)(work)
        app.finalize()
        send(task)
        app.close()
        assert broker.published
    for published in broker.published:
        assert problem_of(_received(published)) is None


def _received(published: Published) -> Message:
    properties = published.properties
    return Message(
        body=published.body,
        headers=properties["application_headers"],
        content_type=properties["content_type"],
        content_encoding=properties["content_encoding"],
        accept={"application/json"},
    )


@pytest.mark.scan
def test_every_bad_request_is_refused_with_a_reason_and_publishes_nothing() -> None:
    """None is answered with a success, with a 500, or not at all."""
    answers: Counter[tuple[str, int]] = Counter()
    with amqp_broker() as broker, publishing_to(broker.port) as app, serving(app, Store()) as client:
        for bad in bad_requests(SEED, 300, task=TASK, call=CALL, body_bytes=DEFAULTS.max_body_bytes):
            answer = client.ask(bad.method, bad.path, content=bad.content, headers=bad.headers)
            answers[bad.kind, answer.status_code] += 1
            assert json.loads(answer.content)["detail"], bad
        assert broker.published == []
    assert {code for _, code in answers} <= {400, 404, 405, 413, 422}, answers
