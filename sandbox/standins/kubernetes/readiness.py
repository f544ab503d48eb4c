"""When an object counts as ready: the vocabulary, the conditions a program names, and the plain kinds.

The invariant: an answer is computed from what the cluster says now, for the generation that was submitted; a status
that a controller wrote about an older generation never counts.

Source: pulumi-kubernetes v4.32 `provider/pkg/await/awaiters.go` (which kinds wait, volumes, quotas, token Secrets),
`job.go`, `pod.go`, `ingress.go`, `checker/job/check.go`, `checker/pod/check.go`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

from sandbox.standins.kubernetes.naming import Kind, metadata_of, name_of, namespace_of
from sandbox.standins.kubernetes.values import Manifest
from sandbox.standins.property_values import Value

STORAGE_CLASS: Final = Kind("storage.k8s.io", "v1", "StorageClass")


class Reader(Protocol):
    """What an answer may be computed from."""

    async def get(self, kind: Kind, namespace: str, name: str) -> Manifest:
        """The live object."""

    async def list(self, kind: Kind, namespace: str, *, labels: dict[str, str] | None = None) -> list[Manifest]:
        """The live objects of a namespace whose labels match."""


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether an object is ready, and what there is to say about it."""

    ready: bool
    status: str = ""
    """What is being waited for, for the display."""

    problems: tuple[str, ...] = ()
    """What to tell the user if the wait ends here."""

    hopeless: bool = False
    """Waiting longer cannot help."""


READY: Final = Readiness(ready=True)


def at(manifest: Value, *path: str) -> Value:
    """The value at a path of keys, nothing when any of them is missing."""
    for key in path:
        manifest = manifest.get(key) if isinstance(manifest, dict) else None
    return manifest


def number_at(manifest: Manifest, *path: str) -> int:
    """The number at a path; the API leaves zeros out."""
    found = at(manifest, *path)
    return found if isinstance(found, int) else 0


def condition_of(manifest: Manifest, kind: str) -> Manifest:
    """The condition of that type in the object's status, empty when it has none."""
    return next((entry for entry in at(manifest, "status", "conditions") or [] if entry.get("type") == kind), {})


def is_observed(manifest: Manifest) -> bool:
    """Whether the controller's status speaks about the object's current generation."""
    return number_at(manifest, "status", "observedGeneration") >= number_at(manifest, "metadata", "generation")


def owned_by(manifest: Manifest, owner: Manifest) -> bool:
    """Whether `owner` itself is among the object's owners."""
    uid = metadata_of(owner).get("uid")
    return any(entry.get("uid") == uid for entry in metadata_of(manifest).get("ownerReferences") or [])


def pod_problems(pods: list[Manifest]) -> tuple[str, ...]:
    """What keeps pods from being ready, one sentence a pod."""
    return tuple(text for pod in pods if (text := _pod_problem(pod)))


def _pod_problem(pod: Manifest) -> str:
    if at(pod, "status", "phase") == "Succeeded":
        return ""
    for kind in ("PodScheduled", "Initialized", "Ready"):
        condition = condition_of(pod, kind)
        if condition.get("status") != "False":
            continue
        containers = [
            *(at(pod, "status", "initContainerStatuses") or ()),
            *(at(pod, "status", "containerStatuses") or ()),
        ]
        said = [str(condition["message"])] if condition.get("reason") and condition.get("message") else []
        said += [text for status in containers if not status.get("ready") for text in _container_problems(status)]
        return f"[Pod {namespace_of(pod)}/{name_of(pod)}]: {'; '.join(said)}" if said else ""
    return ""


def _container_problems(status: Manifest) -> list[str]:
    said: list[str] = []
    waiting = at(status, "state", "waiting") or {}
    if waiting and waiting.get("reason") not in ("ContainerCreating", "PodInitializing"):
        said.append(f"[{waiting.get('reason')}] {waiting.get('message', '')}".rstrip())
    for state in (at(status, "state", "terminated") or {}, at(status, "lastState", "terminated") or {}):
        if state.get("reason") and state.get("exitCode") != 0:
            message = f": {state['message']}" if state.get("message") else ""
            said.append(
                f"container {status.get('name')!r} ended with {state['reason']}, exit code {state.get('exitCode')}{message}"
            )
    return said


async def pod_readiness(_reader: Reader, pod: Manifest) -> Readiness:
    """Scheduled, initialized and ready, or run to its successful end."""
    if at(pod, "status", "phase") == "Succeeded":
        return READY
    for kind, wanted in (("PodScheduled", "scheduled"), ("Initialized", "initialized"), ("Ready", "ready")):
        if condition_of(pod, kind).get("status") != "True":
            return Readiness(False, f"Waiting for Pod {name_of(pod)!r} to be {wanted}", pod_problems([pod]))
    return READY


async def job_readiness(reader: Reader, job: Manifest) -> Readiness:
    """Started and complete; a Job that ran out of retries or time is hopeless."""
    failed = condition_of(job, "Failed")
    pods: list[Manifest] = []
    if at(job, "status", "startTime") and condition_of(job, "Complete").get("status") == "True":
        return READY
    if number_at(job, "status", "failed") or failed:
        labels = at(job, "spec", "selector", "matchLabels") or {}
        pods = await reader.list(Kind("", "v1", "Pod"), namespace_of(job), labels=labels)
    if failed.get("status") == "True" and failed.get("reason") in ("BackoffLimitExceeded", "DeadlineExceeded"):
        said = f"[{failed['reason']}] {failed.get('message', '')}"
        return Readiness(False, said, (said, *pod_problems(pods)), hopeless=True)
    counts = ", ".join(f"{word}: {number_at(job, 'status', word)}" for word in ("active", "succeeded", "failed"))
    return Readiness(False, f"Waiting for Job {name_of(job)!r} to succeed ({counts})", pod_problems(pods))


async def claim_readiness(reader: Reader, claim: Manifest) -> Readiness:
    """Bound; or still pending where the storage class binds only when a pod comes."""
    phase = at(claim, "status", "phase")
    if phase == "Bound":
        return READY
    name = at(claim, "spec", "storageClassName")
    if phase == "Pending" and name:
        storage = await reader.get(STORAGE_CLASS, "", name)
        if storage.get("volumeBindingMode") == "WaitForFirstConsumer":
            return READY
    said = f"PersistentVolumeClaim {name_of(claim)!r} is {phase or 'not seen yet'}, not Bound"
    return Readiness(False, said, (said,))


async def volume_readiness(_reader: Reader, volume: Manifest) -> Readiness:
    """Available or bound."""
    phase = at(volume, "status", "phase")
    said = f"PersistentVolume {name_of(volume)!r} is {phase or 'not seen yet'}"
    return READY if phase in ("Available", "Bound") else Readiness(False, said, (said,))


async def quota_readiness(_reader: Reader, quota: Manifest) -> Readiness:
    """Its controller has taken note of the limits."""
    noted = at(quota, "spec", "hard") == at(quota, "status", "hard")
    return READY if noted else Readiness(False, "Waiting for the quota to take effect")


async def secret_readiness(_reader: Reader, secret: Manifest) -> Readiness:
    """At once, unless a controller is to fill in a service account's token."""
    waiting = secret.get("type") == "kubernetes.io/service-account-token" and not secret.get("data")
    return Readiness(False, "Waiting for the token") if waiting else READY


async def ingress_readiness(_reader: Reader, ingress: Manifest) -> Readiness:
    """An address was assigned."""
    said = "Ingress was not allocated an address; is an ingress controller running?"
    return READY if at(ingress, "status", "loadBalancer", "ingress") else Readiness(False, said, (said,))
