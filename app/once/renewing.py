"""Holds a lease for as long as its task runs: a short one, renewed, so that the lease of a lost pod soon runs out."""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from app.once.leases import Lease, Leases
from app.store import StoreError

LEASE_SECONDS = 30.0
"""A lease that nobody renews: how long the tasks of a lost pod wait. It is renewed three times in that time."""

LIMIT_MARGIN_SECONDS = 10.0
"""A lease is held for this long beyond the hard limit, and never longer: by then the pool has ended the task."""

END_SECONDS = 1.0
"""Between the end of a task in the store and the end of its renewals."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Terms:
    """For how long the lease of a delivery is taken."""

    lease_seconds: float
    """At a time. A task whose limit is short needs no second time."""
    whole_seconds: float | None
    """In all; None where no limit ends the task."""
    keep_seconds: float
    """How long its record outlives it."""


def terms_of(task: Any, keep_seconds: float) -> Terms:
    """By the hard limit of this delivery: what its caller asked for, else the task's own, else the worker's."""
    hard, _ = task.request.timelimit or (None, None)
    limit = hard or task.time_limit or task.app.conf.task_time_limit
    if limit is None:
        return Terms(lease_seconds=LEASE_SECONDS, whole_seconds=None, keep_seconds=keep_seconds)
    whole = limit + LIMIT_MARGIN_SECONDS
    return Terms(lease_seconds=min(LEASE_SECONDS, whole), whole_seconds=whole, keep_seconds=keep_seconds)


@contextmanager
def renewed(leases: Leases, lease: Lease, terms: Terms) -> Iterator[None]:
    """Renews a lease while the block runs, from a thread (with gevent a greenlet); nothing waits for it, and what comes too late the store refuses."""
    if terms.whole_seconds is not None and terms.whole_seconds <= terms.lease_seconds:
        yield
        return
    ended = threading.Event()
    threading.Thread(target=_renew, args=(leases, lease, terms, ended), name="fleet-lease", daemon=True).start()
    try:
        yield
    finally:
        ended.set()


def _renew(leases: Leases, lease: Lease, terms: Terms, ended: threading.Event) -> None:
    end = None if terms.whole_seconds is None else time.monotonic() + terms.whole_seconds
    while not ended.wait(terms.lease_seconds / 3):
        left = terms.lease_seconds if end is None else min(terms.lease_seconds, end - time.monotonic())
        if left <= 0:
            return
        try:
            ours = leases.renew(lease, lease_seconds=left, keep_seconds=terms.keep_seconds)
        except StoreError as error:
            logger.warning("the lease of task %s is not renewed: %s", lease.by, type(error).__name__)
            continue
        if not ours:
            # The task may just have given it back.
            if not ended.wait(END_SECONDS):
                logger.warning("the lease of task %s is lost while it runs", lease.by)
            return
