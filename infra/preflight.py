"""What a cluster says about itself before the first resource is registered: which one it is, its version, the kinds it serves.

Invariant: it only reads. A cluster that does not answer, or lacks what the stack's configuration calls `existing`, stops the program with the
key to set. Source: Kubernetes API, `/version` and `/apis/<group>/<version>` (discovery).
"""

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from fleet.errors import Finding, FleetError
from fleet.versions import KUBERNETES_MINIMUM
from infra.observability import MONITORING_GROUP, MONITORING_KINDS, Monitoring
from infra.platform import PlatformPart, Provision

REQUEST_SECONDS = 10

SERVED_KINDS = {
    PlatformPart.CERT_MANAGER: ("cert-manager.io/v1", ("Certificate", "ClusterIssuer", "Issuer")),
    PlatformPart.METRICS_SERVER: ("metrics.k8s.io/v1beta1", ("PodMetrics",)),
    PlatformPart.KEDA: ("keda.sh/v1alpha1", ("ScaledObject", "TriggerAuthentication")),
    PlatformPart.CLUSTER_OPERATOR: ("rabbitmq.com/v1beta1", ("RabbitmqCluster",)),
    PlatformPart.TOPOLOGY_OPERATOR: (
        "rabbitmq.com/v1beta1",
        ("Binding", "Exchange", "Permission", "Policy", "Queue", "User", "Vhost"),
    ),
}
"""Part -> API group with version, and the kinds of it that a fleet uses."""


@dataclass(frozen=True, kw_only=True)
class ClusterAccess:
    """How the cluster is reached: as `kubectl` would, with these two in place of its own choice."""

    kubeconfig: str | None = None
    context: str | None = None


@dataclass(frozen=True, kw_only=True)
class ClusterFacts:
    """What the cluster said."""

    identity: str
    """Survives every change of the kubeconfig; two clusters never share it."""
    version: tuple[int, int]
    kinds: Mapping[str, frozenset[str]]
    """API group with version -> kinds served; a group that is not there is missing."""


def _get(access: ClusterAccess, path: str) -> dict[str, object] | None:
    """The answer to a GET, or None where there is no such path."""
    command = ["kubectl", f"--request-timeout={REQUEST_SECONDS}s", "get", "--raw", path]
    if access.context:
        command[1:1] = ["--context", access.context]
    environment = dict(os.environ)
    if access.kubeconfig:
        environment["KUBECONFIG"] = access.kubeconfig
    try:
        # Nobody answers here when kubectl asks for a user name, as it does for a kubeconfig without credentials.
        done = subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        raise FleetError(
            "kubectl", "is not on PATH, and the cluster is read with it", "Install kubectl, or run `make shell` first."
        ) from None
    if done.returncode == 0:
        answer: dict[str, object] = json.loads(done.stdout)
        return answer
    message = done.stderr.strip()
    if "(NotFound)" in message or "could not find the requested resource" in message:
        return None
    raise FleetError(
        f"context {access.context}" if access.context else "the cluster",
        f"does not answer {path}: {message.splitlines()[-1] if message else 'no reason given'}",
        "Start it (`make up`), or name another by celery-fleet:context or KUBECONFIG; see `kubectl get nodes`.",
    )


def _version(answer: Mapping[str, object]) -> tuple[int, int]:
    """Major and minor; managed clusters write `36+`."""
    return int(str(answer["major"])), int(str(answer["minor"]).rstrip("+"))


def read_cluster(access: ClusterAccess, groups: tuple[str, ...]) -> ClusterFacts:
    """Asks the cluster who it is and what it serves of these API groups (each with its version).

    Raises: FleetError when it does not answer.
    """
    paths = ["/version", "/api/v1/namespaces/kube-system", *(f"/apis/{group}" for group in groups)]
    with ThreadPoolExecutor(len(paths)) as pool:
        version, system, *served = pool.map(lambda path: _get(access, path), paths)
    metadata = (system or {}).get("metadata")
    return ClusterFacts(
        identity=str(metadata["uid"]) if isinstance(metadata, dict) else "unknown",
        version=_version(version or {"major": "0", "minor": "0"}),
        kinds={
            group: frozenset(_kinds(answer)) for group, answer in zip(groups, served, strict=True) if answer is not None
        },
    )


def _kinds(answer: Mapping[str, object]) -> list[str]:
    resources = answer.get("resources")
    return [str(resource["kind"]) for resource in resources] if isinstance(resources, list) else []


def needed_groups(parts: Mapping[PlatformPart, Provision], *, broker_tls: bool = False) -> tuple[str, ...]:
    """The API groups that have to be asked for."""
    return tuple(dict.fromkeys(SERVED_KINDS[part][0] for part in _looked_for(parts, broker_tls=broker_tls)))


def _looked_for(parts: Mapping[PlatformPart, Provision], *, broker_tls: bool) -> Iterator[PlatformPart]:
    """What has to be there already."""
    # cert-manager is needed for the topology operator's own manifest and for the broker's certificate; an operator that exists has its own.
    installed = parts[PlatformPart.TOPOLOGY_OPERATOR] is Provision.INSTALL
    for part, provision in parts.items():
        needed = part is not PlatformPart.CERT_MANAGER or installed or broker_tls
        if provision is Provision.EXISTING and needed:
            yield part


def check_cluster(
    facts: ClusterFacts, parts: Mapping[PlatformPart, Provision], *, file: str, broker_tls: bool = False
) -> list[Finding]:
    """What the cluster lacks, with the key to set.

    `file` is the stack's configuration file, where the keys stand; `broker_tls`: the broker needs a certificate.
    """
    found: list[Finding] = []
    if facts.version < KUBERNETES_MINIMUM:
        found.append(
            _finding(
                file,
                "celery-fleet:context",
                f"names a cluster with Kubernetes {_dotted(facts.version)}",
                f"Kubernetes {_dotted(KUBERNETES_MINIMUM)} or later is needed: upgrade it, or name another cluster.",
            )
        )
    for part in _looked_for(parts, broker_tls=broker_tls):
        group, kinds = SERVED_KINDS[part]
        missing = sorted(set(kinds) - facts.kinds.get(group, frozenset()))
        if missing:
            found.append(
                _finding(
                    file,
                    f"celery-fleet:platform.{part.value}",
                    f"is existing, but the cluster serves no {', '.join(missing)} of {group}",
                    f"To have it installed: pulumi config set --path celery-fleet:platform.{part.value} install",
                )
            )
    return found


def monitoring_groups(mode: Monitoring) -> tuple[str, ...]:
    """The API groups that the Prometheus operator has to have brought."""
    return (MONITORING_GROUP,) if mode is Monitoring.OPERATOR else ()


def check_monitoring(facts: ClusterFacts, mode: Monitoring, *, file: str) -> list[Finding]:
    """What the cluster lacks for an operator to read the fleet."""
    if mode is not Monitoring.OPERATOR:
        return []
    missing = sorted(set(MONITORING_KINDS) - facts.kinds.get(MONITORING_GROUP, frozenset()))
    if not missing:
        return []
    return [
        _finding(
            file,
            "celery-fleet:monitoring.mode",
            f"is operator, but the cluster serves no {', '.join(missing)} of {MONITORING_GROUP}",
            "Install the Prometheus operator first (the chart kube-prometheus-stack brings it), or give the files to another Prometheus:"
            " pulumi config set --path celery-fleet:monitoring.mode plain",
        )
    ]


def _dotted(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"


def _finding(file: str, path: str, problem: str, fix: str) -> Finding:
    return Finding(file=file, line=0, column=0, path=path, problem=problem, fix=fix)
