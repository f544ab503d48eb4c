"""The first process of the node: starts the components, restarts those that die, collects orphans, stops with all.

It runs inside the node's network namespace as process 1 of a process namespace and a mount namespace of its own. Its
invariant: when it ends, however it ends, the kernel ends everything below it and drops every mount it made.
Facts: containerd leaves shims behind as orphans, which only process 1 can collect; kubelet insists on kernel settings
that it would otherwise write for the whole machine, so it is shown private files that hold them already.
"""

import contextlib
import json
import os
import signal
import ssl
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sandbox import cgroups
from sandbox.components import Component

FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 20.0
HEALTHY_AFTER_SECONDS = 30.0
"""A component that ran this long starts anew with the first pause."""
TICK_SECONDS = 0.25
WAITING_TICK_SECONDS = 2.0
LOG_LIMIT_BYTES = 20 << 20

KERNEL_SETTINGS = {
    "vm/overcommit_memory": "1",
    "vm/panic_on_oom": "0",
    "kernel/panic": "10",
    "kernel/panic_on_oops": "1",
    "kernel/keys/root_maxkeys": "1000000",
    "kernel/keys/root_maxbytes": "25000000",
}
"""What kubelet 1.36 wants to read (`pkg/kubelet/cm/container_manager_linux.go`, setupKernelTunables)."""


@dataclass
class Running:
    """One component as the supervisor sees it."""

    component: Component
    pid: int | None = None
    started: float = 0.0
    restarts: int = 0
    pause: float = FIRST_PAUSE_SECONDS
    not_before: float = 0.0
    last_exit: str = ""


