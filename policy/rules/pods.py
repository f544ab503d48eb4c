"""What every pod of a fleet has: a size, and nothing that could touch its node.

Sources: Kubernetes docs, "Resource Management for Pods and Containers" and "Pod Security Admission"; docs/explanation/sizing.md on CPU limits.
"""

from collections.abc import Iterator

from policy.graph import UNKNOWN, Resource, at
from policy.pod_security import restricted_errors
from policy.pods import BROKERS, WORKLOADS, is_upstream, pod_of, sized
from policy.rule import Finding, ResourceRule

NEEDED = ("requests.cpu", "requests.memory", "limits.memory")

PROFILE_LABEL = "celery-fleet/profile"
"""On a worker Deployment: the profile of its queue (`infra.manifests.metadata`)."""

ENFORCE_LABEL = "pod-security.kubernetes.io/enforce"
RESTRICTED = "restricted"


def _unsized(resource: Resource) -> Iterator[Finding]:
    if is_upstream(resource):
        return
    for where, container in sized(resource):
        for name in NEEDED:
            if at(container, f"resources.{name}") is None:
                yield Finding(resource=resource, where=f"{where}.resources.{name}", problem="is not stated")


def _wrong_cpu_limits(resource: Resource) -> Iterator[Finding]:
    if is_upstream(resource):
        return
    computes = resource.labels.get(PROFILE_LABEL) == "cpu"
    for where, container in sized(resource):
        limit = at(container, "resources.limits.cpu")
        if limit not in (None, UNKNOWN) and not computes:
            yield Finding(
                resource=resource,
                where=f"{where}.resources.limits.cpu",
                problem="is stated, but no queue of profile cpu runs here",
            )
        if limit is None and computes:
            yield Finding(
                resource=resource,
                where=f"{where}.resources.limits.cpu",
                problem="is missing, but a queue of profile cpu runs here",
            )


def _unrestricted(resource: Resource) -> Iterator[Finding]:
    if is_upstream(resource):
        return
    if resource.kind == "Namespace":
        if resource.labels.get(ENFORCE_LABEL) != RESTRICTED:
            yield Finding(resource=resource, where=f"metadata.labels[{ENFORCE_LABEL}]", problem=f"is not {RESTRICTED}")
        return
    pod = pod_of(resource.properties, resource.kind)
    for error in restricted_errors(pod) if pod is not None else ():
        yield Finding(resource=resource, where="pod", problem=f"breaks the restricted standard: {error}")


RULES = (
    ResourceRule(
        id="container-resources",
        says="Every container states its CPU request, its memory request and its memory limit.",
        reason="Without requests the scheduler packs nodes until they fail; without a memory limit one leaking pod takes its node along.",
        fix="State resources.requests.cpu, resources.requests.memory and resources.limits.memory; for a queue they come from the plan.",
        types=(*WORKLOADS, *BROKERS),
        check=_unsized,
    ),
    ResourceRule(
        id="cpu-limits",
        says="Only workers of queues with profile cpu have a CPU limit, and they do have one.",
        reason="A throttled event loop or broker misses its heartbeats while the node idles; computing tasks without a limit take all there is.",
        fix="Leave limits.cpu to the plan: it writes one for profile cpu alone, and the label celery-fleet/profile says which profile that is.",
        types=(*WORKLOADS, *BROKERS),
        check=_wrong_cpu_limits,
    ),
    ResourceRule(
        id="restricted-pods",
        says="Every pod meets the restricted Pod Security Standard, and every namespace enforces it.",
        reason="A pod that may become root or reach its node turns a flaw in one task into a flaw of the cluster.",
        fix="Run as a user of its own, drop ALL capabilities, forbid privilege escalation, use seccomp RuntimeDefault and no volume of the node.",
        types=(*WORKLOADS, "kubernetes:core/v1:Namespace"),
        check=_unrestricted,
    ),
)
