"""The environment of the policy scanner: made once, whole or not at all."""

import os
from pathlib import Path

import pytest

from ops.processes import ProgramError
from ops.progress import Progress
from ops.scanning import actionlint, audit, cache_folder, scan_python
from tests.ops.conftest import Programs

UV = """
import pathlib, sys
if sys.argv[1] == "venv":
    pathlib.Path(sys.argv[-1]).mkdir(parents=True)
"""
"""Stands in for uv: makes the folder, installs nothing."""


def _environ(programs: Programs, tmp_path: Path) -> dict[str, str]:
    return {"PATH": f"{programs.folder}{os.pathsep}/usr/bin:/bin", "FLEET_CACHE_DIR": str(tmp_path / "cache")}


def test_the_scanner_is_installed_once(programs: Programs, tmp_path: Path) -> None:
    """With hashes, from the project's own file, into the project's cache."""
    programs.write("uv", UV)
    environ = _environ(programs, tmp_path)
    python = scan_python(environ, Progress())
    assert scan_python(environ, Progress()) == python
    assert python.is_relative_to(tmp_path / "cache")
    made, installed = programs.calls("uv")
    assert made[0] == "venv"
    assert installed[:2] == ["pip", "install"]
    assert "--require-hashes" in installed
    assert installed[-1].endswith("requirements/scan.txt")


def test_an_installation_that_failed_is_made_anew(programs: Programs, tmp_path: Path) -> None:
    """What was left half done is no scanner."""
    environ = _environ(programs, tmp_path)
    programs.write("uv", f"{UV}\nif sys.argv[1] == 'pip': sys.exit('no index')")
    with pytest.raises(ProgramError, match="no index"):
        scan_python(environ, Progress())
    programs.write("uv", UV)
    assert scan_python(environ, Progress()).parent.parent.joinpath("installed").exists()


@pytest.mark.parametrize(
    ("environ", "folder"),
    [
        pytest.param({"FLEET_CACHE_DIR": "/caches/own", "XDG_CACHE_HOME": "/caches"}, "/caches/own", id="the-projects-variable"),
        pytest.param({"XDG_CACHE_HOME": "/caches"}, "/caches/celery-fleet", id="the-specifications-variable"),
        pytest.param({"XDG_CACHE_HOME": "caches"}, str(Path.home() / ".cache" / "celery-fleet"), id="a-relative-path-is-ignored"),
    ],
)  # fmt: skip
def test_caches_lie_where_the_sandboxs_do(environ: dict[str, str], folder: str) -> None:
    """So `make clean` finds them."""
    assert cache_folder(environ) == Path(folder)


def test_actionlint_is_built_once_and_only_where_there_is_go(programs: Programs, tmp_path: Path) -> None:
    """From its pinned module; a machine without Go scans without it."""
    environ = {"PATH": str(programs.folder), "FLEET_CACHE_DIR": str(tmp_path / "cache")}
    assert actionlint(environ, Progress()) is None
    programs.write(
        "go",
        'out = pathlib.Path(words[words.index("-o") + 1]); out.parent.mkdir(parents=True, exist_ok=True); out.touch()',
    )
    built = actionlint(environ, Progress())
    assert built is not None
    assert built.is_relative_to(tmp_path / "cache")
    assert actionlint(environ, Progress()) == built
    (words,) = programs.calls("go")
    assert words[0] == "build"
    assert words[-1] == "github.com/rhysd/actionlint/cmd/actionlint"


def test_an_audit_asks_of_what_is_shipped_and_says_why_it_may_fail(
    programs: Programs, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Of the containers and of the program; its exit code is the tool's."""
    programs.write("pip-audit", "")
    environ = {"PATH": str(programs.folder)}
    assert audit(programs.folder / "python", environ, tmp_path) == 0
    (words,) = programs.calls("pip-audit")
    assert words[-4:] == ["-r", "requirements/app.txt", "-r", "requirements/infra.txt"]
    assert "--require-hashes" in words
    programs.write("pip-audit", "sys.exit(1)")
    assert audit(programs.folder / "python", environ, tmp_path) == 1
    assert "needs the network" in capfd.readouterr().err
