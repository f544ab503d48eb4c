"""Sends one letter back to its queue.

Invariant: it is removed only after the broker has confirmed that a queue has its copy.
"""

import zlib
from collections.abc import Callable
from dataclasses import dataclass, field

from app.dead_letters import messages
from app.dead_letters.mailbox import FullError, Mailbox, ReturnedError
from app.dead_letters.messages import Message
from app.routing import matching_queue
from fleet.dead_letters import LetterQueue, LetterRequest


@dataclass(kw_only=True)
class Replay:
    """One replay; a queue that refused a letter is not asked again."""

    mailbox: Mailbox
    request: LetterRequest
    clock: Callable[[], float]
    _closed: dict[str, str] = field(default_factory=dict, init=False)
    """Broker queue -> why it takes none."""

    def handle(self, queue: LetterQueue, message: Message) -> str | None:
        """Why the letter stays; None when it is replayed.

        Raises: StoppedError when it is not known.
        """
        if messages.is_over(message, self.clock()):
            return "its `expires` is over: a worker would discard it"
        target = self._target(queue, message)
        if target is None:
            return "no queue of the catalogue takes its task"
        if target not in self._closed and not self.request.dry_run:
            self._send(message, target)
        return self._closed.get(target)

    def _send(self, message: Message, target: str) -> None:
        try:
            self.mailbox.publish(messages.replayed(message, self.clock()), target)
        except ReturnedError:
            self._closed[target] = f"the broker has no queue {target}"
        except FullError:
            self._closed[target] = f"queue {target} is full"
        else:
            self.mailbox.remove(message)

    def _target(self, queue: LetterQueue, message: Message) -> str | None:
        """The broker queue it died in; where that is gone, one of today's shards by its id. An unrouted one goes where the catalogue routes its task."""
        if queue.shards:
            died_in = messages.died_in(message)
            return died_in if died_in in queue.shards else _chosen(queue.shards, message)
        routed = matching_queue(self.request.routes, messages.task_name(message) or "")
        shards = next((item.shards for item in self.request.queues if item.name == routed), None)
        return _chosen(shards, message) if shards else None


def _chosen(shards: tuple[str, ...], message: Message) -> str:
    return shards[zlib.crc32((messages.task_id(message) or "").encode()) % len(shards)]
