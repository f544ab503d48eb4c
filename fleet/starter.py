"""A first catalogue for an application that exists: its tasks in the queues they have today, with a marked guess for each number nobody stated.

Invariant: what is written passes `fleet check`. Names, routes, priorities and time limits are the application's; everything that only people know
carries the word GUESS.
"""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import yaml

from fleet.catalogue import QUEUE_NAME_LENGTH_MAX, QUEUE_NAME_PATTERN
from fleet.errors import FleetError
from fleet.inspection import ApplicationFacts, TaskFacts
from fleet.records import SHARED
from fleet.schema import FILE_NAME
from fleet.topology import DEAD_SUFFIX, HIGHEST_PRIORITY, INGRESS_EXCHANGE, TASK_EXCHANGE, UNROUTED
from fleet.units import format_duration

MEAN_SECONDS = 1.0
P99_SECONDS = 5.0
LIMIT_SECONDS = 300.0
LIMIT_SECONDS_MIN, LIMIT_SECONDS_MAX = 1.0, 86400.0
MARK = "GUESS"

TASKS_LISTED_MAX = 200
"""Characters of a task pattern."""


@dataclass(frozen=True, kw_only=True)
class _Group:
    """The tasks of one queue."""

    name: str
    was: str
    tasks: tuple[TaskFacts, ...]


def starter_catalogue(facts: ApplicationFacts) -> str:
    """The text of a catalogue for an application.

    Raises: FleetError when the application has no task.
    """
    if not facts.tasks:
        raise FleetError(
            f"application {facts.application}",
            "registers no task",
            "Name the modules of its tasks in `include`, or call autodiscover_tasks.",
        )
    groups = _groups(facts)
    lines = [
        f"# yaml-language-server: $schema=./{FILE_NAME}",
        f"# Written by `fleet init` from {facts.application}. Correct every value marked {MARK}; `fleet plan` shows what follows from it.",
        f"application: {facts.application}",
        "defaults:",
        f"  wait: {{promise: 30s, percentile: 95}} # {MARK}: 95 % of the tasks start within 30 s",
        "queues:",
    ]
    for group in groups:
        lines += _queue_lines(group, groups, facts)
    lines += _left_out(groups, facts)
    return "\n".join(lines) + "\n"


def _groups(facts: ApplicationFacts) -> list[_Group]:
    """Tasks by the queue that Celery sends them to today, in the order of their names."""
    members: dict[str, list[TaskFacts]] = {}
    for task in facts.tasks:
        route = task.route
        queue = route.queue or task.queue or route.routing_key or route.exchange or facts.default_queue
        members.setdefault(queue, []).append(task)
    taken = {TASK_EXCHANGE, UNROUTED, INGRESS_EXCHANGE, SHARED}
    groups: list[_Group] = []
    for was, tasks in sorted(members.items()):
        name = _free_name(_queue_name(was), taken)
        taken |= {name, f"{name}{DEAD_SUFFIX}"}
        groups.append(_Group(name=name, was=was, tasks=tuple(tasks)))
    return groups


def _queue_name(text: str) -> str:
    """The nearest name that is a valid queue name."""
    name = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    if not re.match(r"[a-z]", name):
        name = f"q-{name}".rstrip("-")
    return name[:QUEUE_NAME_LENGTH_MAX].rstrip("-") if re.fullmatch(QUEUE_NAME_PATTERN, text) is None else text


def _free_name(name: str, taken: set[str]) -> str:
    number, free = 2, name[:QUEUE_NAME_LENGTH_MAX]
    while {free, f"{free}{DEAD_SUFFIX}"} & taken:
        suffix = f"-{number}"
        free = f"{name[: QUEUE_NAME_LENGTH_MAX - len(suffix)].rstrip('-')}{suffix}"
        number += 1
    return free


def _queue_lines(group: _Group, groups: list[_Group], facts: ApplicationFacts) -> Iterator[str]:
    renamed = f" # {_quoted(group.was)} today, which is no valid queue name here" if group.name != group.was else ""
    yield f"  {_scalar(group.name)}:{renamed}"
    if any(task.queue is not None for task in group.tasks) and renamed:
        yield "    # Some of these tasks say `queue=` themselves: take that out, or it goes before this file."
    for stated in facts.task_queues:
        if stated.name == group.was and stated.routing_key and re.search(r"[*#]", stated.routing_key):
            yield f"    # It is bound by {_quoted(stated.routing_key)}; publishers that are not Celery need `binds: [{_quoted(stated.routing_key)}]`."
    errors = sorted({task.route.error for task in group.tasks if task.route.error})
    for error in errors:
        yield f"    # {MARK}: the application's router could not be asked ({_quoted(error)})."
    yield "    tasks:"
    others = [task.name for other in groups if other is not group for task in other.tasks]
    for pattern in _patterns([task.name for task in group.tasks], others):
        yield f"      - {_scalar(pattern)}"
    yield f"    profile: io # {MARK}: io where a running task mostly waits, cpu where it computes"
    yield from _runtime_lines(group, facts)
    yield f"    load: {{peak: 1/s}} # {MARK}: tasks a second at the busiest time"
    yield f"    memory: 64Mi # {MARK}: resident, of one running task on top of the idle worker"
    yield from _priority_lines(group)


