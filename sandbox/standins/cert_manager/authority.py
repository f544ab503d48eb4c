"""The authority that the sandbox brings, so that a stack has somebody to sign for its broker and the topology operator believes it.

Invariant: it is made by the stand-in's own means, of objects that would make the same of the real cert-manager.
"""

from typing import Any, Final

from sandbox.standins.cert_manager import AUTHORITY

Manifest = dict[str, Any]

OPERATORS_NAMESPACE: Final = "rabbitmq-system"
_ITSELF: Final = f"{AUTHORITY}-itself"
_GROUP: Final = "cert-manager.io"


def brought_authority() -> list[Manifest]:
    """A certificate that signs itself, the ClusterIssuer that signs in its name, and its `ca.crt` in the operators' namespace."""
    return [
        _object("ClusterIssuer", _ITSELF, {"selfSigned": {}}),
        _certificate(
            AUTHORITY,
            "cert-manager",
            _ITSELF,
            isCA=True,
            commonName=AUTHORITY,
            duration="8760h0m0s",
            usages=["cert sign", "crl sign", "digital signature"],
        ),
        _object("ClusterIssuer", AUTHORITY, {"ca": {"secretName": AUTHORITY}}),
        _certificate(AUTHORITY, OPERATORS_NAMESPACE, AUTHORITY, dnsNames=[f"{AUTHORITY}.{OPERATORS_NAMESPACE}.svc"]),
    ]


def _certificate(name: str, namespace: str, issuer: str, **spec: object) -> Manifest:
    key = {"algorithm": "ECDSA", "size": 256, "rotationPolicy": "Never"}
    reference = {"group": _GROUP, "kind": "ClusterIssuer", "name": issuer}
    content = {"secretName": name, "issuerRef": reference, "privateKey": key, **spec}
    return _object("Certificate", name, content, namespace=namespace)


def _object(kind: str, name: str, spec: Manifest, *, namespace: str | None = None) -> Manifest:
    metadata = {"name": name} if namespace is None else {"name": name, "namespace": namespace}
    return {"apiVersion": f"{_GROUP}/v1", "kind": kind, "metadata": metadata, "spec": spec}
