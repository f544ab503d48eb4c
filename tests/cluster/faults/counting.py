"""What a fault did to the tasks, counted by id from both sides: what was accepted, and what the sink was told.

Invariant: every count comes from ids, none from a counter of the fleet's own.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from tests.cluster.faults.load import Answers

ONCE = "faults.charge"
"""The task with `@once`."""


@dataclass(frozen=True, kw_only=True)
class Event:
    """One line of the sink."""

    what: str
    task: str
    id: str
    at: float
    pod: str


def parse_events(lines: Iterable[bytes]) -> list[Event]:
    """The sink's lines."""
    return [Event(**json.loads(line)) for line in lines]


@dataclass(frozen=True, kw_only=True)
class Counts:
    """One fault in numbers."""

    accepted: int
    """Tasks whose 202 came."""
    done: int
    """Of them, those that had their effect."""
    lost: int
    """Of them, those that neither had it nor are a dead letter."""
    duplicated: int
    """Effects beyond the first of a task without `@once`."""
    dead_lettered: int
    """Of the accepted that had no effect."""
    longest_wait_seconds: float
    """From a 202 to the first start of its task."""
    started_again: int
    """Starts beyond the first of a task without `@once`, whether they came to an effect or not."""
    once_second_effects: int
    """Effects beyond the first of a task with `@once`, at a sink that checks the fence."""
    once_started_again: int
    """Starts beyond the first of a task with `@once`."""
    refused: int
    """Requests that were answered with 503."""
    unanswered: int
    """Requests whose answer never came."""
    slowest_answer_seconds: float


def count(answers: Answers, events: Iterable[Event], dead: Iterable[str]) -> Counts:
    """The counts; `dead` are the ids of the dead letters."""
    starts: Counter[str] = Counter()
    effects: Counter[str] = Counter()
    once: set[str] = set()
    first_start: dict[str, float] = {}
    for event in events:
        if event.task == ONCE:
            once.add(event.id)
        if event.what == "started":
            starts[event.id] += 1
            first_start[event.id] = min(event.at, first_start.get(event.id, event.at))
        elif event.what == "done":
            effects[event.id] += 1
    accepted = answers.accepted
    done = accepted.keys() & effects.keys()
    dead_letters = (accepted.keys() & set(dead)) - done
    waits = [
        max(0.0, first_start[task_id] - task.answered_at)
        for task_id, task in accepted.items()
        if task_id in first_start
    ]
    return Counts(
        accepted=len(accepted),
        done=len(done),
        lost=len(accepted) - len(done) - len(dead_letters),
        duplicated=_beyond_first(effects, starts.keys() - once),
        dead_lettered=len(dead_letters),
        longest_wait_seconds=round(max(waits, default=0.0), 1),
        started_again=_beyond_first(starts, starts.keys() - once),
        once_second_effects=_beyond_first(effects, once),
        once_started_again=_beyond_first(starts, once),
        refused=answers.refused,
        unanswered=answers.unanswered,
        slowest_answer_seconds=round(answers.slowest_seconds, 1),
    )


def without_effect(answers: Answers, events: Iterable[Event], dead: Mapping[str, str]) -> Iterator[str]:
    """What is known of each accepted task that had no effect; `dead` gives each dead letter's reason."""
    told: dict[str, list[Event]] = {}
    for event in events:
        told.setdefault(event.id, []).append(event)
    for task_id, task in answers.accepted.items():
        seen = told.get(task_id, [])
        if not any(event.what == "done" for event in seen):
            fate = f"a dead letter ({dead[task_id]})" if task_id in dead else "in no dead-letter queue"
            steps = [f"{event.what} {event.at - task.answered_at:.1f} s later in {event.pod}" for event in seen]
            yield f"{task.task}[{task_id}] {fate}, {', '.join(steps) or 'never started'}"


def _beyond_first(seen: Mapping[str, int], of: Iterable[str]) -> int:
    return sum(max(0, seen.get(task_id, 0) - 1) for task_id in of)
