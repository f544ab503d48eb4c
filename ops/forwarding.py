"""Ports of the fleet's services on 127.0.0.1, by `kubectl port-forward`.

Two lives: the web layer's forward stays after the command that made it (its keeper is a process of its own, noted in the state folder, ended by
`down`); all others end with the command. The invariant: nothing listens anywhere but on loopback, and a keeper that died or whose service no
longer answers is replaced by whoever needs it.
"""

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from fleet.errors import FleetError
from ops import state
from ops.processes import stop
from ops.target import ROOT, Target

LOOPBACK = "127.0.0.1"
READY_SECONDS = 20.0
"""kubectl listens within a second; a service without a ready pod makes it fail sooner than this."""

POLL_SECONDS = 0.1
ENDED_WITHIN_SECONDS = 5.0
FILE_SUFFIX = ".forward.json"


@dataclass(frozen=True, kw_only=True)
class Keeper:
    """A process that keeps one forward open."""

    pid: int
    started: float
    """Creation time: tells it from a later process of the same number."""
    port: int
    cluster: str
    """Which cluster it reaches, as the target's label."""
    command: tuple[str, ...]
    """The kubectl command line it keeps running."""


def free_port(preferred: int | None = None) -> int:
    """A port of loopback that nobody listens on: the preferred one if it is free."""
    for candidate in (preferred, 0):
        if candidate is None:
            continue
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((LOOPBACK, candidate))
            return int(probe.getsockname()[1])
    raise FleetError(LOOPBACK, "no port is free", "End a program that listens on many ports.")


def forward_command(
    target: Target, service: str, local_port: int, service_port: int, namespace: str | None = None
) -> list[str]:
    """The kubectl command of one forward; the fleet's namespace unless another is named."""
    return target.kubectl_command(
        "port-forward",
        "--namespace",
        namespace or target.namespace,
        "--address",
        LOOPBACK,
        f"service/{service}",
        f"{local_port}:{service_port}",
    )


@contextmanager
def forwarded(target: Target, service: str, service_port: int) -> Iterator[int]:
    """A local port that leads to the service while the body runs.

    Raises: FleetError when kubectl cannot reach a ready pod of the service.
    """
    port = free_port()
    process = subprocess.Popen(
        forward_command(target, service, port, service_port),
        env=dict(target.environ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        # Ctrl-C is ours to handle: the forward has to outlive it until the body has ended.
        process_group=0,
    )
    try:
        _await_listener(process, service, port)
        yield port
    finally:
        stop(process)
        if process.stderr is not None:
            process.stderr.close()


def _await_listener(process: "subprocess.Popen[str]", service: str, port: int) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            said = process.stderr.read().strip() if process.stderr else ""
            raise FleetError(f"service/{service}", said or "kubectl port-forward ended", "See the pods: make status")
        if listens(port):
            return
        time.sleep(POLL_SECONDS)
    raise FleetError(f"service/{service}", f"no forward within {READY_SECONDS:.0f} s", "See the pods: make status")


def listens(port: int) -> bool:
    """Whether something accepts connections on that port of loopback."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((LOOPBACK, port)) == 0


def keep_forward(
    target: Target,
    service: str,
    service_port: int,
    *,
    preferred: int,
    answers: Callable[[int], bool],
    namespace: str | None = None,
) -> int:
    """A local port that leads to the service and stays after this command.

    An existing forward is taken when it `answers`; else it is replaced, on the same port if it can be had.
    """
    file = target.folder / f"{service}{FILE_SUFFIX}"
    keeper = read_keeper(file)
    if keeper is not None:
        if keeper.cluster == target.label and is_alive(keeper) and _await_answer(keeper.port, answers, 3.0):
            return keeper.port
        end_keeper(file)
        preferred = keeper.port
    port = free_port(preferred)
    command = forward_command(target, service, port, service_port, namespace)
    pid = start_keeper(target, command)
    started = psutil.Process(pid).create_time()
    state.write_record(
        file,
        {"pid": pid, "started": started, "port": port, "cluster": target.label, "command": command},
    )
    if not _await_answer(port, answers, READY_SECONDS):
        end_keeper(file)
        raise FleetError(
            f"service/{service}",
            f"no answer through {LOOPBACK}:{port} within {READY_SECONDS:.0f} s",
            f"See why: {' '.join(target.kubectl_command('-n', namespace or target.namespace, 'get', 'pods'))}",
        )
    return port


def start_keeper(target: Target, command: Sequence[str]) -> int:
    """The process number of a keeper that outlives this command."""
    nothing = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in range(3)]
    return os.posix_spawn(
        sys.executable,
        [sys.executable, "-m", "ops.keeper", *command],
        {**target.environ, "PYTHONPATH": str(ROOT)},
        file_actions=nothing,
    )


def _await_answer(port: int, answers: Callable[[int], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not answers(port):
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def read_keeper(file: Path) -> Keeper | None:
    """The keeper noted in a file."""
    record = state.read_record(file)
    try:
        return Keeper(
            pid=int(record["pid"]),
            started=float(record["started"]),
            port=int(record["port"]),
            cluster=str(record["cluster"]),
            command=tuple(record["command"]),
        )
    except (KeyError, TypeError, ValueError):
        return None


def is_alive(keeper: Keeper) -> bool:
    """Whether the very process that was started still runs."""
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(keeper.pid)
        return process.status() != psutil.STATUS_ZOMBIE and abs(process.create_time() - keeper.started) < 1
    return False


def end_keeper(file: Path) -> None:
    """End the keeper noted in a file, if it still runs, and forget it."""
    keeper = read_keeper(file)
    if keeper is not None:
        if is_alive(keeper):
            _end(psutil.Process(keeper.pid))
        # A keeper that was killed leaves its kubectl behind; its arguments, port included, are nobody else's.
        arguments = keeper.command[1:]
        for process in psutil.process_iter(["cmdline"]):
            if tuple(process.info["cmdline"] or ())[-len(arguments) :] == arguments:
                _end(process)
    file.unlink(missing_ok=True)


def _end(process: psutil.Process) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        process.terminate()
        try:
            process.wait(ENDED_WITHIN_SECONDS)
        except psutil.TimeoutExpired:
            process.kill()


def end_all(folder: Path) -> None:
    """End every forward that a command of ours left open."""
    for file in folder.glob(f"*{FILE_SUFFIX}"):
        end_keeper(file)
