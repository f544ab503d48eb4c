"""A steady load on a fleet's web layer, bounded in rate, number and time, each answer written down.

Invariant: a task counts as accepted only when its 202 has arrived; a request without an answer may have been taken or not, and says so.
"""

import asyncio
import itertools
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Self

import httpx

REQUEST_SECONDS = 10.0
"""The web layer answers within five, whatever the broker does; whoever waits longer met something that hangs."""

CONNECTIONS = 64
IN_FLIGHT = 200
"""Requests that wait for an answer at most; the load pauses there."""

ACCEPTED = 202
REFUSED = 503


@dataclass(frozen=True, kw_only=True)
class Kind:
    """Tasks that the load sends."""

    task: str
    per_second: float
    kwargs: Callable[[], dict[str, Any]]


WORK = Kind(task="faults.work", per_second=10, kwargs=lambda: {"seconds": 0.3})
CHARGES = Kind(task="faults.charge", per_second=5, kwargs=lambda: {"order": uuid.uuid4().hex, "seconds": 0.3})
STEADY = (WORK, CHARGES)


@dataclass(frozen=True, kw_only=True)
class Accepted:
    """A task whose 202 has come; times are seconds since the epoch."""

    task: str
    sent_at: float
    answered_at: float


@dataclass(kw_only=True)
class Answers:
    """What became of the requests so far."""

    accepted: dict[str, Accepted] = field(default_factory=dict)
    """By the id of the task."""
    refused: int = 0
    """Answered with 503: in no queue, or not known to be in one."""
    unanswered: int = 0
    """The connection broke, or nothing came in time."""
    unexpected: list[str] = field(default_factory=list)
    """Any other answer, in words."""
    slowest_seconds: float = 0.0
    in_flight: int = 0

    def enter(self, task: str, answer: httpx.Response | None, begun: float) -> str | None:
        """One request has ended; the id of its task where that was accepted."""
        now = time.time()
        if answer is None:
            self.unanswered += 1
            return None
        self.slowest_seconds = max(self.slowest_seconds, now - begun)
        if answer.status_code == ACCEPTED:
            task_id = str(answer.json()["id"])
            self.accepted[task_id] = Accepted(task=task, sent_at=begun, answered_at=now)
            return task_id
        if answer.status_code == REFUSED:
            self.refused += 1
        else:
            self.unexpected.append(f"POST /tasks/{task}: {answer.status_code} {answer.text[:200]}")
        return None


class Load:
    """Sends tasks for as long as its block runs, `most_seconds` at the longest, from a thread of its own."""

    def __init__(self, url: str, kinds: tuple[Kind, ...] = STEADY, *, most_seconds: float = 600.0) -> None:
        self.answers = Answers()
        self._url = url
        self._kinds = kinds
        self._most_seconds = most_seconds
        self._ended = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._send_all()), name="load", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Every request has its answer when the block has ended."""
        self._ended.set()
        self._thread.join()

    async def _send_all(self) -> None:
        limits = httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS // 4)
        client = httpx.AsyncClient(base_url=self._url, timeout=REQUEST_SECONDS, limits=limits)
        async with client, asyncio.TaskGroup() as group:
            for kind in self._kinds:
                group.create_task(self._send(client, kind, group))

    async def _send(self, client: httpx.AsyncClient, kind: Kind, group: asyncio.TaskGroup) -> None:
        begun = time.monotonic()
        for number in itertools.count():
            due = begun + number / kind.per_second
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            while self.answers.in_flight >= IN_FLIGHT:
                await asyncio.sleep(0.05)
            if self._ended.is_set() or time.monotonic() - begun > self._most_seconds:
                return
            group.create_task(self._post(client, kind))

    async def _post(self, client: httpx.AsyncClient, kind: Kind) -> None:
        begun, answer = time.time(), None
        self.answers.in_flight += 1
        with suppress(httpx.HTTPError):
            answer = await client.post(f"/tasks/{kind.task}", json={"kwargs": kind.kwargs()})
        self.answers.in_flight -= 1
        self.answers.enter(kind.task, answer, begun)


def send(url: str, task: str, count: int, kwargs: Mapping[str, Any], answers: Answers) -> list[str]:
    """Sends some tasks now; the ids of those that were accepted, which stand among the answers too."""
    found = []
    with httpx.Client(base_url=url, timeout=REQUEST_SECONDS) as client:
        for _ in range(count):
            begun, answer = time.time(), None
            with suppress(httpx.HTTPError):
                answer = client.post(f"/tasks/{task}", json={"kwargs": dict(kwargs)})
            task_id = answers.enter(task, answer, begun)
            if task_id is not None:
                found.append(task_id)
    return found
