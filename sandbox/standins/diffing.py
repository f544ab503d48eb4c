"""What a change of inputs would do to a resource: which fields differ, and whether it has to be replaced.

The invariant: only fields the inputs speak about, or spoke about before, can differ; what a controller or a default
wrote beside them never shows. A field that cannot change in place causes a replacement.

Source: pulumi-kubernetes v4.32 `provider/pkg/provider/provider.go` (Diff, convertPatchToDiff) and `diff.go`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, TypeAlias

from sandbox.standins.property_values import Properties, Unknown, Value

Path: TypeAlias = tuple[str | int, ...]

Pattern: TypeAlias = tuple[str, ...]
"""Keys from the resource's root; `*` stands for every element of a list."""

_MISSING: Final = object()
_PATH_PART: Final = re.compile(r"""\[\s*(?:"((?:[^"\\]|\\.)*)"|(\d+|\*))\s*\]|\.?([^.\[\]]+)""")


class Change(Enum):
    """What happens to one field."""

    ADD = "add"
    DELETE = "delete"
    UPDATE = "update"


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field that differs."""

    change: Change
    replaces: bool


@dataclass(slots=True)
class Differences:
    """Every field that differs, by its path as Pulumi writes it."""

    immutable: tuple[Pattern, ...]
    fields: dict[str, FieldChange] = field(default_factory=dict)

    @property
    def replaces(self) -> list[str]:
        """The fields that cannot change in place."""
        return [path for path, change in self.fields.items() if change.replaces]

    def compare(self, path: Path, old: Value, new: Value) -> None:
        """Record how `new` differs from `old` at `path`; either may be missing, not both."""
        if old is _MISSING:
            self._record(path, Change.ADD, new)
        elif new is _MISSING:
            self._record(path, Change.DELETE, old)
        elif isinstance(old, dict) and isinstance(new, dict):
            self._compare_maps(path, old, new)
        elif isinstance(old, list) and isinstance(new, list):
            for index in range(max(len(old), len(new))):
                self.compare(
                    (*path, index),
                    old[index] if index < len(old) else _MISSING,
                    new[index] if index < len(new) else _MISSING,
                )
        elif not _is_same(old, new):
            self._record(path, Change.UPDATE, new)

    def _compare_maps(self, path: Path, old: Properties, new: Properties) -> None:
        for key in sorted({*old, *new}):
            self.compare((*path, key), old.get(key, _MISSING), new.get(key, _MISSING))

    def _record(self, path: Path, change: Change, value: Value) -> None:
        replaces = any(_touches(pattern, path, value) for pattern in self.immutable)
        self.fields[path_text(path)] = FieldChange(change, replaces)

    def ignore(self, paths: list[str]) -> None:
        """Forget the fields at or below the paths of `ignoreChanges`."""
        ignored = [parse_path(text) for text in paths]
        self.fields = {
            text: change
            for text, change in self.fields.items()
            if not any(_contains(path, parse_path(text)) for path in ignored)
        }


def differences(old: Properties, new: Properties, immutable: tuple[Pattern, ...]) -> Differences:
    """How `new` differs from `old`, field by field."""
    found = Differences(immutable)
    found.compare((), old, new)
    return found


def _is_same(old: Value, new: Value) -> bool:
    if isinstance(new, Unknown):
        return False
    return (type(old) is type(new) and bool(old == new)) or _equal_numbers(old, new)


def _equal_numbers(old: Value, new: Value) -> bool:
    numbers = (int, float)
    return (
        isinstance(old, numbers)
        and isinstance(new, numbers)
        and not isinstance(old, bool)
        and not isinstance(new, bool)
        and float(old) == float(new)
    )


def _touches(pattern: Pattern, path: Path, value: Value) -> bool:
    """Whether the change at `path` reaches a field the pattern names: at it, below it, or inside the changed value."""
    steps = ["*" if isinstance(part, int) else part for part in path]
    shared = min(len(steps), len(pattern))
    if tuple(steps[:shared]) != pattern[:shared]:
        return False
    inside = value
    for step in pattern[shared:]:
        if step == "*":
            if not isinstance(inside, list) or not inside:
                return False
            inside = inside[0]
        elif isinstance(inside, dict) and step in inside:
            inside = inside[step]
        else:
            return False
    return True


def path_text(path: Path) -> str:
    """A path as Pulumi writes it: `spec.ports[0].name`, `metadata.annotations["example.com/x"]`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif any(character in part for character in '."[]'):
            text += '["' + part.replace('"', '\\"') + '"]'
        else:
            text += f".{part}" if text else part
    return text


def parse_path(text: str) -> Path:
    """The inverse of `path_text`; `[*]` stands for every element."""
    parts: list[str | int] = []
    for quoted, index, plain_part in _PATH_PART.findall(text):
        if index:
            parts.append(index if index == "*" else int(index))
        else:
            parts.append(quoted.replace('\\"', '"') or plain_part)
    return tuple(parts)


def _contains(prefix: Path, path: Path) -> bool:
    return len(prefix) <= len(path) and all(wanted in ("*", found) for wanted, found in zip(prefix, path, strict=False))
