"""Queues as they would be seen, and a plan to hold them against."""

from pathlib import Path
from typing import Any

import yaml

from fleet.environment import load_environment
from fleet.loading import Draft, draft_stack_plan
from fleet.measure.histograms import Histogram
from fleet.measure.judging import Measured, measure
from fleet.measure.observation import Arrivals, Look, Observation
from tests.fleet.strategies import sample_catalogue

DECLARED: dict[str, Any] = {
    "profile": "io",
    "runtime": {"mean": "100ms", "p99": "400ms", "limit": "10s"},
    "load": {"peak": "10/s"},
    "wait": {"promise": "30s"},
    "memory": "40Mi",
}
"""Of the queue `mail`."""

STACK = "prod"


def runs(mean: float, p99: float, tasks: int) -> Histogram:
    """One task in a hundred beyond a bucket that ends at p99 and is a tenth wide."""
    low = p99 / 1.1
    return Histogram(
        bounds_seconds=(low, p99), counts=(0.9 * tasks, 0.09 * tasks, 0.01 * tasks), total_seconds=mean * tasks
    )


def arrivals(per_second: float) -> tuple[Arrivals, ...]:
    return tuple(Arrivals(ended_at=1_700_000_000.0 + 300 * at, seconds=300, tasks=300 * per_second) for at in range(12))


def observation(**changes: Any) -> Observation:
    """As declared, unless changed: half of 100,000 tasks a second within a promise."""
    fields: dict[str, Any] = {
        "runs": runs(0.1, 0.4, 100_000),
        "waits": Histogram(bounds_seconds=(30.0,), counts=(98_000, 2_000), total_seconds=1),
        "peak_resident_bytes": (112 + 4 * 40) * 2**20,
        "startup_seconds": 75.0,
        "pods": 40,
        "arrivals": arrivals(10),
    }
    return Observation(**{**fields, **changes})


def draft(folder: Path, settings: str = "", **fields: Any) -> Draft:
    """The draft of `mail` in `prod`."""
    (folder / "queues.yaml").write_text(yaml.safe_dump(sample_catalogue(**{**DECLARED, **fields}), sort_keys=False))
    if settings:
        (folder / f"Pulumi.{STACK}.yaml").write_text(f"config:\n  celery-fleet:environment: {{{settings}}}\n")
    return draft_stack_plan(folder / "queues.yaml", STACK, root=folder, explain=True)


def judge(
    folder: Path, seen: Observation, *, seconds: float | None = 86_400, settings: str = "", **fields: Any
) -> Measured:
    """What is said of `mail`."""
    drafted = draft(folder, settings, **fields)
    assert drafted.plan is not None
    assert drafted.catalogue is not None
    look = Look(source="a test", seconds=seconds, queues={"mail": seen})
    (found,) = measure(drafted.plan, drafted.catalogue, load_environment(folder, STACK), look)
    return found
