"""Where it pays to say which pods a scale-in stops first: on spot, where a task may outlast what a stopped worker gives it.

Elsewhere the grace covers the hard limit, so nothing is interrupted whichever pods go. Source: docs/explanation/scale-in.md, measured by
`python -m bench.scale_in`.
"""

from fleet.records import Record
from fleet.scaling import AutoscalingPlan
from fleet.sizing import Shutdown, WorkerPlan

REFRESH_SECONDS = 15
"""Pause between two looks at busy slots, and so between two writes to one pod: as old as the costs of the measurement may be."""


class ScaleInPlan(Record, frozen=True, kw_only=True):
    """Whose pods a controller has stopped in the order of their work."""

    queues: tuple[str, ...] = ()
    """In the catalogue's order; none means no controller."""


def idle_first_pays(worker: WorkerPlan, autoscaling: AutoscalingPlan) -> bool:
    """Whether a scale-in of the queue may interrupt tasks, and chooses among pods.

    The last pod goes, or stays, whatever anybody says of it.
    """
    interrupts = worker.shutdown is Shutdown.SOFT and worker.hard_limit_seconds > worker.soft_shutdown_seconds
    return interrupts and autoscaling.max_replicas > max(1, autoscaling.min_replicas)
