"""Keys, versions and build decisions of the Go programs."""

import dataclasses
from pathlib import Path

import pytest

from sandbox import building, programs
from sandbox.errors import RefusalError, SandboxError
from sandbox.programs import FAMILIES, Family, module_version
from sandbox.progress import Progress


@pytest.fixture
def family(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Family:
    """A family with a folder of its own."""
    monkeypatch.setattr(programs, "GO_FOLDER", tmp_path / "go")
    folder = tmp_path / "go" / "thing"
    folder.mkdir(parents=True)
    (folder / "go.mod").write_text("module x\n\nrequire example.org/thing v1.2.3 // indirect\n")
    (folder / "go.sum").write_text("example.org/thing v1.2.3 h1:aaa\n")
    return Family(name="thing", module="example.org/thing", binaries={"thing": "example.org/thing/cmd/thing"})


def again(family: Family) -> Family:
    """The same family without what it has computed."""
    return dataclasses.replace(family)


@pytest.mark.parametrize("name", [family.name for family in FAMILIES])
def test_every_family_has_a_committed_go_mod(name: str) -> None:
    """Each family names the version of its module, and pins every module it takes."""
    family = next(family for family in FAMILIES if family.name == name)
    assert family.version.startswith("v") or name == "pause"
    assert (family.folder / "go.sum").exists() or name == "pause"
    assert not (family.folder / "vendor").exists()


@pytest.mark.parametrize(
    ("line", "version"),
    [
        pytest.param("require a.b/c v1.0.0", "v1.0.0", id="single-requirement"),
        pytest.param("require (\n\ta.b/c/d v9.0.0\n\ta.b/c v1.1.0 // indirect\n)", "v1.1.0", id="in-a-block"),
    ],
)
def test_version_is_read_from_go_mod(line: str, version: str) -> None:
    """A longer module path is another module."""
    assert module_version(f"module x\n\n{line}\n", "a.b/c") == version


def test_a_module_that_is_not_required_is_an_error() -> None:
    """A go.mod that lost its program says so."""
    with pytest.raises(SandboxError, match=r"does not require a\.b/c"):
        module_version("module x\n", "a.b/c")


@pytest.mark.parametrize("file", ["go.mod", "go.sum"])
def test_key_changes_with_the_pinned_modules(family: Family, file: str) -> None:
    """A cache never serves what another go.mod built."""
    before = family.key
    path = family.folder / file
    path.write_text(path.read_text() + "\n// changed\n")
    assert again(family).key != before


def test_key_changes_with_the_flags(family: Family) -> None:
    """Nor what other flags built."""
    assert dataclasses.replace(family, flags=()).key != family.key


def test_missing_names_what_is_not_built(family: Family, tmp_path: Path) -> None:
    """A family is whole when each binary is there."""
    assert family.missing(tmp_path) == ["thing"]
    family.kept_in(tmp_path).mkdir(parents=True)
    (family.kept_in(tmp_path) / "thing").touch()
    assert family.missing(tmp_path) == []


@pytest.mark.parametrize(
    ("package", "name"),
    [("k8s.io/kubernetes/cmd/kubelet", "kubelet"), ("go.etcd.io/etcd/server/v3", "server")],
)
def test_go_names_a_binary_by_its_package(package: str, name: str) -> None:
    """The last element, or the one before a major version (`go help build`)."""
    assert building.written_as(package) == name


@pytest.mark.parametrize(
    ("cores", "available_gib", "at_once"),
    [
        pytest.param(2, 24.0, 1, id="one-compiler-fills-two-cores"),
        pytest.param(16, 64.0, 8, id="more-cores-more-builds"),
        pytest.param(16, 7.0, 2, id="memory-holds-only-two"),
        pytest.param(1, 1.0, 1, id="a-small-machine-builds-all-the-same"),
    ],
)
def test_builds_at_once_fit_the_machine(cores: int, available_gib: float, at_once: int) -> None:
    """Parallel only as processors and memory allow."""
    assert building.builds_at_once(FAMILIES, cores=cores, available_gib=available_gib) == at_once


@pytest.mark.parametrize(
    ("says", "message"),
    [
        pytest.param("go version go1.24.1 linux/amd64", "go1.24.1 is too old", id="too-old"),
        pytest.param("", "not on PATH", id="says-nothing"),
    ],
)
def test_an_unusable_go_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says: str, message: str) -> None:
    """One message that names the alternative."""
    fake = tmp_path / "go"
    fake.write_text(f"#!/bin/sh\necho '{says}'\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with pytest.raises(RefusalError, match=message) as caught:
        building.check_go()
    assert "make up CONTEXT=" in str(caught.value)


def test_no_go_is_no_problem_when_all_is_built(family: Family, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Full caches are enough."""
    family.kept_in(tmp_path).mkdir(parents=True)
    (family.kept_in(tmp_path) / "thing").touch()
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    building.build_programs([family], tmp_path, Progress())


def test_no_go_is_refused_when_something_is_missing(
    family: Family, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is begun without a compiler."""
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    with pytest.raises(RefusalError, match=r"Install Go 1\.26"):
        building.build_programs([family], tmp_path, Progress())


def test_building_programs_leaves_the_images_alone_that_are_made_beside(
    family: Family, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Images and programs are made side by side in one cache; neither clears away the other's work."""
    layer = tmp_path / "cache" / "unfinished" / "image-rabbitmq" / "layer.tar"
    layer.parent.mkdir(parents=True)
    layer.touch()
    monkeypatch.setattr(building, "check_go", lambda: None)
    monkeypatch.setattr(building, "_compile", lambda *_, **__: None)
    with pytest.raises(FileNotFoundError):  # nothing was compiled, so there is nothing to keep
        building.build_programs([family], tmp_path / "cache", Progress())
    assert layer.exists()
