"""Applications as they describe themselves, without one."""

from typing import Any

from fleet.inspection import ApplicationFacts, RouteFacts, ScheduleEntry, StatedQueue, StatedRoute, TaskFacts


def task_facts(name: str, **changes: Any) -> TaskFacts:
    """A task without options; `routed_to` is where Celery sends it today."""
    routed_to = changes.pop("routed_to", "celery")
    error = changes.pop("router_error", None)
    fields = {
        "queue": None, "exchange": None, "routing_key": None, "priority": None, "time_limit": None, "soft_time_limit": None,
        "module": name.rpartition(".")[0], **changes,
    }  # fmt: skip
    route = RouteFacts(
        queue=None if error else routed_to, exchange=None, routing_key=None, priority=fields["priority"], error=error
    )
    return TaskFacts(name=name, route=route, **fields)


def application_facts(
    *tasks: TaskFacts,
    schedule: tuple[ScheduleEntry, ...] = (),
    queues: tuple[StatedQueue, ...] = (),
    routes: tuple[StatedRoute, ...] = (),
    versions: dict[str, str] | None = None,
    time_limit: float | None = None,
) -> ApplicationFacts:
    """An application of these tasks."""
    return ApplicationFacts(
        application="shop.celery:app",
        versions=versions or {"celery": "5.7.0", "kombu": "5.7.0"},
        tasks=tasks,
        task_routes=routes,
        task_queues=queues,
        default_queue="celery",
        time_limit=time_limit,
        soft_time_limit=None,
        schedule=schedule,
    )
