"""YAML text to data with places.

PyYAML's C parser composes the nodes, because a catalogue of hundreds of queues has to be read in a fraction of a second. The invariant: whatever the
text holds, the outcome is data or a finding, in bounded time and memory.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from fleet.errors import CatalogueError, Finding
from fleet.source import KeyPath, Place, Source, show_path

NODES_MAX = 200_000
"""Expanded nodes of one file: anchors within anchors could otherwise fill the memory."""

DEPTH_MAX = 60
"""Levels of one file: deeper ones, and anchors that contain themselves, would exhaust the stack."""

TEXT_CHARACTERS_MAX = 10_000_000
"""Characters of one file; a thousand queues take half a million."""

_MERGE_TAG = "tag:yaml.org,2002:merge"


def read_source(path: Path, *, shown_as: str | None = None) -> Source:
    """Reads a YAML file.

    Raises: CatalogueError with one finding when the file is missing, is not UTF-8 or is no YAML.
    """
    name = shown_as or str(path)
    return parse_source(read_text(path, name), name)


def read_text(path: Path, name: str) -> str:
    """The text of a file; `name` is what its findings call it.

    Raises: CatalogueError with one finding when the file is missing or is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise CatalogueError(
            [file_finding(name, f"cannot be read: {reason}", "Name a YAML file that exists.")]
        ) from None


def parse_source(text: str, name: str) -> Source:
    """Parses YAML text; see `read_source`."""
    if len(text) > TEXT_CHARACTERS_MAX:
        raise CatalogueError(
            [file_finding(name, f"has more than {TEXT_CHARACTERS_MAX} characters", "Name a queue catalogue.")]
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
        raise CatalogueError([file_finding(name, f"is no YAML: {error}", "Save it as plain UTF-8 text.")]) from None
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


def file_finding(name: str, problem: str, fix: str) -> Finding:
    """A finding about a file as a whole."""
    return Finding(file=name, line=0, column=0, path="", problem=problem, fix=fix)


_Pair = tuple[Node, Node]


class _Reader:
    """Turns composed nodes into plain data and remembers where each key stood."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.places: dict[KeyPath, Place] = {}
        self.findings: list[Finding] = []
        self._constructor = yaml.constructor.SafeConstructor()
        self._count = 0
        self._depth = 0
        self._told: set[tuple[Place, str]] = set()

    def read(self, node: Node, path: KeyPath) -> Any:
        self._depth += 1
        try:
            return self._read(node, path)
        finally:
            self._depth -= 1

    def _read(self, node: Node, path: KeyPath) -> Any:
        self._guard(node, self._depth)
        if isinstance(node, MappingNode):
            return self._mapping(node, path)
        if isinstance(node, SequenceNode):
            return [self._item(child, (*path, index)) for index, child in enumerate(node.value)]
        return self._scalar(node)

    def _mapping(self, node: MappingNode, path: KeyPath) -> dict[str, Any]:
        """The mapping's own keys over those that it merges; only what counts in the end is read, so that a place is never that of a loser."""
        own = dict(self._own_pairs(node, path))
        merged: dict[str, _Pair] = {}
        for key, pair in self._merged_pairs(node, path):
            merged.setdefault(key, pair)
        mapping: dict[str, Any] = {}
        for key, (key_node, value_node) in {**merged, **own}.items():
            self.places[(*path, key)] = _mark(key_node)
            mapping[key] = self.read(value_node, (*path, key))
        return mapping

    def _own_pairs(self, node: MappingNode, path: KeyPath) -> Iterator[tuple[str, _Pair]]:
        seen: set[str] = set()
        for key_node, value_node in node.value:
            if key_node.tag == _MERGE_TAG:
                continue
            # The key as it is written: YAML 1.1 would make `on` and `yes` a boolean, `1` a number.
            key = key_node.value if isinstance(key_node, ScalarNode) else "?"
            if key in seen:
                self._note(key_node, (*path, key), "stands twice", "Only the last one would count. Keep one of them.")
            seen.add(key)
            yield key, (key_node, value_node)

    def _merged_pairs(self, node: MappingNode, path: KeyPath, level: int = 0) -> Iterator[tuple[str, _Pair]]:
        """What `<<` brings in: of several mappings the first that has a key gives its value (YAML 1.1, "Merge Key Language-Independent Type")."""
        self._guard(node, self._depth + level)
        for key_node, value_node in node.value:
            if key_node.tag != _MERGE_TAG:
                continue
            for source in value_node.value if isinstance(value_node, SequenceNode) else [value_node]:
                if isinstance(source, MappingNode):
                    for pair in self._own_pairs(source, path):
                        self._guard(source, self._depth + level)
                        yield pair
                    yield from self._merged_pairs(source, path, level + 1)
                else:
                    self._note(
                        key_node, (*path, "<<"), "merges something that is no mapping", "Name an anchor of a mapping."
                    )

    def _guard(self, node: Node, depth: int) -> None:
        """Counts a node; refuses what would fill the memory or the stack."""
        self._count += 1
        if depth > DEPTH_MAX:
            raise CatalogueError([_too_deep(self.name, *_mark(node))])
        if self._count > NODES_MAX:
            finding = file_finding(
                self.name,
                f"expands to more than {NODES_MAX} nodes",
                "Use fewer anchors within anchors, or several files.",
            )
            raise CatalogueError([finding])

    def _note(self, node: Node, path: KeyPath, problem: str, fix: str) -> None:
        """Keeps a finding, once for each place: an anchor is read again wherever it is used."""
        line, column = place = _mark(node)
        if (place, problem) not in self._told:
            self._told.add((place, problem))
            self.findings.append(
                Finding(file=self.name, line=line, column=column, path=show_path(path), problem=problem, fix=fix)
            )

    def _item(self, node: Node, path: KeyPath) -> Any:
        self.places[path] = _mark(node)
        return self.read(node, path)

    def _scalar(self, node: Node) -> Any:
        try:
            value = self._constructor.construct_object(node)
        except (yaml.YAMLError, ValueError, LookupError, AttributeError, ArithmeticError):
            # PyYAML's constructors trust an explicit tag: `!!bool maybe` ends in a KeyError, `!!timestamp soon` in an AttributeError.
            return node.value
        # No field takes a number of forty digits, and Python refuses to print one of thousands.
        return node.value if isinstance(value, int) and value.bit_length() > 128 else value


def _mark(at: Node | yaml.Event) -> Place:
    mark = at.start_mark
    return (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
