"""List, show, replay and drop, over whatever holds the messages.

Invariant: a letter leaves its queue only after the broker has confirmed its copy in a queue (replay) or it was named by a person who said so (drop), so
a crash at any moment leaves it at least once. Everything read is put back unless it was removed; what arrives meanwhile is left for the next time.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from app.dead_letters import messages
from app.dead_letters.keeping import keep, open_kept
from app.dead_letters.mailbox import Mailbox, StoppedError
from app.dead_letters.messages import Message
from app.dead_letters.replaying import Replay
from fleet.dead_letters import (
    LEFT_MAX,
    LOOK_LIMIT,
    NAMES_MAX,
    NO_TASK,
    OTHER_NAMES,
    SHOW_LIMIT,
    UNROUTED_REASON,
    Left,
    Letter,
    LetterOutcome,
    LetterQueue,
    LetterRequest,
    Progress,
    QueueLetters,
)
from fleet.errors import FleetError

PROGRESS_SECONDS = 1.0


@dataclass(kw_only=True)
class Handler:
    """Carries out requests; `tell` hears of progress, `is_stopped` says whether a person wants to end."""

    mailbox: Mailbox
    request: LetterRequest
    tell: Callable[[Progress], None] = lambda _: None
    is_stopped: Callable[[], bool] = lambda: False
    clock: Callable[[], float] = time.time

    def summaries(self) -> tuple[QueueLetters, ...]:
        """A summary of each queue."""
        return tuple(self._summary(queue) for queue in self._queues())

    def letters(self) -> tuple[Letter, ...]:
        """The letters that are meant, in the order of their queue."""
        (queue,) = self._queues()
        found: list[Letter] = []
        limit = self.request.limit or SHOW_LIMIT
        for message in self._read(queue, self._ready(queue)):
            if self._is_meant(message):
                found.append(self._letter(queue, message))
            if len(found) >= limit:
                break
        self.mailbox.put_back()
        return tuple(found)

    def replay(self) -> LetterOutcome:
        """Publish each letter to where it died, then remove it."""
        replay = Replay(mailbox=self.mailbox, request=self.request, clock=self.clock)
        return self._handle(replay.handle)

    def drop(self) -> LetterOutcome:
        """Remove each letter, kept in the file first where there is one.

        Raises: FleetError when the file cannot be written.
        """
        with ExitStack() as stack:
            kept = self._kept_in()
            file = stack.enter_context(open_kept(kept)) if kept else None

            def drop_one(queue: LetterQueue, message: Message) -> str | None:
                if self.request.dry_run:
                    return None
                if file is not None:
                    keep(file, messages.as_line(message, self._letter(queue, message)))
                self.mailbox.remove(message)
                return None

            return self._handle(drop_one)

    def _kept_in(self) -> str | None:
        return None if self.request.dry_run else self.request.file

    def _handle(self, handle: Callable[[LetterQueue, Message], str | None]) -> LetterOutcome:
        """`handle` each letter that is meant; it says why one stays."""
        (queue,) = self._queues()
        ready, tally = self._ready(queue), _Tally(ids=set(self.request.ids))
        told_at = time.monotonic()
        stopped = None
        try:
            for message in self._read(queue, ready):
                tally.looked += 1
                if self._is_meant(message):
                    tally.count(message, handle(queue, message))
                if time.monotonic() - told_at >= PROGRESS_SECONDS:
                    told_at = time.monotonic()
                    self.tell(Progress(done=tally.done, looked=tally.looked, of=ready))
                if tally.done == self.request.limit or tally.is_complete():
                    break
            else:
                stopped = "interrupted" if self.is_stopped() else None
            self.mailbox.put_back()
        except StoppedError as error:
            stopped = str(error)
        return LetterOutcome(
            queue=queue.name,
            dead_letter_queue=queue.dead_letter_queue,
            count=ready,
            done=tally.done,
            dry_run=self.request.dry_run,
            tasks=_bounded(tally.tasks),
            left=tuple(tally.left),
            left_count=tally.left_count,
            missing=tuple(sorted(tally.ids)),
            stopped=stopped,
            file=self._kept_in(),
        )

    def _summary(self, queue: LetterQueue) -> QueueLetters:
        count = self.mailbox.count(queue.dead_letter_queue)
        reasons, tasks, times, looked = Counter[str](), Counter[str](), [], 0
        for message in self._read(queue, min(count or 0, self.request.limit or LOOK_LIMIT)):
            looked += 1
            reasons[UNROUTED_REASON if not queue.shards else messages.death_reason(message) or "unknown"] += 1
            tasks[messages.task_name(message) or NO_TASK] += 1
            times.append(messages.dead_at(message))
        self.mailbox.put_back()
        return QueueLetters(
            queue=queue.name,
            dead_letter_queue=queue.dead_letter_queue,
            count=count,
            looked=looked,
            oldest_at=min((moment for moment in times if moment is not None), default=None),
            reasons=_bounded(reasons),
            tasks=_bounded(tasks),
        )

    def _queues(self) -> list[LetterQueue]:
        return [queue for queue in self.request.queues if queue.name in self.request.names]

    def _ready(self, queue: LetterQueue) -> int:
        """How many there are now, which bounds the command: what dies again meanwhile waits for the next.

        Raises: FleetError when the broker has no such queue.
        """
        count = self.mailbox.count(queue.dead_letter_queue)
        if count is None:
            raise FleetError(
                f"queue {queue.dead_letter_queue}", "is not in the broker", "Deploy the catalogue first: pulumi up."
            )
        return count

    def _read(self, queue: LetterQueue, most: int) -> Iterator[Message]:
        """Messages of a dead-letter queue, `most` of them at most, until a person stops it."""
        for _ in range(most):
            message = None if self.is_stopped() else self.mailbox.take(queue.dead_letter_queue)
            if message is None:
                return
            yield message

    def _is_meant(self, message: Message) -> bool:
        ids, patterns = self.request.ids, self.request.tasks
        task = messages.task_name(message) or ""
        return (not ids or messages.task_id(message) in ids) and (
            not patterns or any(fnmatchcase(task, pattern) for pattern in patterns)
        )

    def _letter(self, queue: LetterQueue, message: Message) -> Letter:
        return messages.read_letter(message, unrouted=not queue.shards, arguments=self.request.arguments)


@dataclass(kw_only=True)
class _Tally:
    """What became of the letters that were meant."""

    ids: set[str]
    """Those that are still to be seen."""
    looked: int = 0
    done: int = 0
    tasks: Counter[str] = field(default_factory=Counter)
    left: list[Left] = field(default_factory=list)
    left_count: int = 0
    _asked: bool = field(init=False)

    def __post_init__(self) -> None:
        self._asked = bool(self.ids)

    def count(self, message: Message, why: str | None) -> None:
        task, task_id = messages.task_name(message), messages.task_id(message)
        self.ids.discard(task_id or "")
        if why is None:
            self.done += 1
            self.tasks[task or NO_TASK] += 1
            return
        self.left_count += 1
        if len(self.left) < LEFT_MAX:
            self.left.append(Left(id=task_id, task=task, why=why))

    def is_complete(self) -> bool:
        """Whether every id that was asked for was seen, once: of a duplicate the second stays for the next command."""
        return self._asked and not self.ids


def _bounded(counts: Counter[str]) -> dict[str, int]:
    """The most frequent names, then the sum of all others."""
    kept = dict(counts.most_common(NAMES_MAX))
    others = counts.total() - sum(kept.values())
    return {**kept, **({OTHER_NAMES: others} if others else {})}
