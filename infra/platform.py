"""What a cluster needs before it can carry a fleet: installed here at pinned versions, or there already.

Invariant: nothing that exists is touched, and nothing is installed that was not asked for. Order: cert-manager before the topology operator, whose
webhooks need a certificate; the cluster operator before the topology operator, which watches its kind.
Source: the releases named in `fleet.versions`; pulumi-kubernetes 4.34 (`helm.v3.Release` for charts, `yaml.v2.ConfigFile` for release manifests).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import pulumi

from fleet import versions


class PlatformPart(StrEnum):
    """One thing that a cluster needs; the value is its key in the stack's configuration."""

    CERT_MANAGER = "certManager"
    METRICS_SERVER = "metricsServer"
    KEDA = "keda"
    CLUSTER_OPERATOR = "rabbitmqClusterOperator"
    TOPOLOGY_OPERATOR = "rabbitmqTopologyOperator"


class Provision(StrEnum):
    """Where a part comes from."""

    INSTALL = "install"
    EXISTING = "existing"


@dataclass(frozen=True, kw_only=True)
class _Chart:
    name: str
    repository: str
    version: str
    namespace: str
    values: Mapping[str, object]


CHARTS = {
    PlatformPart.CERT_MANAGER: _Chart(
        name="cert-manager",
        repository="https://charts.jetstack.io",
        version=f"v{versions.CERT_MANAGER}",
        namespace="cert-manager",
        values={"crds": {"enabled": True}},
    ),
    PlatformPart.METRICS_SERVER: _Chart(
        name="metrics-server",
        repository="https://kubernetes-sigs.github.io/metrics-server/",
        version=versions.METRICS_SERVER_CHART,
        namespace="kube-system",
        values={},
    ),
    PlatformPart.KEDA: _Chart(
        name="keda",
        repository="https://kedacore.github.io/charts",
        version=versions.KEDA,
        namespace="keda",
        values={},
    ),
}

_RELEASES = "https://github.com/rabbitmq"
RELEASE_MANIFESTS = {
    PlatformPart.CLUSTER_OPERATOR: (
        f"{_RELEASES}/cluster-operator/releases/download/v{versions.RABBITMQ_CLUSTER_OPERATOR}/cluster-operator.yml"
    ),
    PlatformPart.TOPOLOGY_OPERATOR: (
        f"{_RELEASES}/messaging-topology-operator/releases/download/v{versions.RABBITMQ_TOPOLOGY_OPERATOR}"
        "/messaging-topology-operator-with-certmanager.yaml"
    ),
}

NEEDS = {PlatformPart.TOPOLOGY_OPERATOR: (PlatformPart.CERT_MANAGER, PlatformPart.CLUSTER_OPERATOR)}
"""Part -> parts that have to be there before it."""


@dataclass(frozen=True, kw_only=True)
class PlatformArgs:
    """Where each part comes from."""

    parts: Mapping[PlatformPart, Provision]
    """Plain, because it decides which resources exist."""


class Platform(pulumi.ComponentResource):
    """The parts that this stack installs."""

    installed: list[str]

    def __init__(self, name: str, args: PlatformArgs, *, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("celery-fleet:platform:Platform", name, None, opts)
        made: dict[PlatformPart, pulumi.Resource] = {}
        for part in PlatformPart:
            if args.parts[part] is Provision.INSTALL:
                needed = [made[other] for other in NEEDS.get(part, ()) if other in made]
                child = pulumi.ResourceOptions(parent=self, depends_on=needed)
                made[part] = _install(f"{name}-{part.value}", part, child)
        self.installed = [part.value for part in made]
        self.register_outputs({"installed": self.installed})


def _install(name: str, part: PlatformPart, opts: pulumi.ResourceOptions) -> pulumi.Resource:
    # Imported where something is installed: most runs install nothing, and these modules are large.
    import pulumi_kubernetes as k8s  # noqa: PLC0415

    if part in RELEASE_MANIFESTS:
        return k8s.yaml.v2.ConfigFile(name, file=RELEASE_MANIFESTS[part], opts=opts)
    chart = CHARTS[part]
    return k8s.helm.v3.Release(
        name,
        name=chart.name,
        chart=chart.name,
        version=chart.version,
        namespace=chart.namespace,
        create_namespace=True,
        repository_opts=k8s.helm.v3.RepositoryOptsArgs(repo=chart.repository),
        values=dict(chart.values),
        atomic=True,
        opts=opts,
    )
