"""What a cluster needs before it can carry a fleet: installed here at pinned versions, or there already.

Invariant: nothing that exists is touched, and nothing is installed that was not asked for. Order: cert-manager before the topology operator, whose
webhooks need a certificate; the cluster operator before the topology operator, which watches its kind; the authority of the brokers' certificates
before it, too, because it reads whom it believes when it starts.
Source: the releases named in `fleet.versions`; pulumi-kubernetes 4.34 (`helm.v3.Release` for charts, `yaml.v2.ConfigFile` for release manifests).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import pulumi

from fleet import versions
from infra.authority import BrokerAuthority, BrokerAuthorityArgs, believing
from infra.charts import Chart, release
from infra.manifests.metadata import Manifest
from infra.placement import ANYWHERE, Placement


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


CHARTS = {
    PlatformPart.CERT_MANAGER: Chart(
        name="cert-manager",
        repository="https://charts.jetstack.io",
        version=f"v{versions.CERT_MANAGER}",
        namespace="cert-manager",
    ),
    PlatformPart.METRICS_SERVER: Chart(
        name="metrics-server",
        repository="https://kubernetes-sigs.github.io/metrics-server/",
        version=versions.METRICS_SERVER_CHART,
        namespace="kube-system",
    ),
    PlatformPart.KEDA: Chart(
        name="keda",
        repository="https://kedacore.github.io/charts",
        version=versions.KEDA,
        namespace="keda",
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
    placement: Placement = ANYWHERE
    """Where the pods of what is installed run."""
    authority: BrokerAuthorityArgs | None = None
    """Behind the brokers' certificates, where the topology operator is installed and brokers speak TLS."""
    cluster_is_known: bool = True
    """False in a preview of a cluster that this stack has not made yet: what comes from a release's manifest is left out of it, because the
    engine cannot ask a plugin to build a component while the plugin's configuration is unknown (pulumi v3.259, `provider_plugin.go`, Construct)."""


class Platform(pulumi.ComponentResource):
    """The parts that this stack installs."""

    installed: list[str]

    def __init__(self, name: str, args: PlatformArgs, *, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("celery-fleet:platform:Platform", name, None, opts)
        made: dict[PlatformPart, pulumi.Resource] = {}
        for part in PlatformPart:
            if args.parts[part] is not Provision.INSTALL:
                continue
            needed = [made[other] for other in NEEDS.get(part, ()) if other in made]
            transforms = [place_deployments(args.placement)] if args.placement.scheduling() else []
            if part is PlatformPart.TOPOLOGY_OPERATOR and args.authority is not None:
                # In the operators' namespace, and by cert-manager.
                behind = pulumi.ResourceOptions(parent=self, depends_on=list(needed))
                needed.append(BrokerAuthority(f"{name}-authority", args.authority, opts=behind))
                transforms.append(believing)
            if part in CHARTS or args.cluster_is_known:
                child = pulumi.ResourceOptions(parent=self, depends_on=needed)
                made[part] = _install(f"{name}-{part.value}", part, args.placement, transforms, child)
        self.installed = [part.value for part in made]
        self.register_outputs({"installed": self.installed})


def chart_values(part: PlatformPart, placement: Placement) -> Manifest:
    """The values of a part's chart: where its pods run, for cert-manager also its kinds, and for KEDA that it tells of itself."""
    where = placement.scheduling()
    if part is PlatformPart.KEDA:
        # Off by default, and then no port is open for it either; alerts on the autoscaler need it.
        return {"prometheus": {"operator": {"enabled": True}}, **where}
    if part is not PlatformPart.CERT_MANAGER:
        return where
    # Each of its other Deployments, and the Job that tries them, has a place of its own.
    others = ("webhook", "cainjector", "startupapicheck") if where else ()
    return {"crds": {"enabled": True}, **where, **dict.fromkeys(others, where)}


Transform = Callable[[pulumi.ResourceTransformArgs], pulumi.ResourceTransformResult | None]


def place_deployments(placement: Placement) -> Transform:
    """A transform that keeps the Deployments of a release's manifest on some nodes; the releases have no values for it.

    Source: Pulumi docs, "Resource options: transforms" (they also reach the children of a remote component).
    """

    def transform(args: pulumi.ResourceTransformArgs) -> pulumi.ResourceTransformResult | None:
        if args.type_ != "kubernetes:apps/v1:Deployment":
            return None
        spec: Any = args.props["spec"]
        pod = {**spec["template"]["spec"], **placement.scheduling()}
        props = {**args.props, "spec": {**spec, "template": {**spec["template"], "spec": pod}}}
        return pulumi.ResourceTransformResult(props=props, opts=args.opts)

    return transform


def _install(
    name: str, part: PlatformPart, placement: Placement, transforms: Sequence[Transform], opts: pulumi.ResourceOptions
) -> pulumi.Resource:
    if part in CHARTS:
        return release(name, CHARTS[part], chart_values(part, placement), opts=opts)
    # Imported where something is installed: most runs install nothing, and these modules are large.
    import pulumi_kubernetes as k8s  # noqa: PLC0415

    if transforms:
        opts = pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(transforms=list(transforms)))
    return k8s.yaml.v2.ConfigFile(name, file=RELEASE_MANIFESTS[part], opts=opts)
