"""CustomResourceDefinitions of Certificate, Issuer and ClusterIssuer, for the fields that the stand-in honours.

Invariant: what these definitions accept is accepted upstream too, and means the same; an issuer that the stand-in cannot be is refused with a
sentence. Facts from: cert-manager v1.19.2 `deploy/crds/cert-manager.io_*.yaml`.
"""

from typing import Any, Final, TypeAlias

import yaml

Schema: TypeAlias = dict[str, Any]

GROUP: Final = "cert-manager.io"
_STRING: Final[Schema] = {"type": "string"}
_STRINGS: Final[Schema] = {"type": "array", "items": _STRING, "x-kubernetes-list-type": "atomic"}
_TIME: Final[Schema] = {"type": "string", "format": "date-time"}
_USAGES: Final = (
    "signing", "digital signature", "content commitment", "key encipherment", "key agreement", "data encipherment",
    "cert sign", "crl sign", "encipher only", "decipher only", "any", "server auth", "client auth", "code signing",
    "email protection", "s/mime", "ipsec end system", "ipsec tunnel", "ipsec user", "timestamping", "ocsp signing",
    "microsoft sgc", "netscape sgc",
)  # fmt: skip


def _record(properties: Schema, *required: str) -> Schema:
    schema: Schema = {"type": "object", "properties": properties}
    return schema | {"required": list(required)} if required else schema


def _one_of(*values: str) -> Schema:
    return {"type": "string", "enum": list(values)}


_CONDITIONS: Final[Schema] = {
    "type": "array",
    "items": _record(
        {
            "lastTransitionTime": _TIME,
            "message": _STRING,
            "observedGeneration": {"type": "integer", "format": "int64"},
            "reason": _STRING,
            "status": _one_of("True", "False", "Unknown"),
            "type": _STRING,
        },
        "status",
        "type",
    ),
    "x-kubernetes-list-map-keys": ["type"],
    "x-kubernetes-list-type": "map",
}

_CERTIFICATE: Final = _record(
    {
        "commonName": _STRING,
        "dnsNames": _STRINGS,
        "duration": _STRING,
        "ipAddresses": _STRINGS,
        "isCA": {"type": "boolean"},
        "issuerRef": _record({"group": _STRING, "kind": _STRING, "name": _STRING}, "name"),
        "privateKey": _record(
            {
                "algorithm": _one_of("RSA", "ECDSA", "Ed25519"),
                "encoding": _one_of("PKCS1", "PKCS8"),
                "rotationPolicy": _one_of("Never", "Always"),
                "size": {"type": "integer"},
            }
        ),
        "renewBefore": _STRING,
        "secretName": _STRING,
        "usages": {"type": "array", "items": _one_of(*_USAGES), "x-kubernetes-list-type": "atomic"},
    },
    "issuerRef",
    "secretName",
)
_CERTIFICATE_STATUS: Final = _record(
    {
        "conditions": _CONDITIONS,
        "notAfter": _TIME,
        "notBefore": _TIME,
        "renewalTime": _TIME,
        "revision": {"type": "integer"},
    }
)
_ISSUER: Final = _record({"ca": _record({"secretName": _STRING}, "secretName"), "selfSigned": _record({})}) | {
    "x-kubernetes-validations": [
        {
            "rule": "has(self.ca) != has(self.selfSigned)",
            "message": "the sandbox's stand-in for cert-manager signs by `ca` or by `selfSigned`: state one of them, "
            "or use a cluster with the real one",
        }
    ]
}
_ISSUER_STATUS: Final = _record({"conditions": _CONDITIONS})


def _column(name: str, path: str) -> Schema:
    return {"name": name, "type": "string", "jsonPath": path}


_READY: Final = _column("Ready", '.status.conditions[?(@.type == "Ready")].status')


def _definition(
    kind: str, plural: str, short: tuple[str, ...], spec: Schema, status: Schema, *, namespaced: bool = True
) -> Schema:
    names = {
        "categories": ["cert-manager"],
        "kind": kind,
        "listKind": f"{kind}List",
        "plural": plural,
        "shortNames": list(short),
        "singular": kind.lower(),
    }
    content = _record({"apiVersion": _STRING, "kind": _STRING, "metadata": {"type": "object"}}, "spec")
    content["properties"] |= {"spec": spec, "status": status}
    content["description"] = f"{kind}, kept by the sandbox's stand-in for cert-manager."
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "schema": {"openAPIV3Schema": content},
        "additionalPrinterColumns": [_READY],
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "names": names,
            "scope": "Namespaced" if namespaced else "Cluster",
            "versions": [version],
        },
    }


def all_definitions() -> list[Schema]:
    """The definitions of the three kinds."""
    return [
        _definition("Certificate", "certificates", ("cert", "certs"), _CERTIFICATE, _CERTIFICATE_STATUS),
        _definition("Issuer", "issuers", ("iss",), _ISSUER, _ISSUER_STATUS),
        _definition("ClusterIssuer", "clusterissuers", ("ciss",), _ISSUER, _ISSUER_STATUS, namespaced=False),
    ]


class _PlainDumper(yaml.SafeDumper):
    """Writes a shared schema out at every place where it is used."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def definitions_yaml() -> str:
    """All definitions as a YAML stream, without anchors."""
    return yaml.dump_all(all_definitions(), Dumper=_PlainDumper, sort_keys=False, explicit_start=True)
