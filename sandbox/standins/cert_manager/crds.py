"""CustomResourceDefinitions of Certificate, Issuer and ClusterIssuer, for the fields that the stand-in honours.

Invariant: what these definitions accept is accepted upstream too, and means the same; an issuer that the stand-in cannot be is refused with a
sentence. Facts from: cert-manager v1.19.2 `deploy/crds/cert-manager.io_*.yaml`.
"""

from typing import Final

from sandbox.standins.custom_resources import (
    BOOLEAN,
    INT64,
    INTEGER,
    STRING,
    TIME,
    Schema,
    definition,
    one_of,
    record,
    yaml_stream,
)

GROUP: Final = "cert-manager.io"
_STRINGS: Final[Schema] = {"type": "array", "items": STRING, "x-kubernetes-list-type": "atomic"}
_USAGES: Final = (
    "signing", "digital signature", "content commitment", "key encipherment", "key agreement", "data encipherment",
    "cert sign", "crl sign", "encipher only", "decipher only", "any", "server auth", "client auth", "code signing",
    "email protection", "s/mime", "ipsec end system", "ipsec tunnel", "ipsec user", "timestamping", "ocsp signing",
    "microsoft sgc", "netscape sgc",
)  # fmt: skip
_CONDITIONS: Final[Schema] = {
    "type": "array",
    "items": record(
        {
            "lastTransitionTime": TIME,
            "message": STRING,
            "observedGeneration": INT64,
            "reason": STRING,
            "status": one_of("True", "False", "Unknown"),
            "type": STRING,
        },
        required=("status", "type"),
    ),
    "x-kubernetes-list-map-keys": ["type"],
    "x-kubernetes-list-type": "map",
}

_CERTIFICATE: Final = record(
    {
        "commonName": STRING,
        "dnsNames": _STRINGS,
        "duration": STRING,
        "ipAddresses": _STRINGS,
        "isCA": BOOLEAN,
        "issuerRef": record({"group": STRING, "kind": STRING, "name": STRING}, required=("name",)),
        "privateKey": record(
            {
                "algorithm": one_of("RSA", "ECDSA", "Ed25519"),
                "encoding": one_of("PKCS1", "PKCS8"),
                "rotationPolicy": one_of("Never", "Always"),
                "size": INTEGER,
            }
        ),
        "renewBefore": STRING,
        "secretName": STRING,
        "usages": {"type": "array", "items": one_of(*_USAGES), "x-kubernetes-list-type": "atomic"},
    },
    required=("issuerRef", "secretName"),
)
_CERTIFICATE_STATUS: Final = record(
    {
        "conditions": _CONDITIONS,
        "notAfter": TIME,
        "notBefore": TIME,
        "renewalTime": TIME,
        "revision": INTEGER,
    }
)
_ISSUER: Final = record({"ca": record({"secretName": STRING}, required=("secretName",)), "selfSigned": record({})}) | {
    "x-kubernetes-validations": [
        {
            "rule": "has(self.ca) != has(self.selfSigned)",
            "message": "the sandbox's stand-in for cert-manager signs by `ca` or by `selfSigned`: state one of them, "
            "or use a cluster with the real one",
        }
    ]
}
_ISSUER_STATUS: Final = record({"conditions": _CONDITIONS})


_READY: Final[Schema] = {
    "name": "Ready",
    "type": "string",
    "jsonPath": '.status.conditions[?(@.type == "Ready")].status',
}


def _definition(
    kind: str, plural: str, short: tuple[str, ...], spec: Schema, status: Schema, *, namespaced: bool = True
) -> Schema:
    return definition(
        group=GROUP,
        version="v1",
        kind=kind,
        plural=plural,
        description=f"{kind}, kept by the sandbox's stand-in for cert-manager.",
        spec=spec,
        status=status,
        required=("spec",),
        categories=("cert-manager",),
        short_names=short,
        columns=(_READY,),
        namespaced=namespaced,
    )


def all_definitions() -> list[Schema]:
    """The definitions of the three kinds."""
    return [
        _definition("Certificate", "certificates", ("cert", "certs"), _CERTIFICATE, _CERTIFICATE_STATUS),
        _definition("Issuer", "issuers", ("iss",), _ISSUER, _ISSUER_STATUS),
        _definition("ClusterIssuer", "clusterissuers", ("ciss",), _ISSUER, _ISSUER_STATUS, namespaced=False),
    ]


def definitions_yaml() -> str:
    """All definitions as a YAML stream, without anchors."""
    return yaml_stream(all_definitions())
