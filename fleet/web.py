"""The size of the web layer, and what it takes: it enqueues and answers about tasks, and runs none."""

import re

from fleet.records import Record

CPU_MILLICORES = 200
"""A publish with its confirm costs less than a third of a millisecond of CPU; utilization is a share of this."""

MEMORY_BYTES = 256 * 2**20
"""The application imported, and requests in flight."""

CPU_TARGET_PERCENT = 80
"""Where the HPA holds it: it has no queue of its own to be scaled by."""

REPLICAS_MAX_FACTOR = 5
"""Pods at most, over the minimum."""

GRACE_SECONDS = 30
"""Longest request (a publish that waits for a blocked broker: 5 s) several times over."""


MAX_BODY_BYTES = 2**20
"""Largest body of a request where nothing else is said. A task's arguments name what it works on: every byte is written to the disks of several brokers, and
larger data has better places.
"""

TOKEN_PATTERN = re.compile(r"(?P<client>[a-z][a-z0-9-]{0,39}):(?P<token>[A-Za-z0-9._~+/=-]{16,256})")
"""A client's name and its bearer token, long enough not to be guessed. Source: RFC 6750, section 2.1, for the characters."""

TOKEN_FORM = "client:token, several with a comma between; a token has 16 to 256 letters, digits and ._~+/=-"  # noqa: S105 -- how one is written


def split_tokens(stated: str) -> list[str]:
    """The entries of a list of tokens, with commas or white space between."""
    return re.findall(r"[^\s,]+", stated)


class WebPlan(Record, frozen=True, kw_only=True):
    """The web layer's pods and their autoscaler."""

    replicas_min: int
    replicas_max: int
    cpu_request_millicores: int
    """No limit: a request that is throttled is a caller that waits."""
    memory_bytes: int
    """Request and limit alike."""
    cpu_target_percent: int
    grace_seconds: int


def derive_web(broker_nodes: int) -> WebPlan:
    """The web layer beside a broker of so many nodes: what outlives the loss of a broker node outlives the loss of a web node."""
    replicas_min = min(broker_nodes, 2)
    return WebPlan(
        replicas_min=replicas_min,
        replicas_max=replicas_min * REPLICAS_MAX_FACTOR,
        cpu_request_millicores=CPU_MILLICORES,
        memory_bytes=MEMORY_BYTES,
        cpu_target_percent=CPU_TARGET_PERCENT,
        grace_seconds=GRACE_SECONDS,
    )
