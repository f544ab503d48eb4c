"""Control groups, on folders that look like the kernel's."""

from pathlib import Path

import pytest

from sandbox import cgroups


@pytest.fixture
def old_layout(tmp_path: Path) -> Path:
    """Two controllers of their own, as v1 mounts them."""
    for controller in ("memory", "cpuset"):
        tree = tmp_path / controller
        tree.mkdir()
        (tree / "cgroup.procs").touch()
    return tmp_path


def test_every_controller_gets_the_group(old_layout: Path) -> None:
    """One group a tree, with an inner one for the node's components; a second call changes nothing."""
    cgroups.create("node", old_layout)
    cgroups.create("node", old_layout)
    assert sorted(path.relative_to(old_layout).as_posix() for path in old_layout.glob("*/node/*")) == [
        "cpuset/node/system", "memory/node/system"
    ]  # fmt: skip


def test_removing_takes_all_that_lies_below(old_layout: Path) -> None:
    """Also the groups that kubelet made, and only ours."""
    (old_layout / "memory" / "other").mkdir()
    cgroups.create("node", old_layout)
    (old_layout / "memory" / "node" / "kubepods" / "pod1").mkdir(parents=True)
    cgroups.remove("node", old_layout)
    assert [path.name for path in (old_layout / "memory").iterdir() if path.is_dir()] == ["other"]


def test_processes_of_all_groups_below_are_found(old_layout: Path) -> None:
    """Whatever was started in the node can be ended, also without its supervisor."""
    pods = old_layout / "memory" / "node" / "kubepods"
    pods.mkdir(parents=True)
    (pods / "cgroup.procs").write_text("11\n12\n")
    (old_layout / "memory" / "node" / "cgroup.procs").write_text("7\n")
    assert cgroups.processes("node", old_layout) == {7, 11, 12}


def test_the_unified_layout_is_one_tree(tmp_path: Path) -> None:
    """On v2 there is one tree, whatever folders lie in it."""
    (tmp_path / "cgroup.controllers").write_text("cpu memory")
    (tmp_path / "user.slice").mkdir()
    assert cgroups.hierarchies(tmp_path) == [tmp_path]
