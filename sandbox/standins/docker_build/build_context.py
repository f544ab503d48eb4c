"""What goes into a build: the files of its context, told apart by one hash.

The invariant: the hash changes exactly when a file that the build can see changes in content, name or mode; a file
that `.dockerignore` keeps from the build never changes it.

Source: pulumi-docker-build v0.0.22 `provider/internal/context.go` (hashBuildContext, getIgnorePatterns); Docker docs,
"Build context", section on .dockerignore.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class IgnoreRule:
    """One line of an ignore file."""

    pattern: re.Pattern[str]
    keeps: bool
    """Whether the line starts with `!`: what it matches stays in after all."""


def parse_ignore_file(text: str) -> list[IgnoreRule]:
    """The rules of an ignore file, in order; comments and empty lines are left out."""
    rules = []
    for raw in text.splitlines():
        line = raw.strip()
        if not line or raw.startswith("#"):
            continue
        keeps = line.startswith("!")
        path = os.path.normpath(line.removeprefix("!").strip().lstrip("/"))
        if path not in (".", ""):
            rules.append(IgnoreRule(re.compile(_expression(path)), keeps))
    return rules


def _expression(pattern: str) -> str:
    """A pattern as a regular expression: `**` spans folders, `*` and `?` do not."""
    result, position = "", 0
    while position < len(pattern):
        if pattern.startswith("**/", position):
            result, position = result + "(?:.*/)?", position + 3
        elif pattern.startswith("**", position):
            result, position = result + ".*", position + 2
        elif pattern[position] == "*":
            result, position = result + "[^/]*", position + 1
        elif pattern[position] == "?":
            result, position = result + "[^/]", position + 1
        elif pattern[position] == "[" and "]" in pattern[position:]:
            end = pattern.index("]", position)
            result, position = result + pattern[position : end + 1], end + 1
        else:
            result, position = result + re.escape(pattern[position]), position + 1
    return f"{result}\\Z"


def is_ignored(path: str, rules: list[IgnoreRule]) -> bool:
    """Whether the last rule that speaks about the path, or about a folder above it, keeps it from the build."""
    parts = path.split("/")
    above = ["/".join(parts[: count + 1]) for count in range(len(parts))]
    ignored = False
    for rule in rules:
        if any(rule.pattern.match(candidate) for candidate in above):
            ignored = not rule.keeps
    return ignored


def read_ignore_rules(context: Path, dockerfile: Path) -> list[IgnoreRule]:
    """The rules of `<Dockerfile>.dockerignore`, else of the context's `.dockerignore`, else none."""
    for candidate in (dockerfile.with_name(f"{dockerfile.name}.dockerignore"), context / ".dockerignore"):
        if candidate.is_file():
            return parse_ignore_file(candidate.read_text())
    return []


def files_in(context: Path, rules: list[IgnoreRule]) -> Iterator[tuple[str, Path]]:
    """Every file that the build can see, by its path in the context, in a fixed order."""
    # A folder may only be skipped as a whole if no rule can bring something inside it back.
    prunes = not any(rule.keeps for rule in rules)
    for folder, names, files in os.walk(context):
        base = Path(folder).relative_to(context).as_posix()
        prefix = "" if base == "." else f"{base}/"
        names[:] = sorted(name for name in names if not (prunes and is_ignored(prefix + name, rules)))
        links = [name for name in names if (Path(folder) / name).is_symlink()]
        for name in sorted([*files, *links]):
            if not is_ignored(prefix + name, rules):
                yield prefix + name, Path(folder) / name


def context_hash(context: Path, dockerfile: Path | None, named: dict[str, str]) -> str:
    """One hash over the Dockerfile, the context and the local named contexts."""
    digest = hashlib.sha256()
    rules = read_ignore_rules(context, dockerfile or context / "Dockerfile")
    if dockerfile is not None:
        digest.update(dockerfile.read_bytes())
    for root in (context, *(Path(named[name]) for name in sorted(named))):
        if not root.is_dir():
            continue
        for name, path in files_in(root, rules):
            mode = path.lstat().st_mode
            if stat.S_ISLNK(mode):
                digest.update(str(path.readlink()).encode())
            elif stat.S_ISREG(mode):
                with path.open("rb") as file:
                    digest.update(hashlib.file_digest(file, "sha256").digest())
            else:
                continue  # Sockets and devices cannot be copied into an image.
            digest.update(f"\0{name}\0{mode:o}\0".encode())
    return digest.hexdigest()
