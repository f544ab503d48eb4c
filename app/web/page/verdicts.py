"""Whether a promise is kept.

Invariant: a verdict rests on counts, the share of tasks that started within the promised wait; what is estimated (how much work waits) only ever warns. What
cannot be known is said to be unknown, never good.
"""

from enum import StrEnum

from app.minutes import MINUTE_SECONDS
from app.web.page.facts import QueueFacts


class State(StrEnum):
    """Of one promise, the worst first."""

    BROKEN = "broken"
    AT_RISK = "at risk"
    """Kept so far, and what waits now will start too late."""
    UNKNOWN = "unknown"
    KEPT = "kept"
    IDLE = "idle"
    """Nothing started and nothing waits."""


def judge(facts: QueueFacts) -> State:
    """The verdict on one queue's promise, now."""
    share, promise_seconds = facts.recent_share, facts.queue.promise_seconds
    if not facts.read or not facts.hour:
        return State.UNKNOWN
    if facts.stalled_minutes * MINUTE_SECONDS > promise_seconds:
        return State.BROKEN
    if share.kept is not None and share.kept < facts.queue.percentile:
        return State.BROKEN
    if facts.ready and (not facts.pods or (facts.work_seconds or 0) > promise_seconds):
        return State.AT_RISK
    if share.started:
        return State.KEPT if share.timed else State.UNKNOWN
    return State.IDLE if facts.ready == 0 else State.UNKNOWN
