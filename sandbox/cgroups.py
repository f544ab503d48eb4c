"""The node's own control groups: one group named after the sandbox, in every controller, for pods and components.

Invariant: nothing outside that group is changed, and removing it leaves no trace. Both layouts are served: the old
one (v1, a tree for each controller) and the unified one (v2).
Source: kernel docs, "cgroup-v1/cpusets" (a new cpuset is empty until its CPUs and memory nodes are written) and
"cgroup-v2" (a group with processes of its own cannot hand controllers on, hence the inner group `system`).
"""

import os
import time
from pathlib import Path

from sandbox.errors import SandboxError

ROOT = Path("/sys/fs/cgroup")
SYSTEM = "system"
"""The inner group of the node's own components; kubelet makes `kubepods` beside it."""
GONE_WITHIN_SECONDS = 10.0


def is_unified(root: Path = ROOT) -> bool:
    """Whether the machine has the single v2 tree."""
    return (root / "cgroup.controllers").exists()


def hierarchies(root: Path = ROOT) -> list[Path]:
    """The top of every tree: one on v2; one a mounted controller on v1."""
    if is_unified(root):
        return [root]
    return sorted(tree for tree in root.iterdir() if tree.is_dir() and not tree.is_symlink() and _is_tree(tree))


def _is_tree(folder: Path) -> bool:
    return (folder / "cgroup.procs").exists()


def create(name: str, root: Path = ROOT) -> None:
    """Make the group and its inner group in every tree."""
    for tree in hierarchies(root):
        for group in (tree / name, tree / name / SYSTEM):
            group.mkdir(exist_ok=True)
            for inherited in ("cpuset.cpus", "cpuset.mems"):
                _inherit(group, inherited)
            if is_unified(root) and group.name != SYSTEM:
                controllers = (group / "cgroup.controllers").read_text().split()
                (group / "cgroup.subtree_control").write_text(" ".join(f"+{one}" for one in controllers))


def _inherit(group: Path, setting: str) -> None:
    file = group / setting
    # On v2 an empty cpuset already means the parent's.
    if file.exists() and not (group / "cgroup.controllers").exists() and not file.read_text().strip():
        file.write_text((group.parent / setting).read_text())


def enter(name: str, root: Path = ROOT) -> None:
    """Move the calling process, and what it starts from now on, into the inner group."""
    for tree in hierarchies(root):
        # Not its number, which differs between process namespaces: 0 is the writer itself.
        (tree / name / SYSTEM / "cgroup.procs").write_text("0")


def processes(name: str, root: Path = ROOT) -> set[int]:
    """Every process in the group, as the caller's process namespace numbers them."""
    found: set[int] = set()
    for tree in hierarchies(root):
        for file in (tree / name).glob("**/cgroup.procs"):
            try:
                found.update(map(int, file.read_text().split()))
            except OSError:
                continue  # The group went away meanwhile.
    return found


def remove(name: str, root: Path = ROOT) -> None:
    """Remove the group with everything below it; processes in it must have ended.

    Raises: SandboxError when one of them does not end.
    """
    for tree in hierarchies(root):
        top = tree / name
        if not top.exists():
            continue
        deadline = time.monotonic() + GONE_WITHIN_SECONDS
        while not _remove_tree(top):
            if time.monotonic() > deadline:
                raise SandboxError(str(top), "a process in this control group does not end", "Try again: make down")
            time.sleep(0.1)


def _remove_tree(top: Path) -> bool:
    # A killed process leaves its group a moment after its parent saw it end: the caller tries again.
    for folder, _, _ in os.walk(top, topdown=False):
        try:
            Path(folder).rmdir()
        except FileNotFoundError:
            continue
        except OSError:
            return False
    return True


def resident_bytes(name: str, root: Path = ROOT) -> int | None:
    """Memory the whole node holds in use now, page cache apart; nothing when the kernel does not count it."""
    layouts = ((root / name, ("anon", "shmem")), (root / "memory" / name, ("total_rss", "total_shmem")))
    for group, wanted in layouts:
        file = group / "memory.stat"
        if file.exists():
            counted = dict(line.split() for line in file.read_text().splitlines())
            return sum(int(counted.get(one, 0)) for one in wanted)
    return None
