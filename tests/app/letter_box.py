"""Dead letters, a broker of lists that holds them, and whoever handles them there."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from app.dead_letters.handling import Handler
from app.dead_letters.messages import Message
from fleet.dead_letters import LetterQueue, LetterRequest
from fleet.documents import Route

NOW = 1_800_000_000.0

QUEUES = (
    LetterQueue(name="mail", dead_letter_queue="mail-dead", shards=("mail",)),
    LetterQueue(name="spread", dead_letter_queue="spread-dead", shards=("spread-0", "spread-1")),
    LetterQueue(name="unrouted", dead_letter_queue="unrouted", shards=()),
)


def dead(
    number: int | str, task: str = "shop.send", *, queue: str = "mail", reason: str = "rejected", **headers: Any
) -> Message:
    death = {"queue": queue, "reason": reason, "count": 2, "time": datetime(2026, 11, 26, 12, 0, 0)}  # noqa: DTZ001 - as py-amqp gives it
    return Message(
        body=b'[[1], {"a": 2}, {}]',
        properties={"correlation_id": str(number), "priority": 9},
        headers={"id": str(number), "task": task, "x-death": [death], **headers},
        routing_key=f"{queue}-dead",
    )


class Box:
    """A broker of lists; `fails_at` ends the process at that call, `refuses` says what a queue does to a publish."""

    def __init__(
        self,
        letters: Mapping[str, list[Message]],
        *,
        refuses: Mapping[str, Exception] | None = None,
        fails_at: int = -1,
    ) -> None:
        self.ready = {queue: list(found) for queue, found in letters.items()}
        self.taken: list[tuple[str, Message]] = []
        self.sent: dict[str, list[Message]] = {}
        self.refuses = refuses or {}
        self.fails_at = fails_at
        self.calls = 0

    def _call(self) -> None:
        if self.calls == self.fails_at:
            self.put_back()
            raise KeyboardInterrupt
        self.calls += 1

    def count(self, queue: str) -> int | None:
        return len(self.ready[queue]) if queue in self.ready else None

    def take(self, queue: str) -> Message | None:
        self._call()
        if not self.ready[queue]:
            return None
        message = self.ready[queue].pop(0)
        self.taken.append((queue, message))
        return message

    def publish(self, message: Message, queue: str) -> None:
        self._call()
        if queue in self.refuses:
            raise self.refuses[queue]
        self.sent.setdefault(queue, []).append(message)
        self._call()

    def remove(self, message: Message) -> None:
        self._call()
        self.taken = [(queue, taken) for queue, taken in self.taken if taken is not message]

    def put_back(self) -> None:
        for queue, message in reversed(self.taken):
            self.ready[queue].insert(0, message)
        self.taken = []

    def ids(self, queue: str) -> list[str]:
        return [str(message.headers["id"]) for message in self.ready.get(queue, [])]

    def sent_ids(self, queue: str) -> list[str]:
        return [str(message.headers["id"]) for message in self.sent.get(queue, [])]


def handler(
    box: Box, command: Any = "replay", queue: str = "mail", *, stopped_after: int = -1, **fields: Any
) -> Handler:
    request = LetterRequest(
        command=command,
        vhost="shop",
        queues=QUEUES,
        routes=(Route(pattern="shop.*", queue="mail"), Route(pattern="wide.*", queue="spread")),
        names=(queue,),
        **fields,
    )
    return Handler(
        mailbox=box,
        request=request,
        clock=lambda: NOW,
        is_stopped=lambda: 0 <= stopped_after <= len(box.sent_ids("mail")),
    )
