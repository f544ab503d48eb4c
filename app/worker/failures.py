"""Keeps tasks that failed for good among the dead letters, with their error, where the catalogue says `dead_letter.failed`.

Invariant: the copy is confirmed before the message is acknowledged. Where it cannot be published the message is rejected instead: the broker keeps
it among the dead letters by itself, without the error. Facts are from Celery 5.7, `celery.worker.request`: whatever pool ran the task, the main process
acknowledges it, after its failure was stored; a rejected message can carry no header.
"""

import logging
import time
from typing import Any

from billiard.einfo import ExceptionWithTraceback
from celery.exceptions import Ignore, Reject, Retry, TimeLimitExceeded
from celery.worker.request import Request

from app.dead_letters.messages import (
    ERROR_HEADER,
    FAILED_AT_HEADER,
    FAILED_IN_HEADER,
    PERSISTENT,
    STALE_HEADERS,
    STALE_PREFIXES,
    TRACEBACK_HEADER,
)
from fleet.documents import WorkerDocument

CONFIRM_SECONDS = 5.0
"""The worker's loop waits for one confirm so long; then the broker keeps the message without the error."""

ERROR_LENGTH = 500
TRACEBACK_LENGTH = 4000
"""Characters of its end: the place where it happened."""

NO_FAILURE = (Ignore, Reject, Retry)
"""How a task speaks to Celery."""

logger = logging.getLogger(__name__)


class KeptRequest(Request):
    """A delivery whose message is kept when its task fails."""

    document: WorkerDocument
    _failure: tuple[BaseException, str] | None = None
    """Error and traceback of a task that failed for good."""

    def on_failure(self, exc_info: Any, send_failed_event: bool = True, return_ok: bool = False) -> Any:
        """The task raised, or its child was lost."""
        error = exc_info.exception
        if isinstance(error, ExceptionWithTraceback):
            error = error.exc
        if not isinstance(error, NO_FAILURE):
            self._failure = (error, str(exc_info.traceback or ""))
        try:
            return super().on_failure(exc_info, send_failed_event=send_failed_event, return_ok=return_ok)
        finally:
            self._failure = None

    def on_timeout(self, soft: bool, timeout: float) -> Any:
        """A hard limit ends a task without an exception of its own."""
        if not soft:
            self._failure = (TimeLimitExceeded(timeout), "")
        try:
            return super().on_timeout(soft, timeout)
        finally:
            self._failure = None

    def _success_was_stored(self) -> Any:
        found = super()._success_was_stored()
        if found:
            self._failure = None
        return found

    def acknowledge(self) -> None:
        """Of a failed task the copy first."""
        if self._failure is not None and not self.acknowledged and not self._keep(*self._failure):
            self.reject(requeue=False)
        else:
            super().acknowledge()

    def _keep(self, error: BaseException, traceback: str) -> bool:
        message = self._message
        headers = {
            name: value
            for name, value in message.headers.items()
            # kombu has unpacked the body already.
            if name not in STALE_HEADERS and not name.startswith(STALE_PREFIXES) and name != "compression"
        }
        headers |= {
            ERROR_HEADER: _said(error)[:ERROR_LENGTH],
            TRACEBACK_HEADER: traceback[-TRACEBACK_LENGTH:],
            FAILED_IN_HEADER: self.document.shard,
            FAILED_AT_HEADER: time.time(),
        }
        properties = {
            name: message.properties[name]
            for name in ("correlation_id", "reply_to", "priority", "message_id", "app_id")
            if message.properties.get(name) is not None
        }
        try:
            with self.app.producer_or_acquire() as producer:
                producer.publish(
                    message.body,
                    exchange=self.document.producer.exchange,
                    routing_key=self.document.failed_queue,
                    headers=headers,
                    content_type=message.content_type,
                    content_encoding=message.content_encoding,
                    delivery_mode=PERSISTENT,
                    mandatory=True,
                    confirm_timeout=CONFIRM_SECONDS,
                    **properties,
                )
        except Exception as refusal:
            # Whatever stands in the way, the broker can still keep the message.
            logger.warning("task %s is kept without its error: %s", self.id, type(refusal).__name__)
            return False
        return True


def _said(error: BaseException) -> str:
    """Type and text; some of Celery's own say their type themselves."""
    name = type(error).__name__
    try:
        text = str(error)
    except Exception:
        # Its text is the application's code, which may fail too.
        return name
    return text if text.startswith(name) else f"{name}: {text}"


def keep_failed_tasks(app: Any, document: WorkerDocument) -> None:
    """Let every registered task be delivered as a request that is kept, before the worker looks at them."""
    if document.failed_queue is None:
        return
    request = type("KeptRequest", (KeptRequest,), {"document": document})
    for name, task in app.tasks.items():
        if not name.startswith("celery."):
            task.Request = request
