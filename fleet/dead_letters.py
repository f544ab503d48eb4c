"""What `fleet dlq` asks of `python -m app.dead_letters`, and what that answers: the JSON between the two.

A dead letter is a message that a queue gave up on; it lies in the queue's dead-letter queue until a person has looked. `unrouted` counts as one more
queue: its messages were accepted and lead nowhere.
"""

from typing import Literal

from fleet.documents import Route
from fleet.plan import Plan
from fleet.records import Record

LOOK_LIMIT = 500
"""Letters of a queue that are looked at unless more are asked for: each is read, and put back."""

SHOW_LIMIT = 20
"""Letters that are shown unless more are asked for."""

LEFT_MAX = 100
"""Letters that an answer names as left behind; more are counted."""

NAMES_MAX = 50
"""Task names that a summary counts one by one: a name is whatever a publisher wrote."""

OTHER_NAMES = "(others)"
"""Stands for the task names beyond `NAMES_MAX`."""

NO_TASK = "(no task)"
"""Stands for messages without the header `task`."""

FAILED_REASON = "failed"
"""Why a worker put a task among the dead letters: it failed for good, and the catalogue keeps such tasks."""

UNROUTED_REASON = "unrouted"
"""Why a message is in `unrouted`; the other reasons are RabbitMQ's: rejected, delivery_limit, expired, maxlen."""


Command = Literal["list", "show", "replay", "drop"]


class LetterQueue(Record, frozen=True, kw_only=True):
    """One queue of the catalogue, or `unrouted`."""

    name: str
    """Logical queue."""
    dead_letter_queue: str
    """Broker queue that holds its dead letters."""
    shards: tuple[str, ...]
    """Broker queues that a replay may publish to; none for `unrouted`, whose messages go where the catalogue routes their task."""


class LetterRequest(Record, frozen=True, kw_only=True):
    """One command."""

    command: Command
    vhost: str
    queues: tuple[LetterQueue, ...]
    """All of the fleet."""
    routes: tuple[Route, ...]
    names: tuple[str, ...]
    """The queues that the command is about, by logical name."""
    ids: tuple[str, ...] = ()
    """Task ids that are meant; all where there are none."""
    tasks: tuple[str, ...] = ()
    """Task names or patterns that are meant; all where there are none."""
    limit: int | None = None
    """Letters that are looked at (`list`), shown, replayed or dropped at most in each queue."""
    arguments: bool = True
    """Whether the tasks' arguments are told."""
    dry_run: bool = False
    """Say what would be replayed or dropped, and do nothing."""
    file: str | None = None
    """File that gets what is dropped, one JSON object a line."""


class QueueLetters(Record, frozen=True, kw_only=True):
    """What lies in one dead-letter queue."""

    queue: str
    dead_letter_queue: str
    count: int | None
    """Messages that are ready; None where the broker has no such queue."""
    looked: int
    """Messages that `oldest_at`, `reasons` and `tasks` are about: all, unless there are more than the limit."""
    oldest_at: float | None
    """Seconds since the epoch when the longest dead of them died; None where none says."""
    reasons: dict[str, int]
    tasks: dict[str, int]


class Letter(Record, frozen=True, kw_only=True):
    """One dead letter; what its message does not say is None."""

    id: str | None
    task: str | None
    reason: str | None
    """RabbitMQ's reason of its last death, `failed` or `unrouted`."""
    queue: str | None
    """Broker queue that it died in; of an unrouted one, its routing key."""
    deaths: int
    """How often it died there for this reason."""
    dead_at: float | None
    """Seconds since the epoch, by the broker's clock."""
    due_at: float | None
    """Seconds since the epoch: when its publisher wanted it to run."""
    sender: str | None
    """Process and host that published it."""
    retries: int
    replays: int
    expires: str | None
    """When a worker stops to take it, as its publisher wrote it."""
    arguments: str | None
    """As Celery shows them in its logs, shortened."""
    error: str | None
    """What the task failed with, where its worker said so."""
    traceback: str | None
    """The end of its traceback."""
    size_bytes: int


class Left(Record, frozen=True, kw_only=True):
    """A letter that stays although it was meant."""

    id: str | None
    task: str | None
    why: str


class LetterOutcome(Record, frozen=True, kw_only=True):
    """What `replay` or `drop` did with one queue."""

    queue: str
    dead_letter_queue: str
    count: int
    """Messages that were ready at the beginning."""
    done: int
    """Letters that were replayed or dropped or, in a dry run, would be."""
    dry_run: bool
    tasks: dict[str, int]
    """Task name -> letters of `done`."""
    left: tuple[Left, ...]
    """Letters that were meant and stay, `LEFT_MAX` at most."""
    left_count: int
    missing: tuple[str, ...]
    """Ids that were asked for and not seen."""
    stopped: str | None
    """Why the command ended early."""
    file: str | None


class Progress(Record, frozen=True, kw_only=True):
    """How far a replay or drop is."""

    done: int
    looked: int
    of: int


class LetterError(Record, frozen=True, kw_only=True):
    """Why a command was not done."""

    where: str
    problem: str
    fix: str


class LetterAnswer(Record, frozen=True, kw_only=True, omit_defaults=True):
    """One line of the answer; exactly one field is there."""

    progress: Progress | None = None
    queues: tuple[QueueLetters, ...] | None = None
    letters: tuple[Letter, ...] | None = None
    outcome: LetterOutcome | None = None
    error: LetterError | None = None


def letter_queues(plan: Plan) -> tuple[LetterQueue, ...]:
    """The queues of a fleet as dead letters see them, `unrouted` last."""
    return (
        *(
            LetterQueue(
                name=queue.name, dead_letter_queue=queue.topology.dead_letter_queue, shards=queue.topology.shards
            )
            for queue in plan.queues
        ),
        LetterQueue(name=plan.topology.unrouted, dead_letter_queue=plan.topology.unrouted, shards=()),
    )
