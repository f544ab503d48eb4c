"""What a build can see, as one tag that changes exactly when the image would.

Invariant: whatever makes the build plugin build again (content, name or mode of a file, and the inputs that are named here) changes the tag; what
`.dockerignore` keeps from the build, and the place of the checkout, does not. Where the first failed, a registry with immutable tags would refuse
the push; where the second did, pods would be rolled for nothing.
Source: pulumi-docker-build 0.0.22, `provider/internal/context.go` (hashBuildContext, getIgnorePatterns); Docker docs, "Build context", section on
.dockerignore.
"""

import hashlib
import json
import os
import posixpath
import stat
from collections.abc import Iterator, Sequence
from itertools import takewhile
from pathlib import Path

from pathspec import PathSpec

from fleet.errors import FleetError

TAG_LENGTH = 16
"""Hexadecimal digits: two of a million images share a tag with a chance of one in 37 million."""

WILDCARDS = frozenset("*?[\\")


def content_tag(context: Path, dockerfile: Path, inputs: Sequence[str]) -> str:
    """The tag of the image that this context, this Dockerfile and the build's further inputs make.

    Raises: FleetError when the Dockerfile is not there.
    """
    if not dockerfile.is_file():
        raise FleetError(
            str(dockerfile),
            "is not there, and the images are built from it",
            "Put it back, or name images that exist: celery-fleet:images.prebuilt.",
        )
    digest = hashlib.sha256(json.dumps(list(inputs)).encode())
    digest.update(dockerfile.read_bytes())
    for name in seen_files(context, read_ignore_file(context, dockerfile)):
        path = context / name
        mode = path.lstat().st_mode
        digest.update(f"\0{name}\0{mode:o}\0".encode())
        if stat.S_ISLNK(mode):
            # The build copies the link, the plugin hashes what it leads to: either may change.
            digest.update(str(path.readlink()).encode())
        if path.is_file():
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:TAG_LENGTH]


def read_ignore_file(context: Path, dockerfile: Path) -> list[str]:
    """The patterns of `<Dockerfile>.dockerignore`, else of the context's `.dockerignore`, else none; no comments, no leading slashes."""
    for candidate in (dockerfile.with_name(f"{dockerfile.name}.dockerignore"), context / ".dockerignore"):
        if candidate.is_file():
            lines = candidate.read_text(encoding="utf-8").splitlines()
            return [_cleaned(line) for line in lines if line.strip() and not line.startswith("#")]
    return []


def _cleaned(line: str) -> str:
    text = line.strip()
    sign = "!" if text.startswith("!") else ""
    return sign + posixpath.normpath(text.removeprefix("!").strip()).lstrip("/")


def _as_git_means_it(pattern: str) -> list[str]:
    """What .gitignore would say: there a name without a slash holds in every folder, and a last `*` spares what lies deeper."""
    sign, path = ("!", pattern[1:]) if pattern.startswith("!") else ("", pattern)
    deeper = [f"{sign}/{path}/**"] if path.rsplit("/", maxsplit=1)[-1] == "*" else []
    return [f"{sign}/{path}", *deeper]


def seen_files(context: Path, patterns: Sequence[str]) -> Iterator[str]:
    """Paths in the context of every file and link that the build can see, in a fixed order."""
    rules = PathSpec.from_lines("gitignore", (line for pattern in patterns for line in _as_git_means_it(pattern)))
    kept = [_literal_parts(pattern[1:]) for pattern in patterns if pattern.startswith("!")]

    def holds_nothing(folder: str) -> bool:
        parts = folder.split("/")
        return rules.match_file(folder) and not any(all(map(str.__eq__, parts, path)) for path in kept)

    for base, folders, files in os.walk(context):
        where = Path(base).relative_to(context)
        links = [name for name in folders if Path(base, name).is_symlink()]
        for name in sorted([*files, *links]):
            path = (where / name).as_posix()
            # Sockets and devices cannot be copied into an image.
            if not rules.match_file(path) and stat.S_IFMT(os.lstat(context / path).st_mode) in {
                stat.S_IFREG,
                stat.S_IFLNK,
            }:
                yield path
        # Thousands of files of an environment or a cache are never looked at, unless a pattern may bring one of them back.
        folders[:] = sorted(name for name in folders if not holds_nothing((where / name).as_posix()))


def _literal_parts(pattern: str) -> list[str]:
    """The parts of a pattern in front of its first wildcard."""
    return list(takewhile(lambda part: not WILDCARDS & set(part), pattern.split("/")))
