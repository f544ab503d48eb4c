"""The environment of the policy scanner: made once, whole or not at all."""

import os
from pathlib import Path

import pytest

from ops.processes import ProgramError
from ops.progress import Progress
from ops.scanning import cache_folder, scan_python
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
