"""The executable `kubectl` of an imagined cluster: it answers what a program asks before its first resource, and nothing else.

The invariant: it lies only where every cluster is imagined, so no answer of it is ever taken for a real cluster's; what
it says is what the sandbox's own node would say: its version, and the kinds of KEDA, metrics-server, cert-manager and
the RabbitMQ operators.

Source: Kubernetes API, `/version`, `/apis/<group>/<version>` (APIResourceList), `kubectl get --raw`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any, Final

from sandbox import programs

IDENTITY: Final = "00000000-0000-4000-8000-000000000000"
"""Of the namespace kube-system, by which a cluster is told from others: there is one imagined cluster."""

KINDS: Final[dict[str, tuple[str, ...]]] = {
    "cert-manager.io/v1": ("Certificate", "CertificateRequest", "ClusterIssuer", "Issuer"),
    "keda.sh/v1alpha1": ("ClusterTriggerAuthentication", "ScaledJob", "ScaledObject", "TriggerAuthentication"),
    "metrics.k8s.io/v1beta1": ("NodeMetrics", "PodMetrics"),
    "rabbitmq.com/v1beta1": (
        "Binding", "Exchange", "OperatorPolicy", "Permission", "Policy", "Queue", "RabbitmqCluster", "TopicPermission",
        "User", "Vhost",
    ),
}  # fmt: skip


def answer(path: str) -> dict[str, Any] | None:
    """What a GET of the path gives; nothing where there is no such path."""
    if path == "/version":
        major, minor, *_ = programs.KUBERNETES.version.removeprefix("v").split(".")
        return {"major": major, "minor": minor, "gitVersion": programs.KUBERNETES.version}
    if path == "/api/v1/namespaces/kube-system":
        return {"kind": "Namespace", "metadata": {"name": "kube-system", "uid": IDENTITY}}
    group = path.removeprefix("/apis/")
    if group not in KINDS:
        return None
    resources = [{"kind": kind, "name": f"{kind.lower()}s"} for kind in KINDS[group]]
    return {"kind": "APIResourceList", "groupVersion": group, "resources": resources}


def run(arguments: Sequence[str]) -> int:
    """One command; its exit code, with the words of the real one where nothing is found."""
    words = [word for word in arguments if not word.startswith("--request-timeout")]
    if words[:1] == ["--context"]:
        words = words[2:]
    if words[:2] != ["get", "--raw"] or len(words) != 3:
        sys.stderr.write("this is the kubectl of an imagined cluster: it knows `kubectl get --raw PATH` alone\n")
        return 1
    found = answer(words[2])
    if found is None:
        sys.stderr.write("Error from server (NotFound): the server could not find the requested resource\n")
        return 1
    sys.stdout.write(json.dumps(found) + "\n")
    return 0


def main() -> None:
    """The executable."""
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