@dataclass
class Supervisor:
    """Keeps the components of `plan` running until it is told to stop."""

    document: Path
    """Written by `sandbox.node`: components, folders, the API server's address and authority."""
    plan: dict[str, Any] = field(default_factory=dict)
    running: list[Running] = field(default_factory=list)
    stopping: bool = False
    _api_ready: bool = False

    def run(self) -> None:
        """Start, watch, read the document again on SIGHUP, and on SIGTERM stop."""
        signals = {signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
        signal.pthread_sigmask(signal.SIG_BLOCK, signals)
        self.load()
        while not self.stopping:
            self._start_due()
            self._write_status()
            settled = all(one.pid for one in self.running)
            received = signal.sigtimedwait(signals, WAITING_TICK_SECONDS if settled else TICK_SECONDS)
            number = received.si_signo if received else signal.SIGCHLD
            if number == signal.SIGHUP:
                self.load()
            self.stopping = number in {signal.SIGTERM, signal.SIGINT}
            self._collect()
        # Leaving is enough: the kernel kills what is left in this process namespace.

    def load(self) -> None:
        """Read the document; components that are new or changed start anew, the others are left alone."""
        self.plan = json.loads(self.document.read_text())
        wanted = {one.name: one for one in map(_component, self.plan["components"])}
        kept = []
        for one in self.running:
            if wanted.get(one.component.name) == one.component:
                kept.append(one)
                del wanted[one.component.name]
            elif one.pid is not None:
                os.kill(one.pid, signal.SIGKILL)
        self.running = kept + [Running(component) for component in wanted.values()]
        self._api_ready = False

    def _start_due(self) -> None:
        now = time.monotonic()
        for one in self.running:
            if one.pid is None and now >= one.not_before and self._may_start(one.component):
                one.pid = self._start(one.component)
                one.started = now

    def _may_start(self, component: Component) -> bool:
        if not all(Path(path).exists() for path in component.needs_files):
            return False
        if component.needs_api and not self._api_ready:
            self._api_ready = api_is_ready(self.plan["api_server"], self.plan["authority"])
            return self._api_ready
        return True

    def _start(self, component: Component) -> int:
        log = Path(self.plan["logs"]) / f"{component.name}.log"
        if log.exists() and log.stat().st_size > LOG_LIMIT_BYTES:
            log.replace(log.with_suffix(".log.old"))
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            return os.posix_spawnp(
                component.command[0],
                component.command,
                component.environment,
                file_actions=[
                    (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                    (os.POSIX_SPAWN_DUP2, output, 1),
                    (os.POSIX_SPAWN_DUP2, output, 2),
                ],
                setsid=True,
                setsigmask=[],
            )
        finally:
            os.close(output)

    def _collect(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            for one in self.running:
                if one.pid == pid:
                    self._ended(one, status)

    def _ended(self, one: Running, status: int) -> None:
        now = time.monotonic()
        code = os.waitstatus_to_exitcode(status)
        one.last_exit = f"signal {-code}" if code < 0 else f"exit code {code}"
        one.pid = None
        one.restarts += 1
        if now - one.started >= HEALTHY_AFTER_SECONDS:
            one.pause = FIRST_PAUSE_SECONDS
        one.not_before = now + one.pause
        one.pause = min(one.pause * 2, LONGEST_PAUSE_SECONDS)
        if one.component.name == "kube-apiserver":
            self._api_ready = False

    def _write_status(self) -> None:
        document = {
            one.component.name: {"pid": one.pid, "restarts": one.restarts, "last_exit": one.last_exit}
            for one in self.running
        }
        target = Path(self.plan["status"])
        text = json.dumps(document)
        if target.exists() and target.read_text() == text:
            return
        unfinished = target.with_suffix(".unfinished")
        unfinished.write_text(text)
        unfinished.replace(target)


def _component(document: dict[str, Any]) -> Component:
    return Component(
        name=document["name"],
        command=tuple(document["command"]),
        environment=dict(document["environment"]),
        needs_files=tuple(document["needs_files"]),
        needs_api=bool(document["needs_api"]),
        stand_in=bool(document["stand_in"]),
    )


def api_is_ready(server: str, authority: str) -> bool:
    """Whether the API server says so itself; anonymous callers may ask."""
    context = ssl.create_default_context(cafile=authority)
    try:
        with urllib.request.urlopen(f"{server}/readyz", timeout=2, context=context) as answer:  # noqa: S310 - https
            return bool(answer.status == 200)
    except OSError:
        return False


def mount_private_folders(plan: dict[str, Any]) -> None:
    """Hide the folders that components insist on writing to behind private ones."""
    node = Path(plan["node"])
    resolver = Path("/etc/resolv.conf").resolve()
    _mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run")
    # kubelet and CNI write below /var/lib whatever they are told; its host content stays readable.
    for folder in ("var-lib", "var-lib-work", "var-log"):
        (node / folder).mkdir(exist_ok=True)
    layers = f"lowerdir=/var/lib,upperdir={node}/var-lib,workdir={node}/var-lib-work"
    _mount("-t", "overlay", "-o", layers, "overlay", "/var/lib")
    _mount("--bind", str(node / "var-log"), "/var/log")
    if not resolver.exists():
        # On hosts where it is a link into the /run that was just hidden.
        resolver.parent.mkdir(parents=True, exist_ok=True)
        resolver.touch()
    _mount("--bind", plan["resolver"], str(resolver))
    for name, value in KERNEL_SETTINGS.items():
        real = Path("/proc/sys") / name
        if real.exists() and real.read_text().strip() != value:
            shown = Path("/run/kernel-settings") / name.replace("/", ".")
            shown.parent.mkdir(exist_ok=True)
            shown.write_text(f"{value}\n")
            _mount("--bind", str(shown), str(real))


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True)


def main(node_document: str) -> None:
    """Run the node described by the JSON document at this path."""
    plan = json.loads(Path(node_document).read_text())
    cgroups.enter(plan["name"])
    # A build may have been started with less priority; the node that follows it in the same command is not meant.
    os.setpriority(os.PRIO_PROCESS, 0, 0)
    mount_private_folders(plan)
    with contextlib.suppress(OSError):
        # Routing between pods; the file belongs to this network namespace alone.
        Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
    Supervisor(Path(node_document)).run()


if __name__ == "__main__":
    main(sys.argv[1])
