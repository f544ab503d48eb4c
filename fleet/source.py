"""YAML with places: the plain data of a file, and the line and column of every key in it.

The invariant: whatever a person got wrong can be pointed at. PyYAML's C parser composes the nodes, because a catalogue of hundreds of queues has
to be read in a fraction of a second.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from fleet.errors import CatalogueError, Finding

KeyPath = tuple[str | int, ...]

NODES_MAX = 200_000
"""Expanded nodes of one file: anchors within anchors could otherwise fill the memory."""

DEPTH_MAX = 60
"""Levels of one file: deeper ones, and anchors that contain themselves, would exhaust the stack."""

TEXT_CHARACTERS_MAX = 10_000_000
"""Characters of one file; a thousand queues take half a million."""

_MERGE_TAG = "tag:yaml.org,2002:merge"


@dataclass(frozen=True, kw_only=True)
class Source:
    """One parsed file."""

    file: str
    """The name as the user gave it."""
    data: Any
    """Plain mappings, lists and scalars."""
    places: dict[KeyPath, tuple[int, int]]
    """Key path -> 1-based line and column of the key (mappings) or item (lists)."""
    findings: list[Finding] = field(default_factory=list)
    """Keys that stand twice."""

    def finding(self, path: KeyPath, problem: str, fix: str, *, look_at: KeyPath = ()) -> Finding:
        """A finding at the place of a key path, or of its nearest ancestor that stands in the file."""
        candidates = (path, look_at, *(path[:length] for length in range(len(path) - 1, 0, -1)))
        line, column = next((self.places[candidate] for candidate in candidates if candidate in self.places), (1, 1))
        return Finding(file=self.file, line=line, column=column, path=show_path(path), problem=problem, fix=fix)


def show_path(path: KeyPath) -> str:
    """A key path as people read it: `queues.reports.tasks[0]`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def read_source(path: Path, *, shown_as: str | None = None) -> Source:
    """Reads a YAML file.

    Raises: CatalogueError with one finding when the file is missing, is not UTF-8 or is no YAML.
    """
    name = shown_as or str(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise CatalogueError(
            [_file_finding(name, f"cannot be read: {reason}", "Name a YAML file that exists.")]
        ) from None
    return parse_source(text, name)


def parse_source(text: str, name: str) -> Source:
    """Parses YAML text; see `read_source`."""
    if len(text) > TEXT_CHARACTERS_MAX:
        raise CatalogueError(
            [_file_finding(name, f"has more than {TEXT_CHARACTERS_MAX} characters", "Name a queue catalogue.")]
        )
    try:
        _refuse_depth(text, name)
        root = yaml.compose(text, Loader=yaml.CSafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        finding = Finding(
            file=name,
            line=mark.line + 1 if mark else 1,
            column=mark.column + 1 if mark else 1,
            path="",
            problem=f"is no YAML: {error.problem}",
            fix="Mind the indentation, the colons and the quotes around this place.",
        )
        raise CatalogueError([finding]) from None
    except yaml.YAMLError as error:
        raise CatalogueError([_file_finding(name, f"is no YAML: {error}", "Save it as plain UTF-8 text.")]) from None
    reader = _Reader(name)
    data = reader.read(root, ()) if root is not None else None
    return Source(file=name, data=data, places=reader.places, findings=reader.findings)


def _refuse_depth(text: str, name: str) -> None:
    """Refuses what the composer, which is recursive and written in C, would not survive."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > DEPTH_MAX:
                raise CatalogueError([_too_deep(name, *_mark(event))])
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _too_deep(name: str, line: int, column: int) -> Finding:
    return Finding(
        file=name,
        line=line,
        column=column,
        path="",
        problem=f"nests more than {DEPTH_MAX} levels",
        fix="A catalogue has seven levels at most; an anchor must not contain itself.",
    )


def _file_finding(name: str, problem: str, fix: str) -> Finding:
    return Finding(file=name, line=0, column=0, path="", problem=problem, fix=fix)


class _Reader:
    """Turns composed nodes into plain data and remembers where each key stood."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.places: dict[KeyPath, tuple[int, int]] = {}
        self.findings: list[Finding] = []
        self._constructor = yaml.constructor.SafeConstructor()
        self._count = 0
        self._depth = 0

    def read(self, node: Node, path: KeyPath) -> Any:
        self._depth += 1
        try:
            return self._read(node, path)
        finally:
            self._depth -= 1

    def _read(self, node: Node, path: KeyPath) -> Any:
        self._count += 1
        if self._depth > DEPTH_MAX:
            raise CatalogueError([_too_deep(self.name, *_mark(node))])
        if self._count > NODES_MAX:
            finding = _file_finding(
                self.name,
                f"expands to more than {NODES_MAX} nodes",
                "Use fewer anchors within anchors, or several files.",
            )
            raise CatalogueError([finding])
        if isinstance(node, MappingNode):
            return self._mapping(node, path)
        if isinstance(node, SequenceNode):
            return [self._item(child, (*path, index)) for index, child in enumerate(node.value)]
        return self._scalar(node)

    def _mapping(self, node: MappingNode, path: KeyPath) -> dict[str, Any]:
        merged: dict[str, Any] = {}
        own: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if key_node.tag == _MERGE_TAG:
                for source in self._merge_sources(value_node):
                    merged = {**self.read(source, path), **merged}
                continue
            key = str(self._scalar(key_node)) if isinstance(key_node, ScalarNode) else "?"
            if key in own:
                self.findings.append(self._twice(key_node, (*path, key)))
            self.places[(*path, key)] = _mark(key_node)
            own[key] = self.read(value_node, (*path, key))
        return {**merged, **own}

    def _merge_sources(self, node: Node) -> Iterator[MappingNode]:
        for candidate in node.value if isinstance(node, SequenceNode) else [node]:
            if isinstance(candidate, MappingNode):
                yield candidate

    def _item(self, node: Node, path: KeyPath) -> Any:
        self.places[path] = _mark(node)
        return self.read(node, path)

    def _scalar(self, node: Node) -> Any:
        try:
            return self._constructor.construct_object(node)
        except (yaml.YAMLError, ValueError, LookupError, AttributeError, ArithmeticError):
            # PyYAML's constructors trust an explicit tag: `!!bool maybe` ends in a KeyError, `!!timestamp soon` in an AttributeError.
            return node.value

    def _twice(self, node: Node, path: KeyPath) -> Finding:
        line, column = _mark(node)
        return Finding(
            file=self.name,
            line=line,
            column=column,
            path=show_path(path),
            problem="stands twice",
            fix="Only the last one would count. Keep one of them.",
        )


def _mark(at: Node | yaml.Event) -> tuple[int, int]:
    mark = at.start_mark
    return (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
