"""The four classes of queues on which scaling policies are compared, as a catalogue; see docs/designs/scaling.md."""

from dataclasses import replace
from typing import Any

from fleet.catalogue import Catalogue
from fleet.deriving import derive_plan
from fleet.environment import Environment, default_environment
from fleet.environment import replace as with_settings
from fleet.simulate.model import SimulatedQueue, World, simulated_queue
from fleet.units import format_duration, parse_duration_seconds

STARTUP_SECONDS = 10.0
WORLD = World(startup_seconds=(5.0, STARTUP_SECONDS))

DURATION_SECONDS = {"io": 2700.0, "cpu": 7200.0, "mail": 5400.0, "reports": 14400.0}
BATCH_MESSAGES = {"io": 5000, "cpu": 300, "mail": 5000, "reports": 100}
DECLARED_MINIMUM = {"io": 2, "cpu": 2, "mail": 1, "reports": 0}


def _queue(*, profile: str, runtime: str, peak: str, wait: str, minimum: int, slots: int) -> dict[str, Any]:
    """`runtime` is mean, 99th percentile and hard limit; `slots` are stated, so that a wrong runtime changes nothing but itself."""
    mean, p99, limit = runtime.split()
    return {
        "tasks": ["tasks.*"],
        "profile": profile,
        "runtime": {"mean": mean, "p99": p99, "limit": limit},
        "load": {"peak": peak},
        "wait": {"promise": wait},
        "replicas": {"min": minimum},
        "concurrency": slots,
    }


CLASSES: dict[str, dict[str, Any]] = {
    "io": _queue(profile="io", runtime="80ms 400ms 5s", peak="800/s", wait="1s", minimum=2, slots=8),
    "cpu": _queue(profile="cpu", runtime="2s 6s 30s", peak="10/s", wait="10s", minimum=2, slots=1),
    "mail": _queue(profile="io", runtime="300ms 1200ms 10s", peak="100/s", wait="30s", minimum=1, slots=4),
    "reports": _queue(profile="cpu", runtime="40s 240s 600s", peak="0.25/s", wait="600s", minimum=0, slots=1),
}

SLOW: dict[str, dict[str, Any]] = {
    "slow": _queue(profile="cpu", runtime="20s 60s 300s", peak="0.1/s", wait="60s", minimum=1, slots=1)
}


def classes(
    *, startup_seconds: float = STARTUP_SECONDS, runtime: float = 1.0, specs: dict[str, dict[str, Any]] = CLASSES
) -> dict[str, SimulatedQueue]:
    """The classes as an environment that declares this start-up time plans them, with every declared runtime times `runtime`."""
    environment: Environment = with_settings(default_environment("dev"), startup_seconds=startup_seconds)
    queues = {name: _declared(spec, runtime) for name, spec in specs.items()}
    catalogue = Catalogue.model_validate({"application": "app.celery_app:celery_app", "queues": queues})
    plan = derive_plan(catalogue, environment)
    return {
        queue.name: replace(
            simulated_queue(queue, batch_messages=BATCH_MESSAGES.get(queue.name)),
            declared_minimum=DECLARED_MINIMUM.get(queue.name, 1),
        )
        for queue in plan.queues
    }


def _declared(spec: dict[str, Any], factor: float) -> dict[str, Any]:
    runtime = {key: _times(value, factor if key != "limit" else 1.0) for key, value in spec["runtime"].items()}
    return {**spec, "runtime": runtime}


def _times(duration: str, factor: float) -> str:
    return format_duration(parse_duration_seconds(duration) * factor)
