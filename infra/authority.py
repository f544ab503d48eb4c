"""The authority behind the brokers' certificates, and the topology operator's belief in it.

Invariant: the operator starts with the authority mounted, because it reads what it believes once (messaging-topology-operator 1.20,
`extractSystemCertPool`: Go keeps the system's authorities for the life of a process).
"""

from dataclasses import dataclass
from typing import Any

import pulumi

from infra.manifests.tls import TRUSTED_AUTHORITY, authority_volume, own_authority, trusted_authority
from infra.objects import KubernetesObject

TRUST_FILE = "/etc/ssl/certs/celery-fleet-broker.crt"
"""Where the operator's image has its authorities (RabbitMQ docs, "Using TLS with the Messaging Topology Kubernetes Operator")."""


@dataclass(frozen=True, kw_only=True)
class BrokerAuthorityArgs:
    """Whose word counts."""

    fleet: str
    issuer: str
    """Name of the ClusterIssuer."""
    made_here: bool
    """Whether this stack makes it; plain, because it decides which resources exist."""


class BrokerAuthority(pulumi.ComponentResource):
    """The ClusterIssuer where it is made here, and its certificate beside the topology operator."""

    trusted_secret: pulumi.Output[str]
    """Secret in the operator's namespace with the authority's certificate."""

    def __init__(self, name: str, args: BrokerAuthorityArgs, *, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("celery-fleet:platform:BrokerAuthority", name, None, opts)
        before: list[pulumi.Resource] = []
        if args.made_here:
            for part, manifest in own_authority(args.fleet).items():
                one = pulumi.ResourceOptions(parent=self, depends_on=list(before))
                before.append(KubernetesObject(f"{name}-{part}", manifest, opts=one))
        trusted = KubernetesObject(
            f"{name}-trusted",
            trusted_authority(args.fleet, issuer=args.issuer),
            opts=pulumi.ResourceOptions(parent=self, depends_on=before),
        )
        self.trusted_secret = trusted.object_name
        self.register_outputs({"trusted_secret": self.trusted_secret})


def believing(args: pulumi.ResourceTransformArgs) -> pulumi.ResourceTransformResult | None:
    """A transform by which the Deployments of the topology operator's manifest mount the authority.

    Source: Pulumi docs, "Resource options: transforms" (they also reach the children of a remote component).
    """
    if args.type_ != "kubernetes:apps/v1:Deployment":
        return None
    file = TRUST_FILE.rpartition("/")[2]
    mount = {"name": TRUSTED_AUTHORITY, "mountPath": TRUST_FILE, "subPath": file, "readOnly": True}
    spec: Any = args.props["spec"]
    pod = spec["template"]["spec"]
    pod = {
        **pod,
        "containers": [
            {**container, "volumeMounts": [*container.get("volumeMounts", []), mount]}
            for container in pod["containers"]
        ],
        "volumes": [*pod.get("volumes", []), authority_volume(TRUSTED_AUTHORITY, TRUSTED_AUTHORITY, file)],
    }
    props = {**args.props, "spec": {**spec, "template": {**spec["template"], "spec": pod}}}
    return pulumi.ResourceTransformResult(props=props, opts=args.opts)
