"""Whether the fleet is ready, judged from what Kubernetes says about its objects.

Ready means: every Deployment serves what it was told to (a queue's may have been told zero), every StatefulSet is whole, and every autoscaler
has found its metric. The judgement is pure; reading is one `kubectl get`.
"""

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

from fleet.errors import FleetError
from ops.progress import Progress
from ops.target import Target

KINDS = "deployments.apps,statefulsets.apps,horizontalpodautoscalers.autoscaling,scaledobjects.keda.sh"
READY_SECONDS = 300.0
POLL_SECONDS = 1.5

Object = Mapping[str, Any]


def read_objects(target: Target) -> list[Object]:
    """The fleet's workloads and their autoscalers."""
    document = json.loads(target.kubectl("get", KINDS, "--namespace", target.namespace, "-o", "json"))
    items: list[Object] = document.get("items", [])
    return items


def condition(item: Object, kind: str) -> str:
    """Status of one of an object's conditions: True, False, Unknown, or empty where it is absent."""
    for entry in item.get("status", {}).get("conditions") or []:
        if entry.get("type") == kind:
            return str(entry.get("status", ""))
    return ""


def missing(items: Sequence[Object]) -> list[str]:
    """What is not ready, each in a few words; empty when the fleet is."""
    found = [words for item in items if (words := _missing(item))]
    if not any(item["kind"] == "Deployment" for item in items):
        found.append("no Deployment is there")
    return found


def _missing(item: Object) -> str:
    name, kind = item["metadata"]["name"], item["kind"]
    spec, status = item.get("spec", {}), item.get("status", {})
    if kind == "Deployment":
        wanted = spec.get("replicas", 1)
        current = status.get("observedGeneration", 0) >= item["metadata"].get("generation", 0)
        if not current or (wanted and condition(item, "Available") != "True"):
            return f"{name} {status.get('availableReplicas', 0)}/{wanted}"
    if kind == "StatefulSet" and status.get("readyReplicas", 0) < spec.get("replicas", 1):
        return f"{name} {status.get('readyReplicas', 0)}/{spec.get('replicas', 1)}"
    if kind == "ScaledObject" and condition(item, "Ready") != "True":
        return f"autoscaler {name}"
    return ""


def await_ready(target: Target, progress: Progress, *, timeout_seconds: float = READY_SECONDS) -> None:
    """Wait until the fleet is ready.

    Raises: FleetError that names what is missing after `timeout_seconds`, with the pods' own reasons.
    """
    deadline = time.monotonic() + timeout_seconds
    with progress.step("wait until the fleet is ready") as step:
        while lacking := missing(read_objects(target)):
            step.note(", ".join(lacking))
            if time.monotonic() > deadline:
                reasons = pod_reasons(target)
                raise FleetError(
                    f"namespace {target.namespace}",
                    f"not ready after {timeout_seconds:.0f} s: {', '.join(lacking)}",
                    "\n  ".join(reasons) or "No pod says why; see: kubectl get events -A --sort-by=.lastTimestamp",
                )
            time.sleep(POLL_SECONDS)


def pod_reasons(target: Target) -> list[str]:
    """Why pods are not ready, in Kubernetes' own words."""
    document = json.loads(target.kubectl("get", "pods", "--namespace", target.namespace, "-o", "json"))
    reasons = []
    for pod in document.get("items", []):
        status = pod.get("status", {})
        states = [
            state
            for entry in [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]
            for state in (entry.get("state", {}).get("waiting"), entry.get("lastState", {}).get("terminated"))
            if state and state.get("reason") not in {"ContainerCreating", "PodInitializing", "Completed"}
        ]
        unscheduled = [entry for entry in status.get("conditions") or [] if entry.get("reason") == "Unschedulable"]
        reasons += [
            f"pod {pod['metadata']['name']}: {entry.get('reason')} {entry.get('message', '')}".rstrip()
            for entry in [*states, *unscheduled]
        ]
    return sorted(set(reasons))
