"""How the properties of a resource differ: leaf by leaf, also inside JSON documents that travel as text.

Invariant: a path is written as the engine writes it (`spec.containers[0].image`), so that what it says of a property meets what is found here.
Source: Pulumi SDK, `resource/property_path.go`.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from stacks.review.masking import json_in, shown
from stacks.review.model import PropertyChange

ABSENT = object()
MOST_CHANGES = 60
"""Properties of one resource that are kept; what a person reads is fewer."""

_PLAIN_KEY = re.compile(r"[A-Za-z_$][\w$-]*\Z")


def property_changes(
    before: Mapping[str, Any], after: Mapping[str, Any], *, among: Collection[str], replacing: Collection[str]
) -> tuple[PropertyChange, ...]:
    """The changes between masked properties.

    `among` are the paths that the engine names, of which each change is one or lies below one; without any, every difference counts. `replacing` are
    those for which it replaces the resource.
    """
    found = [
        PropertyChange(
            path=path,
            before=None if old is ABSENT else shown(old),
            after=None if new is ABSENT else shown(new),
            replaces=_meets(path, replacing),
        )
        for path, old, new in differences(dict(before), dict(after))
        if not among or _meets(path, among)
    ]
    # The engine may know of a change that masking hides, or of one that only the provider sees.
    named = [path for path in sorted(among) if not any(_related(item.path, path) for item in found)]
    found += [_as_told(path, before, after, replaces=path in replacing) for path in named]
    return tuple(sorted(found, key=lambda item: (not item.replaces, item.path))[:MOST_CHANGES])


def differences(before: Any, after: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Path, old and new value of every leaf that differs."""
    if before == after:
        return
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in dict.fromkeys([*before, *after]):
            yield from differences(before.get(key, ABSENT), after.get(key, ABSENT), joined(path, str(key)))
    elif isinstance(before, list) and isinstance(after, list):
        for index in range(max(len(before), len(after))):
            old, new = (side[index] if index < len(side) else ABSENT for side in (before, after))
            yield from differences(old, new, f"{path}[{index}]")
    elif (documents := _documents(before, after)) is not None:
        yield from differences(*documents, path)
    else:
        yield path, before, after


def _documents(before: Any, after: Any) -> tuple[Any, Any] | None:
    """Both sides read, where they are texts that hold JSON."""
    old, new = json_in(before), json_in(after)
    return None if old is None or new is None or old == new else (old, new)


def joined(path: str, key: str) -> str:
    """A path and a key below it."""
    if _PLAIN_KEY.match(key):
        return f"{path}.{key}" if path else key
    return f'{path}["{key}"]'


def value_at(tree: Any, path: str) -> Any:
    """The value at a path; `ABSENT` where there is none."""
    for quoted, index, plain in re.findall(r'\["([^"]*)"\]|\[(\d+)\]|([^.\[\]]+)', path):
        if index and isinstance(tree, list) and int(index) < len(tree):
            tree = tree[int(index)]
        elif not index and isinstance(tree, Mapping) and (quoted or plain) in tree:
            tree = tree[quoted or plain]
        else:
            return ABSENT
    return tree


def _as_told(path: str, before: Mapping[str, Any], after: Mapping[str, Any], *, replaces: bool) -> PropertyChange:
    old, new = value_at(before, path), value_at(after, path)
    return PropertyChange(
        path=path,
        before=None if old is ABSENT else shown(old),
        after=None if new is ABSENT else shown(new),
        replaces=replaces,
    )


def _meets(path: str, others: Collection[str]) -> bool:
    return any(_related(path, other) for other in others)


def _related(path: str, other: str) -> bool:
    """Whether the paths are one, or one lies below the other."""
    short, long = sorted((path, other), key=len)
    return long.startswith(short) and (len(long) == len(short) or long[len(short)] in ".[")
