"""Starting and stopping the node: namespace, control groups, files, supervisor, in this order and back.

Invariant: each step finds out for itself whether it is done, so a start that was cut off anywhere goes on from there;
`stop` takes everything away whatever is there, also what a start that was cut off left behind.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from sandbox import cgroups, network, programs
from sandbox.certificates import kubeconfig, make_certificates
from sandbox.components import Component, node_components, stand_in_components
from sandbox.errors import SandboxError
from sandbox.folders import Folders
from sandbox.images import PAUSE
from sandbox.network import Addresses
from sandbox.node_files import NodePlan, configuration_files

ENDED_WITHIN_SECONDS = 20.0


@dataclass(frozen=True, kw_only=True)
class NodeProcess:
    """The process on the host whose end is the end of the node."""

    pid: int
    started: float
    """Tells it from a later process with the same number."""


def plan_node(folders: Folders) -> NodePlan:
    """The plan of this sandbox's node; addresses once chosen are kept for as long as the sandbox exists."""
    chosen = folders.node / "block"
    if not chosen.exists():
        chosen.write_text(str(network.choose_block(network.taken_networks())))
    addresses = Addresses(block=network.Network(chosen.read_text().strip()))
    binaries = {name: programs.program(folders.cache, name) for family in programs.FAMILIES for name in family.binaries}
    containerd = shutil.which("containerd", path="/usr/local/bin:/usr/bin:/usr/sbin")
    return NodePlan(
        folders=folders,
        addresses=addresses,
        unified_cgroups=cgroups.is_unified(),
        pause_image=PAUSE.reference,
        programs={**binaries, "containerd": Path(containerd or "/usr/bin/containerd")},
    )


def running(folders: Folders) -> NodeProcess | None:
    """The node's process, if it runs."""
    file = folders.node / "process.json"
    if not file.exists():
        return None
    document = json.loads(file.read_text())
    node = NodeProcess(pid=document["pid"], started=document["started"])
    try:
        alive = psutil.Process(node.pid)
        if alive.status() != psutil.STATUS_ZOMBIE and abs(alive.create_time() - node.started) < 1:
            return node
    except psutil.NoSuchProcess:
        pass
    return None


def start(plan: NodePlan) -> None:
    """Make everything the node needs and start its supervisor, or tell a running one what changed."""
    folders = plan.folders
    for folder in (plan.configuration / "cni", folders.node / "tmp"):
        folder.mkdir(parents=True, exist_ok=True)
    make_certificates(plan.certificates, folders.name, plan.addresses)
    for name, content in configuration_files(plan).items():
        _write_private(plan.configuration / name, content)
    for identity in ("admin", "controller-manager", "scheduler", "kube-proxy", "coredns", "kubelet"):
        _write_private(plan.kubeconfig(identity), kubeconfig(plan.certificates, identity, plan.api_server))
    _write_private(folders.kubeconfig, kubeconfig(plan.certificates, "admin", plan.api_server, context=folders.name))
    document = json.dumps(node_document(plan, [*node_components(plan), *stand_in_components(plan)]), indent=2)
    written = folders.node / "node.json"
    node = running(folders)
    if node is not None:
        if written.exists() and written.read_text() == document:
            return
        # Another checkout or other programs: what changed starts anew, pods and the cluster's data stay.
        _write_private(written, document)
        for supervisor in psutil.Process(node.pid).children():
            os.kill(supervisor.pid, signal.SIGHUP)
        return
    _write_private(written, document)
    network.create(folders.name, plan.addresses)
    cgroups.create(folders.name)
    _spawn_supervisor(folders, written)


def node_document(plan: NodePlan, components: list[Component]) -> dict[str, object]:
    """What the supervisor is told."""
    return {
        "name": plan.folders.name,
        "node": str(plan.folders.node),
        "logs": str(plan.folders.logs),
        "status": str(plan.folders.node / "status.json"),
        "resolver": str(plan.configuration / "resolv.conf"),
        "api_server": plan.api_server,
        "authority": str(plan.certificates / "ca.crt"),
        "components": [component.as_document() for component in components],
    }


def _spawn_supervisor(folders: Folders, document: Path) -> None:
    # A socket left by a node that was killed would let components start too early.
    folders.containerd_socket.unlink(missing_ok=True)
    (folders.node / "status.json").unlink(missing_ok=True)
    command = [
        "nsenter", f"--net={network.namespace_file(folders.name)}",
        # Not `ip netns exec`: it would hide /sys/fs/cgroup.
        "unshare", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child",
        sys.executable, "-m", "sandbox.supervisor", str(document),
    ]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1]), "PYTHONDONTWRITEBYTECODE": "1"}
    log = os.open(folders.logs / "supervisor.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        supervisor = subprocess.Popen(
            command, env=environment, cwd="/", start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )  # fmt: skip
    finally:
        os.close(log)
    started = psutil.Process(supervisor.pid).create_time()
    _write_private(folders.node / "process.json", json.dumps({"pid": supervisor.pid, "started": started}))
    # It outlives this process on purpose; without this the interpreter warns about a child not waited for.
    supervisor.returncode = 0


def _write_private(path: Path, content: str) -> None:
    """Write by one rename, and only what differs: kube-proxy ends itself when its file is touched."""
    if path.exists() and path.read_text() == content:
        return
    unfinished = path.with_name(f"{path.name}.unfinished")
    unfinished.touch(mode=0o600)
    unfinished.write_text(content)
    unfinished.replace(path)


def end_processes(folders: Folders) -> None:
    """End every process of the node.

    Raises: SandboxError when one survives being killed.
    """
    node = running(folders)
    if node is not None:
        os.kill(node.pid, signal.SIGKILL)
    deadline = time.monotonic() + ENDED_WITHIN_SECONDS
    while True:
        # The control group also knows those whose supervisor was never written down.
        left = {pid for pid in cgroups.processes(folders.name) if pid > 0}
        if not left and (node is None or not _alive(node.pid)):
            break
        if time.monotonic() > deadline:
            raise SandboxError(f"processes {sorted(left)}", "they do not end", "Try again: make down")
        for pid in left:
            _kill(pid)
        time.sleep(0.05)
    (folders.node / "process.json").unlink(missing_ok=True)


def _alive(pid: int) -> bool:
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)  # Its parent may be this very process.
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def stop(folders: Folders) -> None:
    """Take the node away: processes, control groups, network. Its files stay for the caller to remove."""
    end_processes(folders)
    cgroups.remove(folders.name)
    network.remove(folders.name)