def _runtime_lines(group: _Group, facts: ApplicationFacts) -> Iterator[str]:
    limit, known = _limit(group.tasks, facts)
    p99 = min(P99_SECONDS, limit)
    mean = min(MEAN_SECONDS, p99)
    words = (
        f"mean and p99; limit is {known}" if known else "all three; limit is the hard limit, at which a task is killed"
    )
    shown = ", ".join(
        f"{key}: {format_duration(seconds)}" for key, seconds in (("mean", mean), ("p99", p99), ("limit", limit))
    )
    yield f"    runtime: {{{shown}}} # {MARK}: {words}"


def _limit(tasks: Iterable[TaskFacts], facts: ApplicationFacts) -> tuple[float, str | None]:
    """The hard limit of a queue in seconds, and where it is known from: its longest, because a queue has one limit."""
    hard = [task.time_limit for task in tasks if task.time_limit]
    soft = [task.soft_time_limit for task in tasks if task.soft_time_limit]
    if hard:
        limit, known = max(hard), "the longest `time_limit` of its tasks"
    elif facts.time_limit:
        limit, known = facts.time_limit, "`task_time_limit`"
    elif longest := max([*soft, facts.soft_time_limit or 0.0]):
        # The soft limit that is derived from a limit is a tenth, and five seconds at least, below it.
        limit, known = max(longest + 5, longest / 0.9), f"made so that the soft limit stays {format_duration(longest)}"
    else:
        return LIMIT_SECONDS, None
    return min(max(float(round(limit)), LIMIT_SECONDS_MIN), LIMIT_SECONDS_MAX), known


def _priority_lines(group: _Group) -> Iterator[str]:
    stated = {task.name: task.priority if task.priority is not None else task.route.priority for task in group.tasks}
    kept = {
        _pattern(name): min(max(number, 0), HIGHEST_PRIORITY) for name, number in stated.items() if number is not None
    }
    if kept:
        yield "    priority:"
        for name, number in kept.items():
            cut = " # 31 is the highest here" if number != stated.get(name, number) else ""
            yield f"      {_scalar(name)}: {number}{cut}"


def _patterns(names: list[str], others: list[str]) -> list[str]:
    """`module.*` where every task below a module is of this queue, else the names themselves; none meets another."""
    found: list[str] = []
    for name in names:
        module, dot, _ = name.rpartition(".")
        prefix = f"{module}{dot}"
        whole = bool(dot) and not any(other.startswith(prefix) for other in others)
        pattern = f"{_pattern(prefix)}*" if whole else _pattern(name)
        found.append(re.sub(r"\*+", "*", pattern))
    unique = list(dict.fromkeys(found))
    return [
        pattern for pattern in unique
        if not any(other != pattern and other.endswith("*") and pattern.startswith(other[:-1]) for other in unique)
    ]  # fmt: skip


def _pattern(name: str) -> str:
    """A task name as the catalogue can say it: `*` stands for what a pattern may not hold."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "*", name)[:TASKS_LISTED_MAX]


def _left_out(groups: list[_Group], facts: ApplicationFacts) -> Iterator[str]:
    """Comments about what the application states and the catalogue has no place for."""
    used = {group.was for group in groups}
    for stated in facts.task_queues:
        if stated.name not in used:
            yield f"# Left out: the queue {_quoted(stated.name)} of task_queues, to which no registered task goes."
    names = {task.name for task in facts.tasks}
    for entry in facts.schedule:
        if entry.task not in names:
            yield f"# Mind: beat_schedule sends {_quoted(entry.task)} ({_quoted(entry.name)}), which no module registers."


def _scalar(text: str) -> str:
    """Text as YAML reads it back; quoted where it would be a number, a boolean or an alias."""
    try:
        plain = yaml.safe_load(text) == text
    except yaml.YAMLError:
        plain = False
    return text if plain else json.dumps(text)


def _quoted(text: str) -> str:
    """Text in one line, whatever it holds."""
    return json.dumps(text, ensure_ascii=True)
