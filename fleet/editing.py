"""Values of a YAML file changed in place: comments, order, quoting and line ends stay as they are.

Invariant: what is read from the changed text differs from what was read before at the paths that were asked for, and nowhere else; a change that cannot
be made so is refused with its place. Source of the places: the marks of PyYAML's nodes.
"""

import contextlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import yaml
from yaml.nodes import CollectionNode, MappingNode, Node, ScalarNode

from fleet.errors import FleetError
from fleet.parsing import parse_source
from fleet.source import KeyPath, show_path

MERGE_KEY = "<<"
BYTE_ORDER_MARK = "\ufeff"
_BLOCK_STYLES = ("|", ">")


def set_value(text: str, name: str, path: KeyPath, value: str) -> str:
    """The text with the value at a path of mappings; `value` is written as it is, in the quotes that stand there.

    Where the last keys of the path are missing they are added to the mapping that there is. `name` is what refusals call the file.

    Raises: FleetError where the value stands in an anchor, comes out of a merge, or is no single value.
    """
    mark = BYTE_ORDER_MARK if text.startswith(BYTE_ORDER_MARK) else ""
    body = text.removeprefix(mark)
    document = _Document(text=body, name=name, path=path)
    changed = document.with_value(value)
    _verify(body, changed, name, path, value)
    return mark + changed


def _verify(before: str, after: str, name: str, path: KeyPath, value: str) -> None:
    """Raises: FleetError when more was changed than the one value."""
    wanted = deepcopy(parse_source(before, name).data)
    inner = wanted
    for key in path[:-1]:
        inner = inner.setdefault(key, {}) if isinstance(inner, dict) else {}
    if isinstance(inner, dict):
        inner[path[-1]] = value
    if parse_source(after, name).data != wanted:
        raise FleetError(name, f"{show_path(path)} cannot be changed alone", f"Write {value} there yourself.")


@dataclass(frozen=True, kw_only=True)
class _Document:
    """A text and the one path in it that is to be changed."""

    text: str
    name: str
    path: KeyPath

    def with_value(self, value: str) -> str:
        node = yaml.compose(self.text, Loader=yaml.CSafeLoader)
        shared = _shared(node)
        for depth, key in enumerate(self.path):
            if node is None or id(node) in shared or self._begins_with(node, "&*!"):
                raise self._refusal(node, "comes from an anchor, and so does what others have", value)
            if not isinstance(node, MappingNode):
                raise self._refusal(node, f"has no mapping {show_path(self.path[:depth])} to stand in", value)
            pair = next((pair for pair in node.value if pair[0].value == key), None)
            if pair is None:
                if any(entry.value == MERGE_KEY for entry, _ in node.value):
                    raise self._refusal(node, f"may come from what `{MERGE_KEY}` merges", value)
                return self._with_entry(node, depth, _nested(self.path[depth + 1 :], value))
            node = pair[1]
        return self._with_scalar(node, shared, value)

    def _with_scalar(self, node: Node | None, shared: set[int], value: str) -> str:
        if node is None or id(node) in shared or self._begins_with(node, "&*!"):
            raise self._refusal(node, "comes from an anchor, and so does what others have", value)
        if not isinstance(node, ScalarNode) or node.style in _BLOCK_STYLES:
            raise self._refusal(node, "is no single value", value)
        quote = node.style or ""
        return self._spliced(node.start_mark.index, node.end_mark.index, f"{quote}{value}{quote}")

    def _with_entry(self, node: MappingNode, depth: int, value: str) -> str:
        """A key that is missing, after the others of its mapping."""
        entry = f"{self.path[depth]}: {value}"
        if not node.value:
            return self._spliced(node.start_mark.index, node.end_mark.index, f"{{{entry}}}")
        _, last = node.value[-1]
        if node.flow_style:
            return self._spliced(last.end_mark.index, last.end_mark.index, f", {entry}")
        column = node.value[0][0].start_mark.column
        lines = self.text.splitlines(keepends=True)
        after = _last_line(last) + 1
        end = "\r\n" if "\r\n" in self.text else "\n"
        if not lines[after - 1].endswith(("\n", "\r")):
            lines[after - 1] += end
        return "".join([*lines[:after], f"{' ' * column}{entry}{end}", *lines[after:]])

    def _spliced(self, start: int, end: int, text: str) -> str:
        return f"{self.text[:start]}{text}{self.text[end:]}"

    def _begins_with(self, node: Node, signs: str) -> bool:
        """Whether the node has an anchor or a tag, or is another one's: its place is that of the sign then."""
        return self.text[node.start_mark.index : node.start_mark.index + 1] in tuple(signs)

    def _refusal(self, node: Node | None, problem: str, value: str) -> FleetError:
        place = f":{node.start_mark.line + 1}:{node.start_mark.column + 1}" if node is not None else ""
        return FleetError(f"{self.name}{place}", f"{show_path(self.path)} {problem}", f"Write {value} there yourself.")


def _nested(keys: KeyPath, value: str) -> str:
    for key in reversed(keys):
        value = f"{{{key}: {value}}}"
    return value


def _last_line(node: Node) -> int:
    """The line on which the text of a node ends: a block's own mark stands before what comes next, comments passed over."""
    if isinstance(node, ScalarNode):
        return node.end_mark.line - (node.style in _BLOCK_STYLES and node.end_mark.column == 0)
    if not isinstance(node, CollectionNode) or node.flow_style or not node.value:
        return int(node.end_mark.line)
    last = node.value[-1]
    return _last_line(last[1] if isinstance(node, MappingNode) else last)


def _shared(root: Node | None) -> set[int]:
    """Nodes that stand in more than one place."""
    seen: set[int] = set()
    found: set[int] = set()
    waiting = [root] if root is not None else []
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            found.add(id(node))
            continue
        seen.add(id(node))
        waiting += _children(node)
    return found


def _children(node: Node) -> Iterator[Node]:
    if isinstance(node, MappingNode):
        for key, value in node.value:
            yield from (key, value)
    elif not isinstance(node, ScalarNode):
        yield from node.value


def read_exactly(path: Path) -> str:
    """The text of a file with its line ends.

    Raises: FleetError when it cannot be read.
    """
    try:
        return path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise FleetError(str(path), f"cannot be read: {reason}", "Name a YAML file that exists.") from None


def write_changed(files: Mapping[Path, tuple[str, str]]) -> None:
    """Writes files, each with the text that it had and the one it gets: a reader finds one or the other, whole.

    Raises: FleetError, before anything is written, when one has another text by now; or when one cannot be written.
    """
    for path, (before, _) in files.items():
        if read_exactly(path) != before:
            raise FleetError(str(path), "has changed meanwhile, so nothing was written", "Run the command again.")
    for path, (_, after) in files.items():
        _replace(path.resolve(), after)


def _replace(path: Path, text: str) -> None:
    temporary = ""
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "wb") as file:
            file.write(text.encode("utf-8"))
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, path.stat().st_mode & 0o7777)  # noqa: PTH101 - a name, as mkstemp gave it
        os.replace(temporary, path)  # noqa: PTH105
    except OSError as error:
        if temporary:
            with contextlib.suppress(OSError):
                os.unlink(temporary)  # noqa: PTH108
        raise FleetError(
            str(path), f"cannot be written: {error.strerror}", "Make it and its folder writable, or apply the diff."
        ) from None
