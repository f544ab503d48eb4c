"""The demo's mix, how it is sent, and when it is over."""

import base64
import threading

import httpx
import pytest

from fleet.errors import FleetError
from ops.demo import Sending, run_demo, send, settled, summary_document, unsettled
from ops.mix import Call, mixed_calls, picture_base64
from ops.observing import QueueView
from ops.target import Target
from ops.waits import Counters

CALL = Call(task="app.tasks.orders.confirm", kwargs={"order_id": "1"})


def sent_through(answers: list[httpx.Response]) -> tuple[Sending, list[httpx.Request]]:
    """Send one call through a web layer that gives these answers."""
    requests: list[httpx.Request] = []

    def handle(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return answers[min(len(requests), len(answers)) - 1]

    sending = Sending(total=1)
    with httpx.Client(transport=httpx.MockTransport(handle), base_url="http://web") as client:
        send(client, CALL, sending, threading.Event())
    return sending, requests


def test_an_accepted_task_is_counted_on_its_queue() -> None:
    """The web layer says where a task went; the demo does not guess."""
    sending, requests = sent_through([httpx.Response(202, json={"id": "x", "queue": "high"})])
    assert (sending.accepted, sending.over) == ({"high": 1}, True)
    assert requests[0].url.path == "/tasks/app.tasks.orders.confirm"


def test_a_web_layer_that_is_busy_is_asked_again() -> None:
    """503 means later, not never."""
    busy = httpx.Response(503, headers={"Retry-After": "0"})
    sending, requests = sent_through([busy, busy, httpx.Response(202, json={"id": "x", "queue": "high"})])
    assert (sending.accepted, len(requests)) == ({"high": 1}, 3)


def test_a_refused_task_is_not_sent_again() -> None:
    """A bad body stays bad."""
    sending, requests = sent_through([httpx.Response(422, text="order_id is missing")])
    assert len(requests) == 1
    assert sending.refused == ["app.tasks.orders.confirm: 422 order_id is missing"]
    assert sending.over


def view(name: str, *, done: int, replicas: int = 0) -> QueueView:
    return QueueView(
        name=name, ready=0, unacked=0, replicas=replicas, desired=replicas, minimum=0, maximum=3,
        counters=Counters(started=done, done=done, waits={1.0: done}),
    )  # fmt: skip


def test_the_demo_is_over_when_all_is_done_and_the_pods_are_gone() -> None:
    """Scaling back is a part of what is shown."""
    sending = Sending(total=4, accepted={"high": 3, "reports": 1})
    busy = [view("high", done=3), view("reports", done=1, replicas=1)]
    assert not settled(busy, sending)
    assert [left.name for left in unsettled(busy, sending)] == ["reports"]
    assert not settled([view("high", done=2), view("reports", done=1)], sending)
    assert settled([view("high", done=3), view("reports", done=1)], sending)


def test_the_demo_is_not_over_while_tasks_are_still_being_sent() -> None:
    """An idle fleet before the first task is no finished demo."""
    assert not settled([view("high", done=0)], Sending(total=1))


@pytest.mark.parametrize("scale", [0.001, 0.2, 1.0])
def test_every_queue_of_the_sample_gets_tasks_at_any_scale(scale: float) -> None:
    """A small demo still shows every queue at work, and every countdown is one that the web layer takes."""
    calls = mixed_calls(scale)
    assert {call.task.split(".")[2] for call in calls} == {"orders", "mail", "images", "reports"}
    assert all(call.countdown is None or call.countdown >= 1 for call in calls)


def test_the_same_scale_sends_the_same_work() -> None:
    """Two runs of the demo can be compared."""
    assert mixed_calls(0.1) == mixed_calls(0.1)


def test_thumbnails_are_made_of_real_pictures() -> None:
    """The first bytes are a JPEG's."""
    assert base64.b64decode(picture_base64((64, 48)))[:3] == b"\xff\xd8\xff"


def test_another_application_has_its_own_tasks(target: Target) -> None:
    """The demo says so before it sends anything."""
    other = Target(
        context=None, environ={}, folder=target.folder,
        plan=type(target.plan)(**{name: getattr(target.plan, name) for name in target.plan.__struct_fields__} | {"application": "shop.main:celery"}),
    )  # fmt: skip
    with pytest.raises(FleetError, match=r"shop\.main:celery"):
        run_demo(other)


def test_the_summary_for_programs_has_every_queue(target: Target) -> None:
    """What `--json` prints at the end."""
    sending = Sending(total=3, accepted={"high": 3})
    document = summary_document(target, [view("high", done=3)], sending, {"high": 2}, 12.34)
    assert (document["sent"], document["refused"], document["seconds"]) == (3, 0, 12.3)
    high = document["queues"]["high"]
    assert (high["sent"], high["done"], high["peak_replicas"], high["kept"]) == (3, 3, 2, True)
