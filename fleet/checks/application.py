"""The application against the catalogue: every task that is registered has exactly one queue, and every pattern a task.

The rules over the catalogue alone cannot see a task that nobody wrote a pattern for; its messages would be kept in `unrouted` and never run.
"""

import difflib
from collections.abc import Iterator, Mapping

from fleet.catalogue import Catalogue
from fleet.errors import Finding
from fleet.inspection import ApplicationFacts, ScheduleEntry, TaskFacts
from fleet.routing import Match, matching
from fleet.source import Source
from fleet.topology import HIGHEST_PRIORITY
from fleet.versions import PINNED, Mismatch, mismatches


def check_application(catalogue: Catalogue, facts: ApplicationFacts, source: Source) -> Iterator[Finding]:
    """Findings about tasks, patterns, the schedule and the versions that the application runs on."""
    matches = {task.name: matching(catalogue, task.name) for task in facts.tasks}
    for task in facts.tasks:
        yield from _check_task(task, matches[task.name], catalogue, source)
    yield from _check_patterns(catalogue, matches, source)
    for entry in facts.schedule:
        yield from _check_entry(entry, catalogue, matches, source)
    known = {"Celery": facts.versions["celery"], "kombu": facts.versions["kombu"]}
    yield from check_versions(source, {**PINNED, **known})


def check_versions(source: Source, versions: Mapping[str, str] = PINNED) -> Iterator[Finding]:
    """Findings about versions that do not work together; those that the project pins are checked always."""
    for mismatch in mismatches(dict(versions)):
        yield source.finding(
            ("application",), _problem(mismatch), f"{_consequence(mismatch)} ({mismatch.rule.source})."
        )


def _problem(mismatch: Mismatch) -> str:
    return f"runs on {mismatch.rule.needs} {mismatch.found} beside {mismatch.rule.part} {mismatch.part}"


def _consequence(mismatch: Mismatch) -> str:
    reason = mismatch.rule.reason
    return f"{reason[0].upper()}{reason[1:]}. Install {mismatch.rule.needs} {mismatch.wanted}"


def _check_task(task: TaskFacts, matches: tuple[Match, ...], catalogue: Catalogue, source: Source) -> Iterator[Finding]:
    if not matches:
        yield source.finding(
            ("queues",),
            f"take no task {task.name!r} ({task.module})",
            f"Its messages would lie in the queue `unrouted` for ever. Add its name to the `tasks` of {_names(catalogue)}.",
        )
    for match in matches[1:]:
        yield source.finding(
            match.path,
            f"is {match.pattern!r}, which takes {task.name!r} too, as {matches[0].pattern!r} of queue {matches[0].queue!r} does",
            "A task has to have exactly one queue. Make one of the two patterns narrower.",
        )
    if task.queue is not None and task.queue not in catalogue.queues:
        yield source.finding(
            matches[0].path if matches else ("queues",),
            f"{'takes' if matches else 'take'} {task.name!r}, which names a queue of its own, {task.queue!r}, that is not in the catalogue",
            f"Every publish of it would fail. Take `queue=` out of the task, or name one of {_names(catalogue)}.",
        )
    elif task.queue is not None and matches and task.queue != matches[0].queue:
        yield source.finding(
            matches[0].path,
            f"takes {task.name!r}, which names the queue {task.queue!r} itself",
            "What a task says of itself wins, so its load would arrive at the other queue. Let the two agree.",
        )
    if task.priority is not None and not 0 <= task.priority <= HIGHEST_PRIORITY:
        yield source.finding(
            matches[0].path if matches else ("queues",),
            f"{'takes' if matches else 'take'} {task.name!r}, which names a priority of its own, {task.priority}, that queues do not have",
            f"Every publish of it would fail. Take `priority=` out of the task, or give it one from 0 to {HIGHEST_PRIORITY}.",
        )


def _check_patterns(
    catalogue: Catalogue, matches: Mapping[str, tuple[Match, ...]], source: Source
) -> Iterator[Finding]:
    used = {match.path for found in matches.values() for match in found}
    for name, spec in catalogue.queues.items():
        for index, pattern in enumerate(spec.tasks):
            path = ("queues", name, "tasks", index)
            if path not in used:
                near = difflib.get_close_matches(pattern.replace("*", ""), matches, n=1)
                yield source.finding(
                    path,
                    f"is {pattern!r}, which is no task that the application registers",
                    f"{f'Did you mean {near[0]!r}? ' if near else ''}Correct it, take it out, or add its module to the"
                    " application's `include`.",
                )


def _check_entry(
    entry: ScheduleEntry, catalogue: Catalogue, matches: Mapping[str, tuple[Match, ...]], source: Source
) -> Iterator[Finding]:
    if not matches.get(entry.task) and not matching(catalogue, entry.task):
        yield source.finding(
            ("queues",),
            f"take no task {entry.task!r}, which the schedule sends ({entry.name!r} of beat_schedule)",
            f"Beat would fail to publish it every time. Correct the entry, or add the task to one of {_names(catalogue)}.",
        )
    elif entry.task not in matches:
        yield source.finding(
            ("application",),
            f"schedules {entry.task!r} ({entry.name!r} of beat_schedule), which no module of it registers",
            "A worker that gets it would drop it as unknown. Correct the entry, or add the module to `include`.",
        )
    if entry.queue is not None and entry.queue not in catalogue.queues:
        yield source.finding(
            ("application",),
            f"schedules {entry.task!r} ({entry.name!r} of beat_schedule) into the queue {entry.queue!r}, which is not in the catalogue",
            f"Beat would fail to publish it every time. Name one of {_names(catalogue)}, or none.",
        )


def _names(catalogue: Catalogue) -> str:
    names = list(catalogue.queues)
    return ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
