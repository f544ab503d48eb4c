"""The language host runs programs as the real one does.

Source of the behaviour: pulumi v3.259 `sdk/python/cmd/pulumi-language-python/main.go` and
`sdk/python/cmd/pulumi-language-python-exec`.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from pulumi.runtime.proto import language_pb2

from sandbox.standins.install import MARKER, REPOSITORY, install_plugins, wrapper_script
from sandbox.standins.language_python import PythonLanguageHost, installed_plugins, program_arguments, project_python
from sandbox.standins.program_runner import program_traceback


def test_a_program_runs_in_its_own_folder_with_the_projects_root(tmp_path: Path) -> None:
    """`main: stacks` makes `stacks/` the working folder; the root is where `Pulumi.yaml` lies."""
    info = language_pb2.ProgramInfo(
        root_directory=str(tmp_path), program_directory=str(tmp_path / "stacks"), entry_point="."
    )
    request = language_pb2.RunRequest(
        project="fleet", stack="local", info=info, dryRun=True, parallel=8, monitor_address="127.0.0.1:1"
    )
    arguments = program_arguments(request, "127.0.0.1:2")
    options = dict(zip(arguments[:-1:2], arguments[1:-1:2], strict=True))
    assert options == {
        "--monitor": "127.0.0.1:1",
        "--engine": "127.0.0.1:2",
        "--project": "fleet",
        "--root_directory": str(tmp_path),
        "--stack": "local",
        "--pwd": str(tmp_path / "stacks"),
        "--dry_run": "true",
        "--parallel": "8",
    }
    assert arguments[-1] == "."


def test_a_program_runs_with_its_projects_own_packages(tmp_path: Path) -> None:
    """A second checkout that uses a running sandbox gets its own code, not that of the checkout which started it."""
    assert project_python(tmp_path) == sys.executable
    own = tmp_path / ".venv" / "bin" / "python"
    own.parent.mkdir(parents=True)
    own.touch()
    assert project_python(tmp_path) == str(own)


def test_a_programs_traceback_starts_at_the_program(tmp_path: Path) -> None:
    """The user sees their own lines, not the runner's."""
    program = tmp_path / "__main__.py"
    program.write_text("def build():\n    raise ValueError('boom')\n\nbuild()\n")
    with pytest.raises(ValueError, match="boom") as failed:
        exec(compile(program.read_text(), str(program), "exec"), {})  # noqa: S102 - the program under test
    shown = program_traceback(failed.value, tmp_path).splitlines()
    assert shown[1].strip() == f'File "{program}", line 4, in <module>'
    assert shown[-1] == "ValueError: boom"


def test_the_plugins_of_installed_packages_are_required() -> None:
    """The engine looks for exactly the version the program was written with."""
    required = installed_plugins({})
    assert set(required) >= {"kubernetes", "docker-build"}


def test_a_plugin_that_may_not_be_downloaded_is_only_required_where_it_is_there(tmp_path: Path) -> None:
    """A package that the program does not use does not stop it."""
    environment = {"PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true", "PULUMI_HOME": str(tmp_path)}
    assert installed_plugins(environment) == {}
    version = installed_plugins({})["kubernetes"]
    (tmp_path / "plugins" / f"resource-kubernetes-v{version}").mkdir(parents=True)
    assert installed_plugins(environment) == {"kubernetes": version}


def run_plugin(request: language_pb2.RunPluginRequest) -> list[language_pb2.RunPluginResponse]:
    async def collect() -> list[language_pb2.RunPluginResponse]:
        host = PythonLanguageHost("127.0.0.1:1")
        return [response async for response in host.run_plugin(request, None)]  # type: ignore[arg-type]

    return asyncio.run(collect())


def test_a_plugin_written_in_python_is_run_and_its_output_passed_on(tmp_path: Path) -> None:
    """The engine reads the port from it."""
    (tmp_path / "__main__.py").write_text("import os, sys\nprint(sys.argv[1], os.environ['GIVEN'])\nsys.exit(3)\n")
    info = language_pb2.ProgramInfo(root_directory=str(tmp_path), program_directory=str(tmp_path), entry_point=".")
    responses = run_plugin(
        language_pb2.RunPluginRequest(pwd=str(tmp_path), info=info, args=["one"], env=["GIVEN=two"], kind="resource")
    )
    assert b"".join(response.stdout for response in responses) == b"one two\n"
    assert responses[-1].exitcode == 3


def test_an_executable_that_is_there_already_is_left_alone(tmp_path: Path) -> None:
    """The real plugin always wins, and is not announced as a stand-in."""
    real = tmp_path / "bin" / "pulumi-language-python"
    real.parent.mkdir()
    real.write_bytes(b"\x7fELF")
    lines = install_plugins(tmp_path / "home", real.parent)
    assert real.read_bytes() == b"\x7fELF"
    assert not any("language host" in line for line in lines)
    assert any("Kubernetes plugin" in line for line in lines)


def test_installing_twice_changes_nothing(tmp_path: Path) -> None:
    """`up` twice is a no-op."""
    first = install_plugins(tmp_path / "home", tmp_path / "bin")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("pulumi-*")}
    assert len(before) == 4
    assert all(MARKER in path.read_text() and path.stat().st_mode & 0o111 for path in before)
    assert install_plugins(tmp_path / "home", tmp_path / "bin") == first
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("pulumi-*")} == before


def test_a_plugins_script_starts_from_any_folder_and_prints_its_port(tmp_path: Path) -> None:
    """The engine starts plugins in the program's folder, where a file may be called as one of our modules."""
    (tmp_path / "sandbox.py").write_text("raise SystemExit('the wrong module')\n")
    script = tmp_path / "plugin"
    script.write_text(wrapper_script("sandbox.standins.kubernetes"))
    process = subprocess.Popen(["/bin/sh", str(script), "127.0.0.1:1"], cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert int(process.stdout.readline()) > 0
    finally:
        process.terminate()
        process.communicate(timeout=10)
    assert process.returncode == 0, sys.executable


def test_a_program_ends_with_the_host_that_started_it() -> None:
    """A killed `pulumi up` leaves no program behind that waits for an engine for ever."""
    code = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'from sandbox.standins.program_runner import end_with_parent;"
        " import time; end_with_parent(); print(1, flush=True); time.sleep(60)'], stdout=subprocess.PIPE)\n"
        "child.stdout.readline()\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
    psutil.wait_procs([child], timeout=10)
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE
