"""What the Pulumi engine says while it works, read from its event stream.

`pulumi up --json` writes one JSON event a line. The invariant: an event of an unknown kind or shape is passed over, never an error, because the
stream may grow with any version of the CLI.
Source: pulumi v3.259, `sdk/go/common/apitype/events.go`.
"""

import json
from dataclasses import dataclass, field
from typing import Any

UNCHANGED = frozenset({"same", "read"})
NOISE = ("an unhandled error occurred", "program exited with non-zero exit code")
"""What the engine adds to an error that the program has already told in its own words."""

DONE_WORDS = {
    "create": "created",
    "update": "updated",
    "delete": "deleted",
    "replace": "replaced",
    "same": "unchanged",
    "refresh": "refreshed",
    "import": "imported",
}


@dataclass(frozen=True, kw_only=True)
class EngineMessage:
    """One message of the engine, a plugin or the program."""

    subject: str
    """Short name of the resource; empty for the program as a whole."""
    text: str


@dataclass(kw_only=True)
class EngineRun:
    """One run of the engine, as far as its events have told."""

    running: dict[str, str] = field(default_factory=dict)
    """Resource in work -> its short name."""
    notes: dict[str, str] = field(default_factory=dict)
    """Short name of a resource in work -> its last status message."""
    seen: int = 0
    """Resources finished or found unchanged."""
    errors: list[EngineMessage] = field(default_factory=list)
    warnings: list[EngineMessage] = field(default_factory=list)
    changes: dict[str, int] = field(default_factory=dict)
    """Operation -> resources, once the engine has summed up."""

    def read(self, line: str) -> None:
        """Take in one line of the stream."""
        try:
            event = json.loads(line)
        except ValueError:
            return
        if not isinstance(event, dict):
            return
        for kind, take in (
            ("resourcePreEvent", self._started),
            ("resOutputsEvent", self._finished),
            ("resOpFailedEvent", self._finished),
            ("diagnosticEvent", self._said),
            ("summaryEvent", self._summed_up),
        ):
            if isinstance(body := event.get(kind), dict):
                take(body)

    @property
    def detail(self) -> str:
        """How far the run is, in a few words."""
        if not self.running:
            return f"{self.seen} resources" if self.seen else ""
        name = next(iter(self.running.values()))
        more = f" and {len(self.running) - 1} more" if len(self.running) > 1 else ""
        note = self.notes.get(name, "")
        return f"{self.seen} resources, now {name}{more}{f': {note}' if note else ''}"

    @property
    def summary(self) -> str:
        """What the run changed, in one line."""
        parts = [f"{count} {DONE_WORDS.get(kind, kind)}" for kind, count in sorted(self.changes.items()) if count]
        return ", ".join(parts) or "nothing to do"

    @property
    def changed(self) -> bool:
        """Whether any resource was touched."""
        return any(count for kind, count in self.changes.items() if kind not in UNCHANGED)

    def _started(self, body: dict[str, Any]) -> None:
        metadata = body.get("metadata") or {}
        # A component is in work for as long as its children are: they say more.
        provided = (metadata.get("new") or metadata.get("old") or {}).get("provider")
        if metadata.get("op") not in UNCHANGED and provided:
            self.running[str(metadata.get("urn"))] = short_name(str(metadata.get("urn")))

    def _finished(self, body: dict[str, Any]) -> None:
        self.running.pop(str((body.get("metadata") or {}).get("urn")), None)
        self.seen += 1

    def _said(self, body: dict[str, Any]) -> None:
        severity, text = body.get("severity"), str(body.get("message", "")).strip()
        subject = short_name(str(body.get("urn") or ""))
        if not text:
            return
        message = EngineMessage(subject=subject, text=text)
        if severity == "error" and message not in self.errors:
            self.errors.append(message)
        elif severity == "warning" and message not in self.warnings:
            self.warnings.append(message)
        elif severity in {"info", "info#err"} and subject:
            self.notes[subject] = text.splitlines()[0]

    def _summed_up(self, body: dict[str, Any]) -> None:
        changes = body.get("resourceChanges")
        if isinstance(changes, dict):
            self.changes = {str(kind): int(count) for kind, count in changes.items()}

    def told_errors(self) -> list[EngineMessage]:
        """The errors without the engine's echo of them; the echo when there is nothing else."""
        told = [error for error in self.errors if not error.text.startswith(NOISE)]
        return told or self.errors


def short_name(urn: str) -> str:
    """Name and kind of a resource: `worker-high (Deployment)`; empty for the stack and for no URN."""
    parts = urn.split("::", 3)
    if len(parts) < 4 or parts[2] == "pulumi:pulumi:Stack":
        return ""
    kind = parts[2].rsplit("$", 1)[-1].rsplit(":", 1)[-1]
    return f"{parts[3]} ({kind})"
