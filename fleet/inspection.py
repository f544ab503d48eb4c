"""What the user's Celery application says about itself: asked in a process of its own, by `python -m app.inspect`.

Invariant: nothing here imports the application or Celery; what is learned is JSON on standard output. The process can be started before other
work and waited for after it, because importing an application takes most of a second.
"""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import msgspec

from fleet.errors import FleetError
from fleet.records import Record
from fleet.subprocesses import project_environment

INSPECTION_SECONDS = 60
"""Longest wait for an application's import: what takes longer waits for something that is not there."""


class RouteFacts(Record, frozen=True, kw_only=True):
    """Where Celery sends a task today."""

    queue: str | None
    exchange: str | None
    routing_key: str | None
    priority: int | None
    error: str | None
    """What the application's router raised."""


class TaskFacts(Record, frozen=True, kw_only=True):
    """One registered task; `queue` to `priority` are what its definition states, `route` what follows."""

    name: str
    module: str
    queue: str | None
    exchange: str | None
    routing_key: str | None
    priority: int | None
    time_limit: float | None
    soft_time_limit: float | None
    route: RouteFacts


class StatedRoute(Record, frozen=True, kw_only=True):
    """One entry of `task_routes`: a pattern or a router."""

    pattern: str | None
    router: str | None
    queue: str | None
    exchange: str | None
    routing_key: str | None
    priority: int | None


class StatedQueue(Record, frozen=True, kw_only=True):
    """One entry of `task_queues`."""

    name: str
    exchange: str | None
    exchange_type: str | None
    routing_key: str | None


class ScheduleEntry(Record, frozen=True, kw_only=True):
    """One entry of `beat_schedule`."""

    name: str
    task: str
    queue: str | None


class ApplicationFacts(Record, frozen=True, kw_only=True):
    """Everything that `app.inspect` says."""

    application: str
    versions: dict[str, str]
    tasks: tuple[TaskFacts, ...]
    task_routes: tuple[StatedRoute, ...]
    task_queues: tuple[StatedQueue, ...]
    default_queue: str
    time_limit: float | None
    soft_time_limit: float | None
    schedule: tuple[ScheduleEntry, ...]


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """An application that is being asked."""

    application: str
    process: subprocess.Popen[str]

    def facts(self) -> ApplicationFacts:
        """Waits for the answer.

        Raises: FleetError when the application cannot be imported or does not answer in time.
        """
        try:
            output, errors = self.process.communicate(timeout=INSPECTION_SECONDS)
        except subprocess.TimeoutExpired:
            self.cancel()
            raise self._failed(f"gives no answer within {INSPECTION_SECONDS} s") from None
        try:
            return msgspec.json.decode(output, type=ApplicationFacts)
        except msgspec.DecodeError:
            raise self._refusal(output, errors) from None

    def cancel(self) -> None:
        """Ends the process if it still runs, when its answer is not needed any more."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()
        # One that ended by itself before anybody asked has pipes that are still open.
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()

    def _refusal(self, output: str, errors: str) -> FleetError:
        """The error that the process told, or else the last line it wrote."""
        try:
            told = msgspec.json.decode(output)["error"]
            return FleetError(told["where"], told["problem"], told["fix"])
        except (msgspec.DecodeError, KeyError, TypeError):
            lines = errors.strip().splitlines()
            return self._failed(f"cannot be inspected: {lines[-1] if lines else 'its import ended the process'}")

    def _failed(self, problem: str) -> FleetError:
        return FleetError(
            f"application {self.application}",
            problem,
            f"Try it: python -m app.inspect --application {self.application}",
        )


def start_inspection(application: str, root: str | Path) -> Inspection:
    """Asks `application` (`module:attribute`), importable from the folder `root` or from the working directory."""
    process = subprocess.Popen(
        [sys.executable, "-m", "app.inspect", "--application", application],
        cwd=root,
        env=project_environment(str(Path.cwd())),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    return Inspection(application=application, process=process)


def inspect_application(application: str, root: str | Path) -> ApplicationFacts:
    """Asks and waits.

    Raises: FleetError when the application cannot be imported or does not answer in time.
    """
    inspection = start_inspection(application, root)
    try:
        return inspection.facts()
    finally:
        inspection.cancel()
