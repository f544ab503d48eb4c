"""Idempotency keys: a request that is sent again with the same key enqueues nothing a second time.

A key's record says which ids its tasks were given and which of them the broker has confirmed. It is written before the first message, so a repeat
(after a lost answer, a 503, a pod that died) sends what is not confirmed yet under the same ids, and nothing else. A lease keeps two requests with one
key from doing so at once.

Invariant: the store decides about the guarantee, never about the task. Where it does not answer, tasks are enqueued as without a key, and the answer
says so (`Idempotency-Status: not-kept`). Left open: a message whose confirm was lost, and a process that stands still for longer than the lease,
may put a task into its queue twice, under one id.

Source: IETF draft "The Idempotency-Key HTTP Header Field" (draft-ietf-httpapi-idempotency-key-header-07): 422 for another body under a known key, 409
while the first request is being answered.
"""

import hashlib
import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from app.settings import RESULT_EXPIRY_SECONDS
from app.store import StoreError

LEASE_SECONDS = 15
"""Longer than the longest request: five seconds for the broker and one for each of four commands to the store."""

KEY_PATTERN = r"^[\x21-\x7e]{1,255}$"
"""Visible ASCII, as a header can carry it."""

STATUS_HEADER = "Idempotency-Status"

logger = logging.getLogger(__name__)


class KeyStatus(StrEnum):
    """What a client is told about its key."""

    KEPT = "kept"
    """It is remembered: a repeat enqueues what this request could not, and nothing else."""
    REPLAYED = "replayed"
    """They were enqueued by an earlier one."""
    NOT_KEPT = "not-kept"
    """The results store did not answer: a repeat may enqueue them again."""


class KeyReusedError(Exception):
    """The key was used with another body."""


class KeyBusyError(Exception):
    """A request with this key is being answered."""


@dataclass(kw_only=True)
class Claim:
    """The tasks of one request, and which of them are enqueued already."""

    ids: list[str]
    queues: list[str]
    accepted: set[int] = field(default_factory=set)
    """Places of the tasks that the broker has confirmed, for this request or for an earlier one."""
    status: KeyStatus | None = None
    """None where there is no key."""

    @property
    def missing(self) -> list[int]:
        """Places of the tasks that are to be enqueued."""
        return [place for place in range(len(self.ids)) if place not in self.accepted]


def fingerprint(*parts: Any) -> str:
    """Equal for equal requests, whatever the order of their JSON's keys."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


class IdempotencyKeys:
    """Records of keys in the results store."""

    def __init__(self, store: Any, fleet: str) -> None:
        self._store = store
        self._fleet = fleet

    @contextmanager
    def claim(
        self, key: str | None, *, client: str, request: str, ids: Sequence[str], queues: Sequence[str]
    ) -> Iterator[Claim]:
        """The tasks of the request whose fingerprint is `request`; its block adds to `accepted` what the broker confirms.

        Keys of different clients are different keys. `ids` and `queues` are those of the tasks where the key is new.

        Raises: KeyReusedError, KeyBusyError; nothing where the store is away.
        """
        fresh = Claim(ids=list(ids), queues=list(queues))
        if key is None:
            yield fresh
            return
        record = f"fleet:{self._fleet}:idempotency:{fingerprint(client, key)}"
        lease = self._store.lock(f"{record}:lease", timeout=LEASE_SECONDS, blocking=False, thread_local=False)
        try:
            if not lease.acquire():
                raise KeyBusyError
        except StoreError as error:
            yield _unkept(fresh, error)
            return
        try:
            claim = self._opened(record, request, fresh)
            yield claim
            if claim.status is KeyStatus.KEPT:
                self._close(record, request, claim)
        finally:
            # It ends by itself where the store is away, or it has ended already.
            with suppress(StoreError):
                lease.release()

    def _opened(self, record: str, request: str, fresh: Claim) -> Claim:
        try:
            stored = self._store.get(record)
            if stored is None:
                fresh.status = KeyStatus.KEPT
                self._write(record, request, fresh)
                return fresh
        except StoreError as error:
            return _unkept(fresh, error)
        known = json.loads(stored)
        if known["request"] != request:
            raise KeyReusedError
        claim = Claim(ids=known["ids"], queues=known["queues"], accepted=set(known["accepted"]))
        claim.status = KeyStatus.KEPT if claim.missing else KeyStatus.REPLAYED
        return claim

    def _close(self, record: str, request: str, claim: Claim) -> None:
        try:
            self._write(record, request, claim)
        except StoreError as error:
            _unkept(claim, error)

    def _write(self, record: str, request: str, claim: Claim) -> None:
        document = {
            "request": request,
            "ids": claim.ids,
            "queues": claim.queues,
            "accepted": sorted(claim.accepted),
        }
        self._store.set(record, json.dumps(document), ex=RESULT_EXPIRY_SECONDS)


def _unkept(claim: Claim, error: Exception) -> Claim:
    logger.warning("an idempotency key is not kept: %s", type(error).__name__)
    claim.status = KeyStatus.NOT_KEPT
    return claim
