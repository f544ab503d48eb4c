"""The errors that people see, one tree:

    FleetError            where, what is wrong, what would be right
    ├── CatalogueError    every finding of a catalogue or an environment, in file order
    └── UsageError        a command line that names something that is not there

No message holds a secret: errors name keys and places, and values only of the catalogue.
"""

from dataclasses import dataclass


class FleetError(Exception):
    """Something a person has to put right."""

    def __init__(self, where: str, problem: str, fix: str) -> None:
        super().__init__(f"{where}: {problem}\n  {fix}")
        self.where = where
        self.problem = problem
        self.fix = fix


class UsageError(FleetError):
    """Something that the command line names and that is not there; a command ends with exit code 2 for it."""


@dataclass(frozen=True, kw_only=True, order=True)
class Finding:
    """One thing that is wrong with a file, at its place."""

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

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        subject = f"{self.path} " if self.path else ""
        return f"{place}: {subject}{self.problem}\n  {self.fix}"


class CatalogueError(FleetError):
    """A catalogue or an environment's settings with findings; nothing was applied."""

    def __init__(self, findings: list[Finding]) -> None:
        self.findings = sorted(findings)
        first = self.findings[0]
        super().__init__(first.file, f"{len(self.findings)} finding(s)", first.fix)

    def __str__(self) -> str:
        return "\n".join(str(finding) for finding in self.findings)
