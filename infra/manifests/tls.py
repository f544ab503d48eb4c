"""TLS between clients and broker: its ports, its certificate, the authority behind it, and who believes that one.

Invariant: a broker that speaks TLS speaks nothing else, so no password and no task crosses the network in clear; a private key stays in the Secret that
cert-manager wrote, of which pods mount the authority's certificate alone.
Source: cert-manager 1.19 docs, "CA", "SelfSigned" and "Certificate resource"; RabbitMQ 4.3 docs, "TLS Support"; cluster operator 2.21,
docs/examples/tls (names on the certificate); RabbitMQ docs, "Using TLS with the Messaging Topology Kubernetes Operator".
"""

from dataclasses import dataclass

from infra.manifests.metadata import READY, Manifest, cluster_metadata, metadata


@dataclass(frozen=True, kw_only=True)
class BrokerPorts:
    """Where a broker node listens for those outside the cluster of nodes."""

    amqp: int
    management: int
    prometheus: int


PLAIN = BrokerPorts(amqp=5672, management=15672, prometheus=15692)
ENCRYPTED = BrokerPorts(amqp=5671, management=15671, prometheus=15691)


def broker_ports(*, tls: bool) -> BrokerPorts:
    """The ports that are open: a broker that speaks TLS has no plain ones."""
    return ENCRYPTED if tls else PLAIN


def server_name(fleet: str) -> str:
    """The name by which the broker is verified from everywhere in the cluster."""
    return f"broker.{fleet}.svc"


BROKER_CERTIFICATE = "broker-tls"
"""The broker's Certificate, and the Secret with `tls.crt`, `tls.key` and `ca.crt`."""

CA_KEY = "ca.crt"
"""Key of the authority's certificate in every Secret that cert-manager writes (and in upstream's examples)."""

OWN_ISSUER = "celery-fleet-broker"
"""The ClusterIssuer that a stack makes where it installs what has to believe it; one in a cluster, for all its fleets."""

ISSUER_NAMESPACE = "cert-manager"
"""Where a ClusterIssuer's Secret lies: the namespace of cert-manager, as this project installs it."""

OPERATORS_NAMESPACE = "rabbitmq-system"
TRUSTED_AUTHORITY = "broker-authority"
"""Of the topology operator: the Certificate that brings the authority into its namespace, and its Secret."""

CERTIFICATE_DAYS = 90
RENEWED_BEFORE_DAYS = 30
AUTHORITY_DAYS = 3650
AUTHORITY_RENEWED_BEFORE_DAYS = 365
"""Longer than a certificate lives, so that each one brings the new authority to whoever mounts it before the old one ends."""


def _hours(days: int) -> str:
    # As the API server gives it back.
    return f"{days * 24}h0m0s"


def _certificate(described: Manifest, secret: str, issuer: str, **spec: object) -> Manifest:
    return {
        "apiVersion": "cert-manager.io/v1",
        "kind": "Certificate",
        "metadata": described,
        "spec": {
            "secretName": secret,
            "duration": _hours(CERTIFICATE_DAYS),
            "renewBefore": _hours(RENEWED_BEFORE_DAYS),
            "privateKey": {"algorithm": "ECDSA", "size": 256, "rotationPolicy": "Always"},
            "issuerRef": {"group": "cert-manager.io", "kind": "ClusterIssuer", "name": issuer},
            **spec,
        },
    }


def broker_certificate(fleet: str, *, nodes: int, issuer: str) -> Manifest:
    """The broker's certificate: for its Service, and for each node by the name at which the cluster operator asks it."""
    service = server_name(fleet)
    names = ["broker", f"broker.{fleet}", service, f"{service}.cluster.local"]
    for index in range(nodes):
        node = f"broker-server-{index}.broker-nodes.{fleet}.svc"
        names += [node, f"{node}.cluster.local"]
    return _certificate(
        metadata(fleet, BROKER_CERTIFICATE, "broker", annotations=READY),
        BROKER_CERTIFICATE,
        issuer,
        dnsNames=names,
        usages=["digital signature", "server auth"],
    )


def own_authority(fleet: str) -> dict[str, Manifest]:
    """Name -> object, in the order in which they are made: an authority that vouches for itself, and the ClusterIssuer that signs in its name.

    Its key stays when its certificate is renewed: what it signed before is then vouched for by either.
    """
    itself = f"{OWN_ISSUER}-itself"
    key = {"algorithm": "ECDSA", "size": 256, "rotationPolicy": "Never"}
    return {
        "itself": _issuer(fleet, itself, {"selfSigned": {}}),
        "certificate": _certificate(
            {**metadata(fleet, OWN_ISSUER, "broker", annotations=READY), "namespace": ISSUER_NAMESPACE},
            OWN_ISSUER,
            itself,
            isCA=True,
            commonName=OWN_ISSUER,
            duration=_hours(AUTHORITY_DAYS),
            renewBefore=_hours(AUTHORITY_RENEWED_BEFORE_DAYS),
            privateKey=key,
            usages=["cert sign", "crl sign", "digital signature"],
        ),
        "issuer": _issuer(fleet, OWN_ISSUER, {"ca": {"secretName": OWN_ISSUER}}),
    }


def _issuer(fleet: str, name: str, spec: Manifest) -> Manifest:
    return {
        "apiVersion": "cert-manager.io/v1",
        "kind": "ClusterIssuer",
        "metadata": cluster_metadata(fleet, name, "broker", annotations=READY),
        "spec": spec,
    }


def trusted_authority(fleet: str, *, issuer: str) -> Manifest:
    """A certificate that nobody shows: with it cert-manager writes the authority's, `ca.crt`, where the topology operator can mount it."""
    return _certificate(
        {**metadata(fleet, TRUSTED_AUTHORITY, "broker", annotations=READY), "namespace": OPERATORS_NAMESPACE},
        TRUSTED_AUTHORITY,
        issuer,
        dnsNames=[f"{TRUSTED_AUTHORITY}.{OPERATORS_NAMESPACE}.svc"],
        usages=["digital signature", "client auth"],
    )


def cluster_tls() -> Manifest:
    """`spec.tls` of a RabbitmqCluster.

    By the `caSecretName` the cluster operator believes the broker when it asks whether a node may go (2.21, `internal/rabbitmqclient/client.go`). It also
    means that clients show a certificate, which `infra.manifests.broker` takes back: who they are is told by their password.
    """
    return {
        "secretName": BROKER_CERTIFICATE,
        "caSecretName": BROKER_CERTIFICATE,
        "disableNonTLSListeners": True,
    }


def authority_volume(name: str, secret: str, file: str) -> Manifest:
    """A volume with the authority's certificate and not the key beside it."""
    return {"name": name, "secret": {"secretName": secret, "items": [{"key": CA_KEY, "path": file}]}}
