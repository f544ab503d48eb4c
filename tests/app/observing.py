"""Deliveries as Celery's worker makes them, with a pool that runs nothing: the test says what the pool would report."""

import time
from types import SimpleNamespace
from typing import Any

from billiard.einfo import ExceptionInfo
from celery import Celery, signals
from celery.worker.request import create_request_cls
from kombu.message import Message

from app.waits import DUE_HEADER
from app.worker.requests import Observer, observe_tasks

TASK = "shop.orders.confirm"


def confirm() -> None:
    """Never run."""


class Deliveries:
    """Messages of one task in a worker whose observers are given."""

    def __init__(self, *observers: Observer, **options: Any) -> None:
        self.app = Celery("shop", broker="memory://", set_as_current=False)
        self.app.conf.update(task_acks_late=True, task_reject_on_worker_lost=True)
        self.app.task(name=TASK, shared=False, **options)(confirm)
        self.app.finalize()
        observe_tasks(self.app, observers)
        self.ends: list[str] = []
        """What became of each message, at the broker."""

    def close(self) -> None:
        """As a worker that ends."""
        signals.task_rejected.disconnect(dispatch_uid="fleet.rejected")

    def receive(self, *, redelivered: bool = False, **headers: Any) -> Any:
        """A delivery that no slot has taken up."""
        task = self.app.tasks[TASK]
        message = Message(
            body="[[], {}, {}]",
            delivery_tag=1,
            content_type="application/json",
            content_encoding="utf-8",
            delivery_info={"redelivered": redelivered},
            headers={"id": "7", "task": TASK, DUE_HEADER: time.time() - 2, **headers},
        )
        made = create_request_cls(task.Request, task, SimpleNamespace(apply_async=None), "host", None, app=self.app)
        return made(
            message,
            app=self.app,
            task=task,
            on_ack=lambda *_: self.ends.append("acknowledged"),
            on_reject=lambda *arguments: self.ends.append("goes back" if arguments[-1] else "rejected"),
            headers=message.headers,
            body=message.body,
        )

    def start(self, *, seconds_ago: float = 0.5, **headers: Any) -> Any:
        """A delivery that a slot took up a moment ago."""
        request = self.receive(**headers)
        request.on_accepted(1, time.monotonic() - seconds_ago)
        return request


def raised(error: BaseException) -> ExceptionInfo:
    """What a pool reports of a task that raised."""
    try:
        raise error
    except BaseException:
        return ExceptionInfo()
