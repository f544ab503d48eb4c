"""Whole catalogues for Hypothesis, as the plain data that a YAML file holds, and the way from there to a Plan.

What is drawn is right by construction: every catalogue passes every check for the environment `dev`, so that a law that fails is a defect.
"""

from pathlib import Path
from typing import Any

import yaml
from hypothesis import strategies as st

from fleet.environment import default_environment
from fleet.loading import load_plan
from fleet.plan import Plan

Raw = dict[str, Any]

DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
"""The one in C where PyYAML has it: ten times as fast."""

QUEUE_NAMES = st.from_regex(r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?", fullmatch=True)

DURATIONS = st.one_of(
    st.integers(1, 999).map(lambda number: f"{number}ms"),
    st.integers(1, 59).map(lambda number: f"{number}s"),
    st.integers(1, 120).map(lambda number: f"{number}m"),
    st.builds(lambda hours, minutes: f"{hours}h{minutes}m", st.integers(1, 23), st.integers(0, 59)),
)

RATES = st.builds(lambda number, unit: f"{number}/{unit}", st.integers(1, 100), st.sampled_from(["s", "min", "h"]))

REACTION_SECONDS = 88
"""In `dev`; a burst whose wait is hardly longer may need more pods than any broker holds."""


@st.composite
def queues(draw: st.DrawFn, *, tasks: str) -> Raw:
    """One queue; its one task pattern is given, so that no two queues meet."""
    profile = draw(st.sampled_from(["io", "cpu"]))
    mean = draw(st.integers(1, 20_000))
    p99 = mean * draw(st.integers(1, 10))
    limit = max(1000, p99) + draw(st.integers(0, 60_000))
    wait = draw(st.integers(1, 1200))
    queue: Raw = {
        "tasks": [tasks],
        "profile": profile,
        "runtime": {"mean": f"{mean}ms", "p99": f"{p99}ms", "limit": f"{limit}ms"},
        "load": {
            "peak": f"{draw(st.integers(1, max(1, min(200, 100_000 // mean))))}/{draw(st.sampled_from(['s', 'min']))}"
        },
        "wait": {"promise": f"{wait}s", "percentile": draw(st.sampled_from([50, 90, 95, 99]))},
        "memory": f"{draw(st.integers(1, 256))}Mi",
        "idempotent": draw(st.booleans()),
        "shards": draw(st.integers(1, 4)),
        "replicas": {"min": draw(st.integers(0, 5))},
    }
    if queue["idempotent"] or limit <= 120_000:
        queue["capacity"] = draw(st.sampled_from(["on-demand", "spot"]))
    if draw(st.booleans()):
        queue["concurrency"] = draw(st.integers(1, 8))
    if profile == "io" and draw(st.booleans()):
        queue["pool"] = draw(st.sampled_from(["gevent", "prefork"]))
    args: Raw = {}
    if mean < 20 and draw(st.booleans()):
        # Their wait in the worker stays within 0.3 of the shortest promise that is drawn, a second.
        args["prefetch_multiplier"] = draw(st.integers(1, min(64, 1 + 290 // mean)))
    if queue.get("pool", "prefork" if profile == "cpu" else "gevent") == "prefork" and draw(st.booleans()):
        args["max_tasks_per_child"] = draw(st.integers(1, 10_000))
        args["optimization"] = draw(st.sampled_from(["fair", "fast"]))
    if args:
        queue["args"] = args
    if draw(st.booleans()):
        backoff = draw(st.integers(1, 60))
        queue["retries"] = {
            "max": draw(st.integers(0, 20)),
            "backoff": f"{backoff}s",
            "longest": f"{backoff + draw(st.integers(0, 3600))}s",
            "jitter": draw(st.booleans()),
        }
    names = draw(st.lists(st.sampled_from(["API_TOKEN", "DB_PASSWORD"]), max_size=2, unique=True))
    if names:
        secrets = {name: {"secret": f"kept-{name.lower().replace('_', '-')}", "key": "value"} for name in names}
        queue["pod"] = {"env": {"REGION": "north"}, "secrets": secrets}
    if draw(st.booleans()):
        queue["priority"] = draw(priorities(tasks=tasks.removesuffix("*")))
    further = draw(further_fields(word=tasks.split(".")[-2], wait_seconds=wait, mean=mean))
    if (burst := further.pop("burst", None)) is not None:
        queue["load"]["burst"] = burst
    return queue | further


@st.composite
def priorities(draw: st.DrawFn, *, tasks: str) -> dict[str, int]:
    """Priorities of tasks that begin so; those whose patterns meet are the same."""
    urgent, rest = draw(st.integers(0, 31)), draw(st.integers(0, 31))
    names = draw(st.lists(st.sampled_from(["urgent", "u*", "bulk.*"]), max_size=3, unique=True))
    return {f"{tasks}{name}": urgent if name.startswith("u") else rest for name in names}


WINDOWS = [
    {"from": "0 8 * * 1-5", "to": "0 18 * * 1-5", "timezone": "Europe/Berlin"},
    {"from": "30 22 * * *", "to": "15 2 * * *"},
    {"from": "*/20 0-5 1,15 * *", "to": "10-50/20 0-5 1,15 * *", "timezone": "America/New_York"},
]


@st.composite
def further_fields(draw: st.DrawFn, *, word: str, wait_seconds: int, mean: int) -> Raw:
    """What may be stated beside the rest; `word` is the queue's alone."""
    found: Raw = {
        "binds": draw(st.lists(st.sampled_from([f"{word}.#", f"{word}.*.done", f"{word}.new.*"]), max_size=2)),
        "dead_letter": {"keep": f"{draw(st.integers(1, 2000))}h", "failed": draw(st.booleans())},
        "schedule": [
            {**window, "min": draw(st.integers(1, 8))}
            for window in draw(st.lists(st.sampled_from(WINDOWS), max_size=3))
        ],
    }
    if draw(st.booleans()):
        found["requests"] = {"cpu": f"{draw(st.integers(1, 8000))}m", "memory": f"{draw(st.integers(512, 8192))}Mi"}
    if draw(st.booleans()):
        found["depends_on_downstream"] = {"name": f"db-{word}", "limit": draw(st.sampled_from([2_000, 100_000]))}
    if draw(st.booleans()) and not REACTION_SECONDS < wait_seconds < 2 * REACTION_SECONDS:
        rate = draw(st.integers(1, max(1, min(200, 20_000 // mean))))
        found["burst"] = {"rate": f"{rate}/s", "lasts": f"{draw(st.integers(1, 7200))}s"}
    return {key: value for key, value in found.items() if value}


@st.composite
def catalogues(draw: st.DrawFn, *, max_queues: int = 4) -> Raw:
    """A whole catalogue that is right, as plain data for YAML."""
    names = draw(st.lists(QUEUE_NAMES, min_size=1, max_size=max_queues, unique=True).filter(_keep_apart))
    return {
        "application": "shop.celery:app",
        "defaults": {"wait": {"promise": "30s"}},
        "queues": {name: draw(queues(tasks=f"shop.tasks.q{index}.*")) for index, name in enumerate(names)},
    }


def _keep_apart(names: list[str]) -> bool:
    """No name that another queue's shard or dead-letter queue would have, nor one that the fleet uses itself."""
    taken = {"tasks", "unrouted", "ingress", "fleet"} | {
        f"{name}-{end}" for name in names for end in ("dead", 0, 1, 2, 3)
    }
    return not taken & set(names)


def load_from(raw: Raw, folder: Path, *, environment: str = "dev", explain: bool = False) -> Plan:
    """The Plan of plain data, by way of a file as a user has it."""
    path = folder / "queues.yaml"
    path.write_text(yaml.dump(raw, Dumper=DUMPER, sort_keys=False), encoding="utf-8")
    return load_plan(path, default_environment(environment), shown_as="queues.yaml", explain=explain)


def sample_queue(**changes: Any) -> Raw:
    """A plain io queue that is right, with some fields changed; None leaves a field out."""
    queue: Raw = {
        "tasks": ["shop.tasks.*"],
        "profile": "io",
        "runtime": {"mean": "200ms", "p99": "1s", "limit": "10s"},
        "load": {"peak": "10/s"},
        **changes,
    }
    return {key: value for key, value in queue.items() if value is not None}


def sample_catalogue(**changes: Any) -> Raw:
    """A catalogue of one queue named `mail`, with some of its fields changed."""
    return {"application": "shop.celery:app", "queues": {"mail": sample_queue(**changes)}}
