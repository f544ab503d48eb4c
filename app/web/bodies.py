"""What clients send to the web layer and what they are answered."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from app.delays import MAX_DELAY_SECONDS
from app.enqueuing import Outcome
from fleet.topology import HIGHEST_PRIORITY

BATCH_TASKS = 1000
"""Tasks of one request at most: they are confirmed within its five seconds also where a broker takes its time."""


def check_delay(seconds: float) -> float:
    """The delay, where the broker can hold it.

    Raises: ValueError with what else to write.
    """
    # In this order, NaN is refused too.
    if not seconds >= 1:
        raise ValueError(
            "the broker delays by whole seconds; give 1 or more, or leave countdown out to run the task at once"
        )
    if seconds > MAX_DELAY_SECONDS:
        raise ValueError(
            f"the broker's 28 delay levels hold {MAX_DELAY_SECONDS} seconds (8.5 years) at most; keep later work in a database"
        )
    return seconds


class TaskBody(BaseModel):
    """What to run a task with."""

    model_config = ConfigDict(extra="forbid", strict=True)

    args: list[Any] = Field(default_factory=list, description="Positional arguments.")
    kwargs: dict[str, Any] = Field(default_factory=dict, description="Keyword arguments.")
    countdown: Annotated[float, AfterValidator(check_delay)] | None = Field(
        default=None,
        description=f"Seconds until the task may start, from 1 to {MAX_DELAY_SECONDS}; the broker delays by whole seconds, so fractions are rounded up.",
    )
    priority: Annotated[int, Field(ge=0, le=HIGHEST_PRIORITY)] | None = Field(
        default=None, description="Higher goes first within its queue; the catalogue's when absent."
    )


class BatchTask(TaskBody):
    """One task of a batch."""

    name: str = Field(description="Name of the task.")


class BatchBody(BaseModel):
    """Tasks to enqueue together, in this order."""

    model_config = ConfigDict(extra="forbid", strict=True)

    tasks: Annotated[list[BatchTask], Field(min_length=1, max_length=BATCH_TASKS)]


class Accepted(BaseModel):
    """A task that the broker keeps."""

    id: str
    queue: str


class BatchedTask(BaseModel):
    """What became of one task of a batch."""

    id: str
    queue: str
    outcome: Outcome = Field(
        description="accepted: confirmed. refused, returned: in no queue, safe to send again. unknown: sent but not confirmed, it may run."
    )
    reason: str | None = None


class BatchAnswer(BaseModel):
    """What became of each task, in the order in which they were sent."""

    tasks: list[BatchedTask]


class TaskAnswer(BaseModel):
    """What is known of a task."""

    id: str
    state: str = Field(
        description="PENDING, PROGRESS or another state of the task's own; SUCCESS, FAILURE, REVOKED at its end."
    )
    queue: str | None = None
    result: Any = Field(default=None, description="What the task returned, or how far it is.")
    error: str | None = None


class InvalidTask(BaseModel):
    """One thing that is wrong with a body, in the form of every other refusal of a body."""

    type: Literal["task"] = "task"
    loc: list[str | int]
    msg: str
