"""For what a start waits, and for what it does not."""

import fcntl
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox import building, host, lifecycle, locks, packages, programs
from sandbox.errors import SandboxError
from sandbox.folders import Folders
from sandbox.progress import Progress


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folders:
    """Of a machine that has its packages, and space; whoever waits gives up at once."""
    monkeypatch.setattr(packages, "missing_packages", list)
    monkeypatch.setattr(host, "check_space", lambda folders: None)
    monkeypatch.setattr(locks, "LOCK_PATIENCE_SECONDS", 0)
    return Folders(name="test", state_root=tmp_path / "state", cache=tmp_path / "cache")


@pytest.fixture
def other_command(folders: Folders) -> Iterator[None]:
    """Another command that builds, or clears away what its compilers kept."""
    folders.cache.mkdir()
    with (folders.cache / "build.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.mark.usefixtures("other_command")
def test_a_start_with_full_caches_waits_for_nobody(folders: Folders, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is in the cache is whole, whatever another command does there."""
    monkeypatch.setattr(host, "has_everything", lambda cache: cache == folders.cache)
    lifecycle.build(folders, Progress())


@pytest.mark.usefixtures("other_command")
def test_a_start_that_lacks_something_waits_for_who_builds(folders: Folders) -> None:
    """Two compilers in one cache would do everything twice, and clear away under each other."""
    with pytest.raises(SandboxError, match="another command holds the lock"):
        lifecycle.build(folders, Progress())


@pytest.mark.usefixtures("other_command")
def test_programs_alone_are_not_built_beside_who_builds(folders: Folders) -> None:
    """A review of what would change needs one of them, and would clear away what the others are compiled from."""
    with pytest.raises(SandboxError, match="another command holds the lock"):
        building.provide_programs([programs.PULUMI], folders.cache, Progress())


@pytest.mark.parametrize(
    ("cluster_is_there", "kept"),
    [
        pytest.param(False, False, id="what-a-pulumi-wrote-that-outlived-its-cluster"),
        pytest.param(True, True, id="what-is-about-the-cluster-that-is-there"),
    ],
)
def test_a_new_node_begins_without_stacks(folders: Folders, cluster_is_there: bool, kept: bool) -> None:
    """They would be taken for its own: all is made, and then deleted as what was replaced."""
    folders.create()
    state = folders.pulumi_backend / ".pulumi" / "stacks" / "local.json"
    state.parent.mkdir(parents=True)
    state.write_text("{}")
    if cluster_is_there:
        (folders.node / "etcd").mkdir()
    lifecycle.forget_stacks_of_a_gone_node(folders)
    assert state.exists() is kept
    assert folders.pulumi_backend.is_dir()
