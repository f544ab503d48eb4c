"""What becomes of one delivery of a task with `@once`.

Invariant: a message is acknowledged only when its task has ended, here or elsewhere, or when another message of it is confirmed. Facts are from
Celery 5.7: `Ignore` acknowledges and stores no state, so a copy that waits does not overwrite the state of the one that runs.
"""

import hashlib
import json
import logging
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NoReturn

from celery.exceptions import Ignore, Reject
from kombu.utils import json as kombu_json

from app.once.leases import KEPT, Done, Held, Lease, Leases
from app.once.renewing import renewed, terms_of
from app.store import StoreError
from fleet.errors import FleetError

AWAY_SECONDS = 30.0
"""While the store does not answer a task comes back after this long, give or take a half, so that not all come at once."""

FINISH_PAUSES_SECONDS = (0.0, 0.2, 1.0)
"""Before each try to write down that a task has ended: it has, so this is worth more than one."""

logger = logging.getLogger(__name__)

current_fence: ContextVar[int | None] = ContextVar("fleet_fence", default=None)


class WithoutStore(StrEnum):
    """What a task does while the results store does not answer."""

    WAIT = "wait"
    """It waits in the broker."""
    RUN = "run"
    """It runs, as without `@once` (at least once), and the log says so."""


class ResultNotKeptError(FleetError):
    """A task that has run already, whose result nobody can be given."""


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What a use of `@once` says."""

    key: Callable[..., Any] | None
    without_store: WithoutStore
    keep_seconds: float
    result_bytes: int


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where this process keeps its leases."""

    leases: Leases
    fleet: str


_places: list[Place] = []
"""One at most: tasks are decorated when they are imported, and the store is known when the worker starts."""


def keep_leases(leases: Leases | None, fleet: str) -> None:
    """Where the tasks of this process keep their leases; None for nowhere, so that they refuse to run."""
    _places[:] = [] if leases is None else [Place(leases=leases, fleet=fleet)]


@contextmanager
def fenced(number: int | None) -> Iterator[None]:
    """The block runs under the fence."""
    token = current_fence.set(number)
    try:
        yield
    finally:
        current_fence.reset(token)


class Delivery:
    """One delivery of a task; `call` runs its function."""

    def __init__(self, task: Any, rules: Rules, call: Callable[[], Any]) -> None:
        self._task = task
        self._rules = rules
        self._call = call
        self._name = f"{task.name}[{task.request.id}]"

    def run(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The task's result, of this run or of an earlier one.

        Raises: Ignore where another message of the task takes the place of this one, Reject where that cannot be published; ResultNotKeptError;
        FleetError where there is no store, or no key that JSON can hold; what the task raises.
        """
        if not _places:
            raise FleetError(
                f"task {self._task.name}",
                "is to run once, and this worker has no results store to remember it in",
                "Set FLEET_RESULTS_HOST, or take @once away.",
            )
        (place,) = _places
        own = self._task.request.id if self._rules.key is None else self._rules.key(*args, **kwargs)
        terms = terms_of(self._task, self._rules.keep_seconds)
        try:
            found = place.leases.claim(
                record_key(place.fleet, self._task.name, own),
                by=self._task.request.id,
                lease_seconds=terms.lease_seconds,
                keep_seconds=terms.keep_seconds,
            )
        except StoreError as error:
            return self._run_without_store(error)
        if isinstance(found, Held):
            logger.info("task %s waits: %s holds its lease", self._name, found.by)
            self._come_back(found.seconds)
        if isinstance(found, Done):
            logger.info("task %s has run already, as %s", self._name, found.by)
            return self._stored(found)
        with renewed(place.leases, found, terms):
            return self._run(place.leases, found)

    def _run(self, leases: Leases, lease: Lease) -> Any:
        try:
            with fenced(lease.fence):
                result = self._call()
        except BaseException:
            # It may run again. A store that is away keeps the lease until it runs out.
            with suppress(StoreError):
                leases.release(lease)
            raise
        done = self._finish(leases, lease, result)
        if done is not None and done.fence != lease.fence:
            logger.warning("task %s ended after its lease, and %s before it", self._name, done.by)
            return self._stored(done)
        return result

    def _finish(self, leases: Leases, lease: Lease, result: Any) -> Done | None:
        ended, text = self._encoded(result)
        failure: Exception | None = None
        for pause in FINISH_PAUSES_SECONDS:
            time.sleep(pause)
            try:
                done = leases.finish(lease, ended=ended, result=text, keep_seconds=self._rules.keep_seconds)
            except StoreError as error:
                failure = error
                continue
            if done is None:
                logger.warning("task %s ended after its lease; another delivery may have run beside it", self._name)
            return done
        logger.warning("it is not kept that task %s has run: %s", self._name, type(failure).__name__)
        return None

    def _run_without_store(self, error: Exception) -> Any:
        if self._rules.without_store is WithoutStore.WAIT:
            logger.warning("task %s waits for the results store: %s", self._name, type(error).__name__)
            self._come_back(AWAY_SECONDS * random.uniform(0.5, 1.5))  # noqa: S311 -- spreads load, guards nothing
        logger.warning("task %s runs without the results store, at least once: %s", self._name, type(error).__name__)
        with fenced(None):
            return self._call()

    def _come_back(self, seconds: float) -> NoReturn:
        """Put a message like this one into the broker, due after `seconds`, in the place of this one; no retry is used up."""
        try:
            self._task.signature_from_request(countdown=max(1.0, seconds)).apply_async()
        except Exception as error:
            # Whatever stands in the way, the broker still has this message; its delivery limit ends a loop.
            logger.warning("task %s goes back to its queue: %s", self._name, type(error).__name__)
            raise Reject("another message could not be published", requeue=True) from error
        raise Ignore("another message waits in its place")

    def _encoded(self, result: Any) -> tuple[str, str | None]:
        try:
            text = kombu_json.dumps(result)
        except (TypeError, ValueError) as error:
            ended = f"it is no JSON ({error})"
        else:
            size = len(text.encode())
            if size <= self._rules.result_bytes:
                return KEPT, text
            ended = f"{size} bytes of JSON are more than {self._rules.result_bytes}"
        logger.warning("the result of task %s is not kept: %s", self._name, ended)
        return ended, None

    def _stored(self, done: Done) -> Any:
        if done.ended == KEPT:
            return kombu_json.loads(done.result)
        raise ResultNotKeptError(
            f"task {self._task.name}",
            f"has run already, as {done.by}, and its result was not kept: {done.ended}",
            "Return less, or the name of where it is, to have it repeated.",
        )


def record_key(fleet: str, task: str, own: Any) -> str:
    """The store's key for a task and its own key, whatever that is and however long.

    Raises: FleetError where JSON cannot hold it.
    """
    try:
        text = json.dumps([task, own], sort_keys=True, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise FleetError(
            f"task {task}", f"has a key for @once that is no JSON: {error}", "Return text, a number or a list of them."
        ) from None
    return f"fleet:{fleet}:once:{hashlib.sha256(text.encode()).hexdigest()}"
