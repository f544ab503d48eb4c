"""What an interrupted run of the engine leaves behind, and how the next one gets past it.

Two things: a lock of a process that is gone, and creations whose outcome the engine does not know. A creation is looked up in the cluster: what is
there is taken into the state, what is not is dropped, so that the next run neither fails on an object that exists nor forgets one.
Source: pulumi v3.259, `pkg/backend/diy/lock.go` (the message and its process number) and `pkg/cmd/pulumi/operations/refresh.go` (pending creates).
"""

import json
import re
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import psutil

from fleet.errors import FleetError
from ops.progress import Progress
from ops.target import Target

LOCK_PATTERN = re.compile(r"created by \S+@(?P<host>\S+) \(pid (?P<pid>\d+)\)")
LOCK_PATIENCE_SECONDS = 1800.0
"""How long a run of another process is waited for: the longest cold deployment and some more."""

LOCK_POLL_SECONDS = 1.0
KUBERNETES_PREFIX = "kubernetes:"


@dataclass(frozen=True, kw_only=True)
class PendingCreate:
    """A creation that was under way when the engine ended."""

    urn: str
    kind: str
    """As kubectl takes it: `deployments.v1.apps` style is not needed, `Kind.version.group` is."""
    namespace: str
    name: str

    @property
    def resource_id(self) -> str:
        """The id that the Kubernetes plugin gives to the object."""
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


def settle_pending(
    target: Target, exported: str, progress: Progress, refresh: Callable[[Sequence[str]], object]
) -> None:
    """Find out what became of each creation under way, and tell the engine."""
    creates, others = pending_creates(json.loads(exported))
    if not creates and not others:
        return
    progress.say(f"an earlier run was interrupted: {len(creates) + others} creations to look up")
    words = [
        word
        for create in creates
        if _exists(target, create)
        for word in ("--import-pending-creates", create.urn, "--import-pending-creates", create.resource_id)
    ]
    refresh([*words, "--clear-pending-creates"])


def pending_creates(exported: dict[str, Any]) -> tuple[list[PendingCreate], int]:
    """The Kubernetes objects whose creation was under way, and how many other resources' was.

    `exported` is what `pulumi stack export` prints.
    """
    creates: list[PendingCreate] = []
    others = 0
    for operation in (exported.get("deployment") or {}).get("pending_operations") or []:
        if operation.get("type") != "creating":
            continue  # An update or deletion that was cut off is simply done again.
        resource = operation.get("resource") or {}
        inputs = resource.get("inputs") or {}
        metadata = inputs.get("metadata") or {}
        known = str(resource.get("type", "")).startswith(KUBERNETES_PREFIX)
        if known and isinstance(metadata.get("name"), str) and isinstance(inputs.get("kind"), str):
            creates.append(
                PendingCreate(
                    urn=resource["urn"],
                    kind=qualified_kind(inputs["kind"], str(inputs.get("apiVersion", "v1"))),
                    namespace=str(metadata.get("namespace") or ""),
                    name=metadata["name"],
                )
            )
        else:
            others += 1
    return creates, others


def qualified_kind(kind: str, api_version: str) -> str:
    """`Deployment.v1.apps`: the one spelling that kubectl cannot mistake for another group's kind."""
    group, _, version = api_version.rpartition("/")
    return f"{kind}.{version}.{group}" if group else kind


def _exists(target: Target, create: PendingCreate) -> bool:
    where = ("--namespace", create.namespace) if create.namespace else ()
    return bool(target.kubectl("get", create.kind, create.name, *where, "--ignore-not-found", "-o", "name").strip())


def take_away_lock(said: str, progress: Progress, cancel: Callable[[], object]) -> bool:
    """Whether the stack was locked and another attempt is worth it: a dead process's lock is taken away, a living one waited for.

    Raises: FleetError when the lock is another machine's, or the run does not end.
    """
    if "currently locked by" not in said:
        return False
    for found in LOCK_PATTERN.finditer(said):
        host, pid = found["host"], int(found["pid"])
        if host != socket.gethostname():
            raise FleetError(
                "pulumi",
                f"the stack is locked by process {pid} on {host}",
                "Wait for it, or run there: pulumi cancel -s local",
            )
        if is_pulumi(pid):
            _wait_for(pid, progress)
            return True
    progress.say("an earlier run of pulumi left its lock behind; taking it away")
    cancel()
    return True


def is_pulumi(pid: int) -> bool:
    """Whether that process is a run of the engine; a number that went to another program is not."""
    try:
        process = psutil.Process(pid)
        return process.status() != psutil.STATUS_ZOMBIE and "pulumi" in process.name()
    except psutil.NoSuchProcess:
        return False


def _wait_for(pid: int, progress: Progress) -> None:
    deadline = time.monotonic() + LOCK_PATIENCE_SECONDS
    with progress.step(f"wait for another run of pulumi (process {pid})"):
        while is_pulumi(pid):
            if time.monotonic() > deadline:
                raise FleetError("pulumi", f"process {pid} still holds the stack", f"See what it does: ps -fp {pid}")
            time.sleep(LOCK_POLL_SECONDS)
