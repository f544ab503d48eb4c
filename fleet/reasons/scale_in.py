"""Which queues have their idle pods stopped first."""

from collections.abc import Iterator

from fleet.environment import Environment
from fleet.plan import Plan
from fleet.reasons.rules import Number
from fleet.reasons.sources import SCALE_IN
from fleet.records import SHARED, Reason
from fleet.scale_in import REFRESH_SECONDS
from fleet.sizing import SPOT_SOFT_SHUTDOWN_SECONDS

_QUEUES = Number(
    path="scale_in.queues",
    means="Queues on whose pods a controller writes their busy slots as the cost of stopping them",
    fields=("scale_in.queues",),
)
QUEUES = _QUEUES.chosen(
    "on spot with a limit above {soft_shutdown}, and pods to choose from: {queues}",
    f"what a scale-in cuts short there runs again from the start; every {REFRESH_SECONDS}s its cost says who has least in hand",
    SCALE_IN,
)
QUEUES_NONE = _QUEUES.chosen(
    "no queue on spot with a limit above {soft_shutdown}, and pods to choose from",
    "no scale-in interrupts a task, whichever pods it stops; so there is no controller",
    SCALE_IN,
)


def explain(plan: Plan, _environment: Environment) -> Iterator[Reason]:
    """The queues, or why there are none."""
    queues, seconds = plan.scale_in.queues, f"{SPOT_SOFT_SHUTDOWN_SECONDS}s"
    if queues:
        yield QUEUES.reason(SHARED, str(len(queues)), soft_shutdown=seconds, queues=", ".join(queues))
    else:
        yield QUEUES_NONE.reason(SHARED, "0", soft_shutdown=seconds)
