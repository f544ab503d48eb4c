"""The errors that people see, one tree:

    FleetError            where, what is wrong, what would be right
    ├── CatalogueError    every finding of a catalogue or an environment, in file order
    └── UsageError        a command line that names something that is not there

No message holds a secret: errors name keys and places, and values only of the catalogue.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum


class FleetError(Exception):
    """Something a person has to put right."""

    def __init__(self, where: str, problem: str, fix: str) -> None:
        super().__init__(f"{where}: {problem}\n  {fix}")
        self.where = where
        self.problem = problem
        self.fix = fix


class UsageError(FleetError):
    """Something that the command line names and that is not there; a command ends with exit code 2 for it."""


class Severity(StrEnum):
    """What a finding does to the run."""

    ERROR = "error"
    """Nothing is applied until it is put right."""
    NOTE = "note"
    """Told, and nothing more: what was asked for works, but not as one may expect."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that is wrong with a file, or worth knowing about it, at its place."""

    file: str
    line: int
    """1-based; 0 where a file as a whole is meant."""
    column: int
    """1-based."""
    path: str
    """Key path, for example `queues.reports.runtime.p99`."""
    problem: str
    """What is wrong, with the value as given."""
    fix: str
    """What it would lead to, and what to write instead."""
    severity: Severity = Severity.ERROR

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        kind = "note: " if self.severity is Severity.NOTE else ""
        subject = f"{self.path} " if self.path else ""
        return f"{place}: {kind}{subject}{self.problem}\n  {self.fix}"


def in_file_order(findings: Iterable[Finding], files: Sequence[str] = ()) -> list[Finding]:
    """The findings without repetitions: file by file as listed (others after them, by name), then by line and column."""
    rank = {file: position for position, file in enumerate(files)}
    return sorted(
        dict.fromkeys(findings),
        key=lambda item: (rank.get(item.file, len(rank)), item.file, item.line, item.column, item.path, item.problem),
    )


class CatalogueError(FleetError):
    """A catalogue or an environment's settings with findings; nothing was applied."""

    def __init__(self, findings: Iterable[Finding], *, files: Sequence[str] = ()) -> None:
        self.findings = in_file_order(findings, files)
        self.files = tuple(files)
        """The files in the order in which their findings are told."""
        first = self.findings[0]
        super().__init__(first.file, f"{len(self.findings)} finding(s)", first.fix)

    def __str__(self) -> str:
        return "\n".join(str(finding) for finding in self.findings)
