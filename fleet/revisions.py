"""The catalogue as a git revision has it: its files in a temporary folder, read like any others.

Invariant: git only reads; no working tree and no index is touched.
"""

import io
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from fleet.errors import UsageError
from fleet.files import parts_folder


@dataclass(frozen=True, kw_only=True)
class Version:
    """A catalogue that can be read now."""

    path: Path
    shown_as: str
    """What findings call it: the file's name, or `REVISION:file`."""


@contextmanager
def open_version(named: str, *, catalogue: Path) -> Iterator[Version]:
    """What `named` says: a file, a git revision of `catalogue`, or `REVISION:path` of another file in the same repository.

    Raises: UsageError when it is none of them.
    """
    path = Path(named)
    if path.is_file():
        yield Version(path=path, shown_as=named)
        return
    revision, _, inner = named.partition(":")
    folder = catalogue.resolve().parent
    commit = _commit(revision, named, folder)
    top = Path(_git(folder, "rev-parse", "--show-toplevel").decode().strip())
    wanted = Path(inner) if inner else catalogue.resolve().relative_to(top.resolve())
    with tempfile.TemporaryDirectory(prefix="fleet-revision-") as temporary:
        file = Path(temporary) / wanted
        outside = wanted.is_absolute() or ".." in wanted.parts
        if not outside:
            _extract(top, commit, wanted, Path(temporary))
        if outside or not file.is_file():
            raise UsageError(
                named, f"has no file {wanted}", "Write REVISION:path, with the path from the repository's root."
            )
        yield Version(path=file, shown_as=f"{revision}:{wanted}")


def _commit(revision: str, named: str, folder: Path) -> str:
    try:
        found = _git(folder, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    except FileNotFoundError:
        raise UsageError(named, "is no file, and there is no git to look for a revision", "Name a file.") from None
    except subprocess.CalledProcessError:
        raise UsageError(
            named,
            f"is neither a file nor a revision of the repository of {folder}",
            "Name two files or revisions: `fleet diff main HEAD`, `fleet diff HEAD`, `fleet diff v1.2:queues.yaml queues.yaml`.",
        ) from None
    return found.decode().strip()


def _extract(top: Path, commit: str, file: Path, target: Path) -> None:
    """The catalogue's folder as the commit has it: YAML files there and those that continue it, nothing else of the repository."""
    folder = file.parent
    listed = _git(top, "ls-tree", "-r", "--name-only", "-z", commit, "--", f"{folder.as_posix()}/").decode().split("\0")
    kept = [
        name for name in listed
        if name.endswith((".yaml", ".yml")) and Path(name).parent in (folder, parts_folder(file))
    ]  # fmt: skip
    if kept:
        archive = _git(top, "archive", "--format=tar", commit, "--", *kept)
        with tarfile.open(fileobj=io.BytesIO(archive)) as files:
            files.extractall(target, filter="data")


def _git(folder: Path, *words: str) -> bytes:
    return subprocess.run(["git", "-C", str(folder), *words], capture_output=True, check=True).stdout
