"""Which queue a task goes to, with which priority, and how it is published.

Invariant: a task is always routed by its queue. An explicit exchange or routing key is dropped, because Celery ignores both when a task has a
countdown and takes the default queue's key instead (Celery 5.7, `send_task`); a retry carries them along from the delivery it retries, so it would
end in another queue than the task it repeats. And every message carries a priority, because kombu writes 0 where there is none, which is last.
"""

from fnmatch import fnmatchcase
from typing import Any

from fleet.documents import ProducerDocument, Route
from fleet.errors import FleetError
from fleet.topology import DEFAULT_PRIORITY, HIGHEST_PRIORITY, INGRESS_EXCHANGE


class PriorityError(FleetError):
    """A priority that no queue has."""


class UnroutableTaskError(FleetError):
    """A task that no queue of the catalogue takes."""


class TaskRouter:
    """Celery's `task_routes` of a fleet: task name -> queue, with the options that every publish needs."""

    def __init__(self, document: ProducerDocument, *, confirm_timeout_seconds: float) -> None:
        self._queues = frozenset(document.queues)
        self._routes = document.routes
        self._priorities = document.priorities
        self._confirm_timeout_seconds = confirm_timeout_seconds

    def __call__(
        self, name: str, args: Any, kwargs: Any, options: dict[str, Any], task: Any = None, **_: Any
    ) -> dict[str, Any]:
        """Celery's router interface; `options` are those of the call, with a queue that was named already looked up.

        What they hold goes before what is returned (Celery 5.7, `Router.route`), so a caller's own queue and priority stay.

        Raises: UnroutableTaskError when no queue takes the task, PriorityError when the caller asks for a priority that there is none of.
        """
        delivered_with = options.pop("routing_key", None)
        repeated = delivered_with is not None
        # A key of the ingress exchange is its publisher's own and may end in any word, also in another queue's name.
        if options.pop("exchange", None) == INGRESS_EXCHANGE:
            delivered_with = None
        options.pop("exchange_type", None)
        # Confirms may stay away when the broker is blocked; a message that was returned is an error of the publish, never a silent loss.
        route: dict[str, Any] = {"mandatory": True, "confirm_timeout": self._confirm_timeout_seconds}
        if "queue" not in options:
            route["queue"] = self._queue_of_delivery(delivered_with) or self.queue_of(name)
        if (asked := options.get("priority")) is None:
            # A queue that was named is kombu's by now.
            queue = options["queue"].name if "queue" in options else route["queue"]
            route["priority"] = self.priority_of(name, queue)
        elif repeated and isinstance(asked, int):
            # A retry of a message that its publisher gave more than there is: it is not this caller's to put right.
            options["priority"] = min(asked, HIGHEST_PRIORITY)
        else:
            _check_priority(name, asked)
        return route

    def _queue_of_delivery(self, routing_key: str | None) -> str | None:
        """The queue that a delivery came from: its key ends in it, whether it was delayed or not."""
        queue = (routing_key or "").rpartition(".")[2]
        return queue if queue in self._queues else None

    def queue_of(self, task: str) -> str:
        """The logical queue of a task.

        Raises: UnroutableTaskError when no pattern matches.
        """
        queue = matching_queue(self._routes, task)
        if queue is None:
            raise UnroutableTaskError(
                f"task {task}", "matches no queue of the catalogue", "Add its name or a pattern to a queue's `tasks`."
            )
        return queue

    def priority_of(self, task: str, queue: str) -> int:
        """The priority of a task whose caller asks for none, in the queue that it goes to; the catalogue's check keeps patterns apart."""
        return next(
            (item.priority for item in self._priorities if item.queue == queue and fnmatchcase(task, item.pattern)),
            DEFAULT_PRIORITY,
        )

    def takes(self, task: str) -> bool:
        """Whether some queue takes the task."""
        return matching_queue(self._routes, task) is not None


def _check_priority(task: str, asked: Any) -> None:
    if isinstance(asked, bool) or not isinstance(asked, int) or not 0 <= asked <= HIGHEST_PRIORITY:
        raise PriorityError(
            f"task {task}",
            f"is published with priority {asked!r}, which queues do not have",
            f"Give a whole number from 0 to {HIGHEST_PRIORITY}, higher first, or none for the catalogue's.",
        )


def matching_queue(routes: tuple[Route, ...], task: str) -> str | None:
    """The queue of the first pattern that matches (`*` stands for any run of characters); the catalogue's check keeps patterns apart."""
    return next((route.queue for route in routes if fnmatchcase(task, route.pattern)), None)
