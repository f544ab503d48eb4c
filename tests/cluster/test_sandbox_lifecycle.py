"""A second sandbox on the real machine: started, hurt, mended, stopped, and nothing left of it."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from sandbox import building, programs
from sandbox.progress import Progress

ROOT = Path(__file__).parents[2]
NAME = "lifecycle-test"
PATIENCE_SECONDS = 60.0

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(os.geteuid() != 0 or sys.platform != "linux", reason="a node takes root on Linux"),
]


def sandbox(verb: str, state: Path, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """One call of the sandbox's entry, with the shared cache and a state folder of its own."""
    command = [sys.executable, "-m", "sandbox", verb, "--name", NAME, "--state-dir", str(state), *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=check)


def machine() -> dict[str, list[str]]:
    """What a node could leave behind on the machine, as far as it is this node's."""

    def lines(*command: str) -> list[str]:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines()

    cgroups = [path for depth in ("*", "*/*") for path in Path("/sys/fs/cgroup").glob(depth)]
    return {
        "mounts": sorted(line for line in Path("/proc/self/mounts").read_text().splitlines() if NAME in line),
        "namespaces": sorted(lines("ip", "netns", "list")),
        "links": sorted(line.split("@")[0].split(" ")[0] for line in lines("ip", "-brief", "link")),
        "routes": sorted(lines("ip", "route")),
        "rules": [line.split("[")[0] for line in lines("iptables-save") if not line.startswith("#")],
        "cgroups": sorted(str(path) for path in cgroups if NAME in path.name),
        "processes": sorted(
            " ".join(process.cmdline())[:120]
            for process in psutil.process_iter()
            if process.pid != os.getpid() and NAME in " ".join(_command(process))
        ),
        "folders": sorted(
            str(path)
            for folder in ("/var/lib", "/var/log", "/opt", "/etc", "/run", "/run/netns")
            for path in Path(folder).glob("*")
        ),
        "kernel": lines("sysctl", "vm.overcommit_memory", "vm.panic_on_oom", "kernel.panic", "kernel.panic_on_oops",
                        "net.ipv4.ip_forward"),
    }  # fmt: skip


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


@pytest.fixture(scope="module")
def before() -> dict[str, list[str]]:
    return machine()


@pytest.fixture(scope="module")
def state(before: dict[str, list[str]]) -> Iterator[Path]:
    """A running sandbox; its state folder has a short path because sockets need one."""
    del before  # Only its order matters: the machine is looked at before anything is started.
    folder = Path(f"/tmp/fleet-{os.getpid()}")  # noqa: S108
    done = sandbox("up", folder, check=False)
    try:
        assert done.returncode == 0, done.stderr
        yield folder
    finally:
        sandbox("down", folder, check=False)
        shutil.rmtree(folder, ignore_errors=True)


def status(state: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(sandbox("status", state, "--json", check=False).stdout)
    return found


def until_ready(state: Path) -> dict[str, Any]:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (found := status(state))["state"] != "ready":
        assert time.monotonic() < deadline, found
        time.sleep(1)
    return found


def test_second_up_changes_nothing(state: Path) -> None:
    """Every process is the one it was."""
    first = until_ready(state)
    assert sandbox("up", state).returncode == 0
    assert status(state)["components"] == first["components"]


@pytest.mark.parametrize("name", ["etcd", "kube-apiserver", "kubelet", "containerd", "rabbitmq-operators"])
def test_a_killed_component_comes_back(state: Path, name: str) -> None:
    """The node is whole again without anybody's doing."""
    killed = until_ready(state)["components"][name]
    os.kill(killed["pid"], 9)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (now := status(state)["components"][name])["restarts"] == killed["restarts"] or not now["pid"]:
        assert time.monotonic() < deadline, now
        time.sleep(0.5)
    until_ready(state)


def test_a_node_that_was_killed_goes_on_with_its_cluster(state: Path) -> None:
    """`up` after the whole node died starts it on the same data."""
    kubectl = ["kubectl", f"--kubeconfig={state}/sandbox/{NAME}/kubeconfig"]
    # kubectl keeps a cache in its home, which would be the work tree without one.
    environment = {"PATH": f"{state}/sandbox/{NAME}/bin:{os.environ['PATH']}", "HOME": str(state)}
    subprocess.run(
        [*kubectl, "create", "configmap", "kept"], env=environment, capture_output=True, check=True
    )  # fmt: skip
    os.kill(until_ready(state)["supervisor_pid"], 9)
    assert sandbox("up", state).returncode == 0
    subprocess.run([*kubectl, "get", "configmap", "kept"], env=environment, capture_output=True, check=True)
    until_ready(state)


def test_environment_names_what_exists(state: Path) -> None:
    """The printed variables lead to a working kubectl and to files that are there."""
    script = 'eval "$1"; kubectl get nodes -o name; ls -d "$KUBECONFIG" "$PULUMI_HOME" "$FLEET_SANDBOX_BASE_ARCHIVE"'
    done = subprocess.run(
        ["sh", "-ec", script, "sh", sandbox("env", state).stdout], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[0] == f"node/{NAME}"


def test_down_leaves_nothing(state: Path, before: dict[str, list[str]]) -> None:
    """Processes, mounts, namespaces, links, routes, rules, control groups, folders and settings are as before."""
    assert sandbox("down", state).returncode == 0
    after = machine()
    for what, found in before.items():
        assert after[what] == found, what
    kept = [path.name for path in (state / "sandbox" / NAME).iterdir()]
    assert kept == ["credentials.json"]
    assert sandbox("down", state).returncode == 0


@pytest.mark.skipif(shutil.which("go") is None, reason="needs a Go compiler")
def test_build_is_kept_and_not_repeated(tmp_path: Path) -> None:
    """A finished binary is in the cache, whole; the second call needs no compiler."""
    building.build_programs([programs.PAUSE], tmp_path, Progress())
    binary = programs.PAUSE.kept_in(tmp_path) / "pause"
    made = binary.stat().st_mtime_ns
    building.build_programs([programs.PAUSE], tmp_path, Progress())
    assert binary.stat().st_mtime_ns == made
    assert not (tmp_path / "go").exists()
    assert not list((tmp_path / "unfinished").iterdir())
