"""Data with places: the plain data of a file, and the line and column of every key in it.

The invariant: whatever a person got wrong can be pointed at, in whichever file of the catalogue it stands.
"""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from fleet.errors import Finding, Severity

KeyPath = tuple[str | int, ...]

Place = tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class Source:
    """One parsed file; of a catalogue the main file, with the files beside it."""

    file: str
    """The name as the user gave it."""
    data: Any
    """Plain mappings, lists and scalars; None where the file is empty or could not be parsed."""
    places: dict[KeyPath, Place]
    """Key path -> 1-based line and column of the key (mappings) or item (lists)."""
    findings: list[Finding] = field(default_factory=list)
    """What reading alone found: keys that stand twice, merges of nothing, a file that cannot be parsed."""
    parts: tuple["Source", ...] = ()
    """Further files of the catalogue, in name order."""
    settings: "Source | None" = None
    """The environment's file, for findings about its keys."""
    whole: bool = True
    """Whether every file could be parsed; if not, what seems to be missing may stand in one that could not."""

    @property
    def sources(self) -> tuple["Source", ...]:
        """The main file and its parts, in the order in which their findings are told."""
        return (self, *self.parts)

    @property
    def files(self) -> tuple[str, ...]:
        """Names of all files in that order, the environment's last."""
        return tuple(source.file for source in (*self.sources, *([self.settings] if self.settings else ())))

    def finding(
        self,
        path: KeyPath,
        problem: str,
        fix: str,
        *,
        within: "Source | None" = None,
        severity: Severity = Severity.ERROR,
    ) -> Finding:
        """A finding at the place of a key path: where it stands, else where it is inherited from, else at its nearest ancestor.

        A queue's key is looked for in the queue's own file, then in that file's defaults, then in the main file's. `within` names another
        file than the one that the path belongs to.
        """
        file, line, column = self.place(path, within=within)
        return Finding(
            file=file, line=line, column=column, path=show_path(path), problem=problem, fix=fix, severity=severity
        )

    def place(self, path: KeyPath, *, within: "Source | None" = None) -> tuple[str, int, int]:
        """File, line and column of a key path, as `finding` looks for them; line 0 where the file has no places."""
        owned = len(path) > 1 and path[0] == "queues"
        holder = within or (self._owners.get(str(path[1]), self) if owned else self)
        for length in range(len(path), 0, -1):
            if path[:length] in holder.places:
                return (holder.file, *holder.places[path[:length]])
            if path[0] == "queues" and length > 2:
                inherited = ("defaults", *path[2:length])
                for source in (holder, self):
                    if inherited in source.places:
                        return (source.file, *source.places[inherited])
        return (holder.file, 1, 1) if holder.places else (holder.file, 0, 0)

    @cached_property
    def _owners(self) -> dict[str, "Source"]:
        """Queue -> the first file that holds it."""
        return {name: source for source in reversed(self.sources) for name in source.queues}

    @property
    def queues(self) -> dict[str, Any]:
        """What stands under this file's own `queues`, as far as it is a mapping."""
        return self._mapping("queues")

    @property
    def defaults(self) -> dict[str, Any]:
        """What stands under this file's own `defaults`, as far as it is a mapping."""
        return self._mapping("defaults")

    def _mapping(self, key: str) -> dict[str, Any]:
        found = self.data.get(key) if isinstance(self.data, dict) else None
        return found if isinstance(found, dict) else {}


def show_path(path: KeyPath) -> str:
    """A key path as people read it: `queues.reports.tasks[0]`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text
