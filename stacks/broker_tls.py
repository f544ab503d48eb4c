"""Whether the broker speaks TLS, and who signs its certificate.

Invariant: TLS is on only where something can sign the certificate and the topology operator believes it; otherwise the stack stops before the first
resource, with the key to set.
"""

from collections.abc import Mapping

from fleet.errors import Finding
from infra.manifests.tls import OWN_ISSUER
from infra.platform import PlatformPart, Provision
from stacks.checks import key_finding
from stacks.spec import PROJECT, StackSpec

BROKER_ISSUER_VARIABLE = "FLEET_BROKER_ISSUER"
"""Stands in for `broker.issuer` on a cluster of one's own: whoever brings the operators knows whom they believe."""

BROUGHT_TOGETHER = (PlatformPart.CERT_MANAGER, PlatformPart.TOPOLOGY_OPERATOR)
"""Where both are installed by this stack it makes an authority by the one and has the other believe it."""


def speaks_tls(spec: StackSpec) -> bool:
    """Whether the broker does."""
    return spec.target == "eks" if spec.broker.tls is None else spec.broker.tls


def broker_issuer(
    spec: StackSpec, platform: Mapping[PlatformPart, Provision], variables: Mapping[str, str]
) -> str | None:
    """The ClusterIssuer of the broker's certificate; None where there is none."""
    if spec.broker.issuer:
        return spec.broker.issuer
    if spec.target == "existing" and variables.get(BROKER_ISSUER_VARIABLE):
        return variables[BROKER_ISSUER_VARIABLE]
    return OWN_ISSUER if all(platform[part] is Provision.INSTALL for part in BROUGHT_TOGETHER) else None


def check_broker(
    spec: StackSpec, platform: Mapping[PlatformPart, Provision], variables: Mapping[str, str], *, file: str
) -> list[Finding]:
    """A broker that speaks TLS has somebody to sign for it, and whoever names somebody wants it to speak TLS."""
    if not speaks_tls(spec):
        if spec.broker.issuer is None:
            return []
        fix = f"Nothing is signed then: pulumi config set --path {PROJECT}:broker.tls true, or take the issuer away."
        return [key_finding(file, "broker.issuer", "is set, but broker.tls is false", fix)]
    if broker_issuer(spec, platform, variables) is not None:
        return []
    fix = (
        "Name a ClusterIssuer whose authority the cluster's topology operator believes (docs/how-to/tls.md):\n"
        f"    pulumi config set --path {PROJECT}:broker.issuer NAME\n"
        "  or have cert-manager and the topology operator installed (platform.certManager, platform.rabbitmqTopologyOperator: install),\n"
        "  and the stack makes one that it believes."
    )
    return [key_finding(file, "broker.issuer", "is missing, and broker.tls is true", fix)]
