"""What an interrupted run of the engine leaves behind, and how the next one gets past it.

Two things: a lock of a process that is gone, and creations whose outcome the engine does not know. A creation is looked up in the cluster: what is
there is taken into the state, what is not is dropped, so that the next run neither fails on an object that exists nor forgets one.
Source: pulumi v3.259, `pkg/backend/diy/lock.go` (the message and its process number). The CLI has `refresh --import-pending-creates` for this; tried
with 3.259, it drops the creation and imports nothing.
"""

import json
import re
import socket
import time
from collections.abc import Callable, Mapping
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
FIELD_MANAGER = "pulumi-kubernetes"
SECRET_FIELDS = frozenset({"data", "stringData"})


@dataclass(frozen=True, kw_only=True)
class PendingCreate:
    """A creation that was under way when the engine ended."""

    urn: str
    kind: str
    """`Kind.version.group`, as kubectl takes it."""
    namespace: str
    name: str

    @property
    def resource_id(self) -> str:
        """The id that the Kubernetes plugin gives to the object."""
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


def settle_pending(target: Target, exported: str, progress: Progress, restore: Callable[[str], object]) -> None:
    """Find out what became of each creation under way, and put the answer into the stack's state.

    `exported` is what `pulumi stack export` prints; `restore` takes the edited text, as `pulumi stack import` does.
    """
    document = json.loads(exported)
    if not (document.get("deployment") or {}).get("pending_operations"):
        return
    creates = pending_creates(document)
    names = ", ".join(create.name for create in creates) or "nothing of Kubernetes"
    progress.say(f"an earlier run was interrupted while it created {names}; looking up what became of it")
    found = {create: live for create in creates if (live := _live_object(target, create))}
    restore(json.dumps(adopt(document, found)))


def adopt(document: dict[str, Any], found: Mapping[PendingCreate, dict[str, Any]]) -> dict[str, Any]:
    """The stack's state with these creations finished and none pending.

    An adopted resource carries an initialisation error, which makes the engine update it and wait for it as for any that was cut off.
    """
    deployment = document["deployment"]
    pending = {operation["resource"]["urn"]: operation["resource"] for operation in deployment["pending_operations"]}
    adopted = [
        {
            **pending[create.urn],
            "id": create.resource_id,
            "outputs": adopted_outputs(pending[create.urn]["inputs"], live),
            "initErrors": ["its creation was interrupted"],
        }
        for create, live in found.items()
    ]
    whole = [*(deployment.get("resources") or []), *adopted]
    return {**document, "deployment": {**deployment, "resources": whole, "pending_operations": []}}


def adopted_outputs(inputs: dict[str, Any], live: dict[str, Any]) -> dict[str, Any]:
    """What the Kubernetes plugin would have kept of an object it created; without the contents of a Secret, which only the inputs hold encrypted.

    Source: pulumi-kubernetes v4, `provider/pkg/provider/provider.go`, `checkpointObject`.
    """
    managers = [str(entry.get("manager", "")) for entry in live.get("metadata", {}).get("managedFields") or []]
    shown = {key: value for key, value in live.items() if live.get("kind") != "Secret" or key not in SECRET_FIELDS}
    return {
        **shown,
        "__inputs": inputs,
        "__initialApiVersion": inputs.get("apiVersion", "v1"),
        "__fieldManager": next((name for name in managers if name.startswith(FIELD_MANAGER)), FIELD_MANAGER),
    }


def pending_creates(document: dict[str, Any]) -> list[PendingCreate]:
    """The Kubernetes objects whose creation was under way.

    Any other resource's creation (an image) is done again, as is an update or a deletion that was cut off.
    """
    creates: list[PendingCreate] = []
    for operation in document["deployment"]["pending_operations"]:
        resource = operation.get("resource") or {}
        inputs = resource.get("inputs") or {}
        metadata = inputs.get("metadata") or {}
        known = str(resource.get("type", "")).startswith(KUBERNETES_PREFIX) and operation.get("type") == "creating"
        if known and isinstance(metadata.get("name"), str) and isinstance(inputs.get("kind"), str):
            creates.append(
                PendingCreate(
                    urn=resource["urn"],
                    kind=qualified_kind(inputs["kind"], str(inputs.get("apiVersion", "v1"))),
                    namespace=str(metadata.get("namespace") or ""),
                    name=metadata["name"],
                )
            )
    return creates


def qualified_kind(kind: str, api_version: str) -> str:
    """`Deployment.v1.apps`: the one spelling that kubectl cannot mistake for another group's kind."""
    group, _, version = api_version.rpartition("/")
    return f"{kind}.{version}.{group}" if group else kind


def _live_object(target: Target, create: PendingCreate) -> dict[str, Any]:
    where = ("--namespace", create.namespace) if create.namespace else ()
    words = ("--ignore-not-found", "--show-managed-fields", "-o", "json")
    text = target.kubectl("get", create.kind, create.name, *where, *words)
    live: dict[str, Any] = json.loads(text) if text.strip() else {}
    return live


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
