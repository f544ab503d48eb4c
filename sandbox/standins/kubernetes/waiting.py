"""Waiting until an object is ready, or gone, within the time the program allows.

The invariant: a wait that ends without success says what was missing and leaves the object as it is, so that the next
run can continue. The API server is asked gently: more and more seldom, at most every two seconds an object.

Source: pulumi-kubernetes v4.32 `provider/pkg/await/await.go` (Creation, Update, Read, Deletion), `awaiters.go` and
`provider/pkg/metadata/overrides.go` (TimeoutDuration, ReadyCondition, DeletedCondition).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from sandbox.standins.kubernetes import readiness, rollouts
from sandbox.standins.kubernetes.client import ApiError, KubernetesClient
from sandbox.standins.kubernetes.naming import Kind, annotation, kind_of, metadata_of, name_of, namespace_of
from sandbox.standins.kubernetes.readiness import READY, Reader, Readiness
from sandbox.standins.kubernetes.values import Manifest
from sandbox.standins.kubernetes.wait_for import ANNOTATION as WAIT_FOR
from sandbox.standins.kubernetes.wait_for import parse_wait_for
from sandbox.standins.plugin_server import Log, PluginError

DEFAULT_TIMEOUT_SECONDS: Final = 600.0
FIRST_PAUSE_SECONDS: Final = 0.2
LONGEST_PAUSE_SECONDS: Final = 2.0
PAUSE_GROWTH: Final = 1.5

SKIP_AWAIT: Final = "pulumi.com/skipAwait"
TIMEOUT_SECONDS: Final = "pulumi.com/timeoutSeconds"
DELETION_PROPAGATION: Final = "pulumi.com/deletionPropagationPolicy"

Check: TypeAlias = Callable[[Reader, Manifest], Awaitable[Readiness]]

_BUILT_IN_WAITS: Final[dict[Kind, Check]] = {
    Kind("apps", "v1", "Deployment"): rollouts.deployment_readiness,
    Kind("apps", "v1", "StatefulSet"): rollouts.statefulset_readiness,
    Kind("apps", "v1", "DaemonSet"): rollouts.daemonset_readiness,
    Kind("batch", "v1", "Job"): readiness.job_readiness,
    Kind("networking.k8s.io", "v1", "Ingress"): readiness.ingress_readiness,
    Kind("", "v1", "Pod"): readiness.pod_readiness,
    Kind("", "v1", "PersistentVolume"): readiness.volume_readiness,
    Kind("", "v1", "PersistentVolumeClaim"): readiness.claim_readiness,
    Kind("", "v1", "ResourceQuota"): readiness.quota_readiness,
    Kind("", "v1", "Secret"): readiness.secret_readiness,
}

_SERVICE: Final = Kind("", "v1", "Service")

_CHECKED_ON_READ: Final = frozenset({"Deployment", "StatefulSet", "DaemonSet", "Job", "Ingress", "Pod", "Service"})
"""The kinds whose readiness a refresh looks at, too."""

_SKIPPABLE_DELETES: Final = frozenset({"Namespace", "Pod", "DaemonSet", "Deployment", "StatefulSet", "Job"})
"""The kinds for which `skipAwait` also skips the wait for their end."""


class NotReadyError(PluginError):
    """The object exists but the wait for it ended without success."""

    def __init__(self, message: str, live: Manifest, reasons: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.live = live
        self.reasons = reasons


@dataclass(slots=True)
class Waiting:
    """Waits on one cluster; all of them end when the engine cancels the run."""

    client: KubernetesClient
    log: Log
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)
    clock: Callable[[], float] = time.monotonic

    async def until_ready(self, urn: str, inputs: Manifest, live: Manifest, timeout_seconds: float) -> Manifest:
        """The object once it is ready.

        Raises: NotReadyError when it did not become ready in time, cannot become ready any more, or was cancelled.
        """
        check = self._check_for(inputs, live)
        if check is None:
            return live
        deadline = self.clock() + allowed_seconds(inputs, timeout_seconds)
        pause = FIRST_PAUSE_SECONDS
        while True:
            live = await self.client.get(kind_of(live), namespace_of(live), name_of(live))
            found = await check(self.client, live)
            if found.ready:
                await self.log.status(urn, "")
                return live
            await self.log.status(urn, found.status)
            if found.hopeless:
                raise NotReadyError(
                    f"Resource '{name_of(live)}' was created but failed to initialize", live, found.problems
                )
            if self.clock() >= deadline:
                raise NotReadyError(f"'{name_of(live)}' timed out waiting to be Ready", live, found.problems)
            if await self._pause(min(pause, max(deadline - self.clock(), 0))):
                raise NotReadyError(f"Resource operation was cancelled for '{name_of(live)}'", live, found.problems)
            pause = min(pause * PAUSE_GROWTH, LONGEST_PAUSE_SECONDS)

    def _check_for(self, inputs: Manifest, live: Manifest) -> Check | None:
        """What decides over readiness: the program's own conditions before the kind's."""
        if annotation(inputs, SKIP_AWAIT) == "true":
            return None
        expression = annotation(inputs, WAIT_FOR)
        if expression:
            conditions = parse_wait_for(expression)

            async def are_met(_reader: Reader, found: Manifest) -> Readiness:
                missing = [condition.text for condition in conditions if not condition.is_met(found)]
                said = f"Waiting for {', '.join(missing)}"
                return Readiness(False, said, (said, *_stated_problems(found))) if missing else READY

            return are_met
        if kind_of(live) == _SERVICE:
            return rollouts.ServiceReadiness(self.clock)
        return _BUILT_IN_WAITS.get(kind_of(live))

    async def check_once(self, inputs: Manifest, live: Manifest) -> None:
        """What a refresh looks at.

        Raises: NotReadyError when the object is of a kind with a readiness of its own, and is not ready now.
        """
        kind = kind_of(live)
        if annotation(inputs, SKIP_AWAIT) == "true" or kind.kind not in _CHECKED_ON_READ:
            return
        check = (
            rollouts.ServiceReadiness(self.clock, settle_seconds=0) if kind == _SERVICE else _BUILT_IN_WAITS.get(kind)
        )
        if check is None:
            return
        found = await check(self.client, live)
        if not found.ready:
            message = f"Resource '{name_of(live)}' was created but failed to initialize"
            raise NotReadyError(message, live, found.problems)

    async def until_gone(self, urn: str, inputs: Manifest, live: Manifest, timeout_seconds: float) -> None:
        """Delete the object and wait until nothing of it is left; an object that is not there is gone.

        Raises: NotReadyError when it is still there after the time allowed.
        """
        kind, namespace, name = kind_of(live), namespace_of(live), name_of(live)
        try:
            await self.client.delete(kind, namespace, name, propagation=deletion_propagation(inputs))
            if annotation(inputs, SKIP_AWAIT) == "true" and kind.kind in _SKIPPABLE_DELETES:
                return
            deadline = self.clock() + allowed_seconds(inputs, timeout_seconds)
            uid, pause = metadata_of(live).get("uid"), FIRST_PAUSE_SECONDS
            while True:
                found = await self.client.get(kind, namespace, name)
                if uid and metadata_of(found).get("uid") != uid:
                    return  # Somebody made a new object of the same name: ours is gone.
                if self.clock() >= deadline or self.cancelled.is_set():
                    finalizers = ", ".join(metadata_of(found).get("finalizers") or []) or "none"
                    raise NotReadyError(
                        f"'{name}' was not gone in time; finalizers might be preventing deletion ({finalizers})", found
                    )
                await self.log.status(urn, "Waiting for the object to be gone")
                await self._pause(pause)
                pause = min(pause * PAUSE_GROWTH, LONGEST_PAUSE_SECONDS)
        except ApiError as error:
            if error.code != 404:
                raise
            await self.log.status(urn, "")

    async def _pause(self, seconds: float) -> bool:
        """Whether the run was cancelled within `seconds`."""
        try:
            await asyncio.wait_for(self.cancelled.wait(), seconds)
        except TimeoutError:
            return False
        return True


def _stated_problems(live: Manifest) -> list[str]:
    """What the object's own conditions say is wrong."""
    return [
        f"[{condition.get('type')}={condition.get('status')}] {condition.get('message')}"
        for condition in readiness.at(live, "status", "conditions") or []
        if condition.get("status") != "True" and condition.get("message")
    ]


def allowed_seconds(inputs: Manifest, timeout_seconds: float) -> float:
    """How long a wait may take: the resource's custom timeout, else its annotation, else ten minutes."""
    if timeout_seconds:
        return timeout_seconds
    annotated = annotation(inputs, TIMEOUT_SECONDS)
    return float(annotated) if annotated.isdigit() else DEFAULT_TIMEOUT_SECONDS


def deletion_propagation(inputs: Manifest) -> str:
    """What happens to what the object owns: gone before it unless the object's annotation says otherwise."""
    return {"orphan": "Orphan", "background": "Background"}.get(
        annotation(inputs, DELETION_PROPAGATION).lower(), "Foreground"
    )
