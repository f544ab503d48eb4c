"""One alert: when it fires, how urgent it is, and what a person reads then."""

from enum import StrEnum

from fleet.records import Record


class Severity(StrEnum):
    """How soon somebody has to look."""

    CRITICAL = "critical"
    """Now: promises are being broken, or work is at risk."""
    WARNING = "warning"
    """Within the day."""


class Alert(Record, frozen=True, kw_only=True):
    """A condition that held for a while."""

    name: str
    """Kind of the alert; the section of the runbook has the same name."""
    severity: Severity
    queue: str | None = None
    """Queue of the catalogue that it is about; None for what the queues share."""
    labels: dict[str, str] = {}
    """What tells it from others of its kind, beside the queue."""
    expression: str
    """PromQL; it has an answer where it fires, and then one number alone, so that no label of a series stands against one of the alert."""
    for_seconds: int
    """How long the condition holds before the alert fires."""
    summary: str
    """One line; `{{ $value }}` is the number (Prometheus docs, "Alerting rules", templating)."""
    means: str
    """What it leads to when nobody looks."""
    action: str
    """What to do first."""

    @property
    def identity(self) -> tuple[str, str, tuple[tuple[str, str], ...]]:
        """No two alerts of a fleet have the same."""
        return self.name, self.queue or "", tuple(sorted(self.labels.items()))
