"""Copies of the project that a command may write into: of the work tree as it is, and of a revision.

Invariant: git only reads; neither the work tree nor the index is touched, and a copy's `.venv` leads to the project's own.
"""

import io
import shutil
import subprocess
import tarfile
from pathlib import Path

from fleet.errors import FleetError, UsageError

LEFT_OUT = shutil.ignore_patterns(".git", ".venv", "__pycache__", ".*_cache", "preview")
"""Of a folder that is no repository."""


def copy_work_tree(root: Path, target: Path) -> None:
    """The files that git knows or would take, as they are now; all files where there is no repository."""
    try:
        listed = _git(root, "ls-files", "--cached", "--others", "--exclude-standard", "-z").decode()
    except FleetError:
        shutil.copytree(root, target, ignore=LEFT_OUT, dirs_exist_ok=True)
    else:
        for name in filter(None, listed.split("\0")):
            source = root / name
            if source.is_file():
                (target / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(source, target / name)
    _lend_packages(root, target)


def check_out(root: Path, commit: str, target: Path) -> None:
    """The files of a commit."""
    archive = _git(root, "archive", "--format=tar", commit)
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        files.extractall(target, filter="data")
    _lend_packages(root, target)


def _lend_packages(root: Path, target: Path) -> None:
    if (root / ".venv").is_dir() and not (target / ".venv").exists():
        (target / ".venv").symlink_to(root / ".venv")


def find_base(root: Path, named: str) -> str:
    """The commit that a change began from: where its branch left `named`, a branch, tag or commit.

    Raises: UsageError when there is no such revision, or no commit that both have.
    """
    for revision in (named, f"origin/{named}"):
        try:
            commit = _git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
        except FleetError:
            continue
        try:
            return _git(root, "merge-base", commit.decode().strip(), "HEAD").decode().strip()
        except FleetError:
            raise UsageError(
                f"BASE={named}", "has no commit in common with what is checked out",
                "Fetch the whole history (`git fetch --unshallow`; in a workflow `fetch-depth: 0`), or name another base.",
            ) from None  # fmt: skip
    raise UsageError(
        f"BASE={named}", "is no revision of this repository", "Name a branch, a tag or a commit, or fetch it first."
    )


def _git(root: Path, *words: str) -> bytes:
    """What git prints.

    Raises: FleetError with git's own words.
    """
    try:
        done = subprocess.run(["git", "-C", str(root), *words], capture_output=True, check=True)
    except FileNotFoundError:
        raise FleetError("git", "is not installed", "Put git on PATH, or leave BASE out.") from None
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode(errors="replace").strip() or f"ended with exit code {error.returncode}"
        raise FleetError(f"git {words[0]}", said, "Run it by hand in this folder.") from None
    return done.stdout
