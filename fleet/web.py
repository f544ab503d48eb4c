"""The size of the web layer: it enqueues and answers about tasks, and runs none."""

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
