"""What the user's Celery application contains, as JSON: `python -m app.inspect --application module:attribute`.

It needs no broker. Programs ask it in a process of its own, because nothing that imports Pulumi imports the application, and `fleet` imports no Celery.
Invariant: standard output is one JSON object, whatever the application prints while it is imported. `docs/reference/inspect.md` describes it.
"""

import argparse
import contextlib
import json
import re
import sys
import traceback
from collections.abc import Mapping
from typing import Any

import celery
import kombu

from app.application import load_application, register_tasks
from fleet.errors import FleetError

ROUTE_FIELDS = ("queue", "exchange", "routing_key", "priority")
LIMIT_FIELDS = ("time_limit", "soft_time_limit")


def inspect_application(name: str) -> dict[str, Any]:
    """Versions, tasks with where they are routed, `task_routes`, `task_queues`, schedule and time limits of an application.

    Raises: FleetError when there is no such application.
    """
    app = load_application(name)
    names = register_tasks(app)
    return {
        "application": name,
        "versions": {"celery": celery.__version__, "kombu": kombu.__version__},
        "tasks": [_task(app, task) for task in names],
        "task_routes": _stated_routes(app.conf.task_routes),
        "task_queues": [_queue(queue) for queue in _stated_queues(app.conf.task_queues)],
        "default_queue": str(app.conf.task_default_queue),
        "time_limit": app.conf.task_time_limit,
        "soft_time_limit": app.conf.task_soft_time_limit,
        "schedule": [_entry(str(key), entry) for key, entry in sorted(app.conf.beat_schedule.items(), key=str)],
    }


def _task(app: Any, name: str) -> dict[str, Any]:
    task = app.tasks[name]
    own = {field: getattr(task, field, None) for field in ROUTE_FIELDS}
    return {
        "name": name,
        "module": str(type(task).__module__),
        **_route_fields(own),
        **{field: _number(getattr(task, field, None)) for field in LIMIT_FIELDS},
        "route": _route(app, name, {field: value for field, value in own.items() if value is not None}),
    }


def _route(app: Any, name: str, own: dict[str, Any]) -> dict[str, Any]:
    """Where Celery sends the task: its own options, then the routers, then the default queue."""
    try:
        found = app.amqp.router.route(dict(own), name, (), {}, app.tasks[name])
    except Exception as error:
        return {**_route_fields({}), "error": f"{type(error).__name__}: {error}"}
    return {**_route_fields(found), "error": None}


def _route_fields(options: Mapping[str, Any]) -> dict[str, Any]:
    queue, exchange, routing_key, priority = (options.get(field) for field in ROUTE_FIELDS)
    return {
        "queue": _name(queue),
        "exchange": _name(exchange),
        "routing_key": None if routing_key is None else str(routing_key),
        "priority": int(priority) if isinstance(priority, int) else None,
    }


def _name(thing: Any) -> str | None:
    """The name of a kombu object, or the text that stands for one."""
    return None if thing is None else str(getattr(thing, "name", thing))


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _stated_routes(routes: Any) -> list[dict[str, Any]]:
    """`task_routes` as it is written: a pattern with its route, or a router by its name; see `celery.app.routes.prepare`."""
    stated: list[dict[str, Any]] = []
    for route in routes if isinstance(routes, list | tuple) else [routes] if routes else []:
        if isinstance(route, Mapping):
            stated += [_pattern_route(key, value) for key, value in route.items()]
        elif isinstance(route, list | tuple):
            pairs = [route] if route and isinstance(route[0], str) else route
            stated += [_pattern_route(key, value) for key, value in pairs]
        else:
            stated.append({"pattern": None, "router": _callable_name(route), **_route_fields({})})
    return stated


def _pattern_route(pattern: Any, route: Any) -> dict[str, Any]:
    text = pattern.pattern if isinstance(pattern, re.Pattern) else str(pattern)
    fields = route if isinstance(route, Mapping) else {"queue": route}
    return {"pattern": text, "router": None, **_route_fields(fields)}


def _callable_name(router: Any) -> str:
    if isinstance(router, str):
        return router
    named = router if hasattr(router, "__qualname__") else type(router)
    return f"{named.__module__}.{named.__qualname__}"


def _stated_queues(queues: Any) -> list[Any]:
    if isinstance(queues, Mapping):
        return [kombu.Queue(name, **_queue_options(options)) for name, options in queues.items()]
    return list(queues or ())


def _queue_options(options: Any) -> dict[str, Any]:
    """A mapping of `task_queues` says `binding_key` where kombu says `routing_key` (Celery, `app.amqp.Queues.add_compat`)."""
    kept = {key: value for key, value in dict(options or {}).items() if key in ("exchange", "routing_key")}
    if "binding_key" in (options or {}):
        kept["routing_key"] = options["binding_key"]
    if isinstance(kept.get("exchange"), str):
        kept["exchange"] = kombu.Exchange(kept["exchange"], options.get("exchange_type", "direct"))
    return kept


def _queue(queue: Any) -> dict[str, Any]:
    if isinstance(queue, str):
        queue = kombu.Queue(queue)
    return {
        "name": str(queue.name),
        "exchange": _name(queue.exchange) or None,
        "exchange_type": str(queue.exchange.type) if queue.exchange else None,
        "routing_key": queue.routing_key or None,
    }


def _entry(name: str, entry: Any) -> dict[str, Any]:
    fields = entry if isinstance(entry, Mapping) else vars(entry)
    return {"name": name, "task": str(fields.get("task")), "queue": _name((fields.get("options") or {}).get("queue"))}


def _import_error(name: str, error: BaseException) -> FleetError:
    """What an application's own code raised, and where."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({frames[-1].filename}:{frames[-1].lineno})" if frames else ""
    reason = "".join(traceback.format_exception_only(error)).strip().splitlines()[-1]
    return FleetError(
        f"application {name}",
        f"cannot be imported: {reason}{place}",
        "Its modules have to be importable without a broker.",
    )


def main() -> int:
    """Print the JSON; what stands in the way is `{"error": {where, problem, fix}}`, also told on standard error, with exit code 1."""
    parser = argparse.ArgumentParser(prog="python -m app.inspect", description=__doc__)
    parser.add_argument("--application", required=True, metavar="MODULE:ATTRIBUTE")
    name = parser.parse_args().application
    try:
        with contextlib.redirect_stdout(sys.stderr):
            found = inspect_application(name)
    except FleetError as error:
        return _fail(error)
    except (Exception, SystemExit) as error:
        return _fail(_import_error(name, error))
    sys.stdout.write(json.dumps(found, indent=2) + "\n")
    return 0


def _fail(error: FleetError) -> int:
    sys.stderr.write(f"{error}\n")
    sys.stdout.write(json.dumps({"error": {"where": error.where, "problem": error.problem, "fix": error.fix}}) + "\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
