"""The node's certificates: one authority for the cluster, one for the API server's front proxy, keys for tokens.

Invariant: private keys are 0600 and never leave the node's folder, except the administrator's inside the kubeconfig.
Certificates outlive a restart of the node and are made anew when an address, or what is needed, changed.
Source: Kubernetes docs, "PKI certificates and requirements".
"""

import base64
import datetime
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from sandbox.network import Addresses
from sandbox.standins.managed_results import CERTIFICATE_NAME

VALID_DAYS = 365
BACKDATED_MINUTES = 60
"""Valid a little before now, for a virtual machine whose clock steps back after a resume."""
CLUSTER_DOMAIN = "cluster.local"


@dataclass(frozen=True, kw_only=True)
class Identity:
    """One certificate: who its holder is and where it serves."""

    name: str
    """File name without suffix."""
    common_name: str
    organization: str = ""
    """The Kubernetes group of a client."""
    serves: tuple[str, ...] = ()
    """Names and addresses it is a server under; empty for a pure client."""
    front_proxy: bool = False
    """Signed by the authority that the aggregation layer trusts."""


def identities(node_name: str, addresses: Addresses) -> list[Identity]:
    """Everyone who needs a certificate."""
    api_names = (
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        f"kubernetes.default.svc.{CLUSTER_DOMAIN}",
    )
    return [
        Identity(
            name="apiserver",
            common_name="kube-apiserver",
            serves=(*api_names, "localhost", node_name, addresses.node, addresses.api_service, "127.0.0.1"),
        ),
        Identity(name="apiserver-kubelet", common_name="kube-apiserver-kubelet-client", organization="system:masters"),
        Identity(name="front-proxy", common_name="front-proxy-client", front_proxy=True),
        Identity(name="controller-manager", common_name="system:kube-controller-manager"),
        Identity(name="scheduler", common_name="system:kube-scheduler"),
        Identity(name="kube-proxy", common_name="system:kube-proxy", organization="system:node-proxier"),
        Identity(name="coredns", common_name="system:coredns", organization="fleet-sandbox:coredns"),
        Identity(
            name="kubelet",
            common_name=f"system:node:{node_name}",
            organization="system:nodes",
            # Without its own address here `kubectl logs` and `exec` fail.
            serves=(node_name, addresses.node),
        ),
        # A results store that is stood in for: `sandbox.standins.managed_results`.
        Identity(name="elasticache", common_name="elasticache", serves=(CERTIFICATE_NAME,)),
        Identity(name="admin", common_name="fleet-sandbox-admin", organization="system:masters"),
    ]


def make_certificates(folder: Path, node_name: str, addresses: Addresses) -> None:
    """Make all certificates in `folder`, unless it holds those of the same node and addresses."""
    stamp = folder / "made-for"
    wanted = identities(node_name, addresses)
    made_for = f"{node_name} {addresses.block} {' '.join(one.name for one in wanted)}\n"
    if stamp.exists() and stamp.read_text() == made_for:
        return
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    authority = _write_authority(folder, "ca", "fleet-sandbox")
    front_authority = _write_authority(folder, "front-proxy-ca", "fleet-sandbox-front-proxy")
    for identity in wanted:
        _write_signed(folder, identity, front_authority if identity.front_proxy else authority)
    tokens = ec.generate_private_key(ec.SECP256R1())
    _write_key(folder / "service-account.key", tokens)
    (folder / "service-account.pub").write_bytes(
        tokens.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    stamp.write_text(made_for)


@dataclass(frozen=True)
class _Authority:
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


def _subject(common_name: str, organization: str = "") -> x509.Name:
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
    if organization:
        attributes.insert(0, x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization))
    return x509.Name(attributes)


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=BACKDATED_MINUTES))
        .not_valid_after(now + datetime.timedelta(days=VALID_DAYS))
    )


def _key_usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True, key_cert_sign=authority, crl_sign=authority, content_commitment=False,
        key_encipherment=False, data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip


def _write_authority(folder: Path, name: str, common_name: str) -> _Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _subject(common_name)
    certificate = (
        _builder(subject, subject, key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(authority=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    _write_key(folder / f"{name}.key", key)
    (folder / f"{name}.crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return _Authority(certificate, key)


def _write_signed(folder: Path, identity: Identity, authority: _Authority) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _subject(identity.common_name, identity.organization)
    usages = [ExtendedKeyUsageOID.CLIENT_AUTH]
    builder = _builder(subject, authority.certificate.subject, key)
    if identity.serves:
        usages.append(ExtendedKeyUsageOID.SERVER_AUTH)
        builder = builder.add_extension(x509.SubjectAlternativeName(_names(identity.serves)), critical=False)
    certificate = (
        builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(authority=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key()), critical=False)
        .sign(authority.key, hashes.SHA256())
    )
    _write_key(folder / f"{identity.name}.key", key)
    (folder / f"{identity.name}.crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))


def _names(serves: Sequence[str]) -> list[x509.GeneralName]:
    names: list[x509.GeneralName] = []
    for one in serves:
        try:
            names.append(x509.IPAddress(ipaddress.ip_address(one)))
        except ValueError:
            names.append(x509.DNSName(one))
    return names


def _write_key(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    path.touch(mode=0o600)
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


def kubeconfig(folder: Path, identity: str, server: str, *, context: str = "fleet-sandbox") -> str:
    """A kubeconfig with everything in it, as YAML."""

    def embedded(name: str) -> str:
        return base64.b64encode((folder / name).read_bytes()).decode()

    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": context,
            "clusters": [
                {"name": context, "cluster": {"server": server, "certificate-authority-data": embedded("ca.crt")}}
            ],
            "users": [
                {
                    "name": context,
                    "user": {
                        "client-certificate-data": embedded(f"{identity}.crt"),
                        "client-key-data": embedded(f"{identity}.key"),
                    },
                }
            ],
            "contexts": [{"name": context, "context": {"cluster": context, "user": context}}],
        },
        sort_keys=False,
    )
