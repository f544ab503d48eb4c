"""What a machine that cannot hold the sandbox is told."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from sandbox import cli, host, packages
from sandbox.errors import RefusalError, SandboxError
from sandbox.folders import Folders, find_folders
from sandbox.progress import Progress


def test_another_system_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """macOS gets one message and the alternative."""
    monkeypatch.setattr("sys.platform", "darwin")
    with pytest.raises(RefusalError, match="needs Linux, and this is darwin") as caught:
        host.check_system()
    assert "make up CONTEXT=" in str(caught.value)


def test_anybody_but_root_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without root nothing is begun."""
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(RefusalError, match="takes root"):
        host.check_root()


@pytest.mark.parametrize(
    ("effective", "missing"),
    [
        pytest.param("000001ffffffffff", [], id="all-of-them"),
        pytest.param("000001fffeffffff", [], id="sys-resource-is-not-needed"),
        pytest.param("00000000a80425fb", ["sys_admin", "net_admin", "sys_ptrace"], id="an-ordinary-container"),
    ],
)
def test_missing_capabilities_are_named(effective: str, missing: list[str]) -> None:
    """Being root in a container is not enough; the third line is what a container engine gives by default."""
    assert host.missing_capabilities(f"Name:\tsh\nCapEff:\t{effective}\n") == missing


def test_too_little_disk_says_how_much_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Free and needed space stand in the message."""
    folders = Folders(name="test", state_root=tmp_path / "state", cache=tmp_path / "cache")
    folders.create()
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=2 << 30))
    with pytest.raises(RefusalError, match=r"2\.0 GiB are free there, and the sandbox needs \d+ GiB"):
        host.check_space(folders)


def test_a_system_without_apt_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The missing packages are named."""
    monkeypatch.setattr(packages, "SEARCHED", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RefusalError, match=r"runc, .*no apt-get"):
        packages.install_missing(Progress())


@pytest.mark.parametrize("name", ["", "UPPER", "-x", "x-", "a b", "x" * 33, "../x"])
def test_a_name_that_is_no_label_is_refused(name: str) -> None:
    """The name becomes a namespace, a node and a folder."""
    with pytest.raises(SandboxError, match="lower-case"):
        find_folders(name)


def test_a_path_too_long_for_a_socket_is_refused(tmp_path: Path) -> None:
    """Said at once, not by a component that cannot listen."""
    with pytest.raises(SandboxError, match="too long"):
        find_folders(state=tmp_path / ("x" * 100))


def test_an_error_is_a_message_and_an_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    """No traceback reaches a person."""
    assert cli.main(["up", "--name", "NO"]) == 1
    said = capsys.readouterr().err
    assert "Traceback" not in said
    assert "lower-case" in said


def test_folders_come_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The overrides win over XDG; a relative XDG path counts as unset."""
    monkeypatch.setenv("XDG_STATE_HOME", "relative")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("HOME", "/home/someone")
    monkeypatch.delenv("FLEET_STATE_DIR", raising=False)
    monkeypatch.delenv("FLEET_CACHE_DIR", raising=False)
    assert find_folders().state_root == Path("/home/someone/.local/state/celery-fleet")
    assert find_folders().cache == tmp_path / "xdg" / "celery-fleet"
    monkeypatch.setenv("FLEET_CACHE_DIR", str(tmp_path / "own"))
    assert find_folders().cache == tmp_path / "own"
