"""Building blocks of the CustomResourceDefinitions: reusable schemas, and the rules that stand for webhooks.

Invariant: every schema is structural and written for API servers that prune, so a field missing here is a field that
the stand-in would silently drop; tests compare each one with the upstream definitions.
Facts from: messaging-topology-operator v1.20.1 `internal/webhook/v1beta1/*.go` and `api/v1beta1/*_types.go`.
"""

from collections.abc import Iterable
from typing import Any, Final, TypeAlias

Schema: TypeAlias = dict[str, Any]

GROUP: Final = "rabbitmq.com"
VERSION: Final = "v1beta1"
API_VERSION: Final = f"{GROUP}/{VERSION}"

STRING: Final[Schema] = {"type": "string"}
BOOLEAN: Final[Schema] = {"type": "boolean"}
INTEGER: Final[Schema] = {"type": "integer"}
INT32: Final[Schema] = {"type": "integer", "format": "int32"}
INT64: Final[Schema] = {"type": "integer", "format": "int64"}
STRING_MAP: Final[Schema] = {"type": "object", "additionalProperties": STRING}
FREE_OBJECT: Final[Schema] = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
"""Arguments and policy definitions: the broker decides what is valid in them."""

QUANTITY: Final[Schema] = {
    "anyOf": [{"type": "integer"}, {"type": "string"}],
    "pattern": (
        r"^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$"
    ),
    "x-kubernetes-int-or-string": True,
}

LOCAL_REFERENCE: Final[Schema] = {
    "type": "object",
    "properties": {"name": {"type": "string", "default": ""}},
    "x-kubernetes-map-type": "atomic",
}
"""A core/v1 LocalObjectReference."""

CONDITIONS: Final[Schema] = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["status", "type"],
        "properties": {
            "lastTransitionTime": {"type": "string", "format": "date-time"},
            "message": STRING,
            "reason": STRING,
            "status": STRING,
            "type": STRING,
        },
    },
}

CLUSTER_REFERENCE: Final[Schema] = {
    "type": "object",
    "description": "The RabbitmqCluster, or a Secret with uri, username and password of one; exactly one of the two.",
    "properties": {"connectionSecret": LOCAL_REFERENCE, "name": STRING, "namespace": STRING},
    "x-kubernetes-validations": [
        {
            "rule": "!(has(self.name) && self.name != '' && has(self.connectionSecret))",
            "message": "invalid RabbitmqClusterReference: do not provide both name and connectionSecret",
        },
        {
            "rule": "(has(self.name) && self.name != '') || has(self.connectionSecret)",
            "message": "invalid RabbitmqClusterReference: must provide either name or connectionSecret",
        },
    ],
}


def one_of(*values: str, default: str | None = None) -> Schema:
    """A string that takes one of `values`."""
    schema: Schema = {"type": "string", "enum": list(values)}
    return schema if default is None else schema | {"default": default}


def record(properties: Schema, *, required: Iterable[str] = ()) -> Schema:
    """An object with typed fields; `required` is left out when there is none, as upstream leaves it out."""
    schema: Schema = {"type": "object", "properties": properties}
    return schema | {"required": sorted(required)} if required else schema


def unchanged(field: str, zero: str, message: str) -> Schema:
    """The rule that `field` of a spec keeps its value; an absent field counts as `zero`, as in Go.

    `field` may name a field of a field by a dot; `zero` is a CEL literal.
    """
    new, old = _value("self", field, zero), _value("oldSelf", field, zero)
    return {"rule": f"{new} == {old}", "message": message, "fieldPath": f".{field}"}


def unchanged_object(field: str, message: str) -> Schema:
    """The rule that a free-form object keeps its presence and its content."""
    rule = f"has(self.{field}) == has(oldSelf.{field}) && (!has(self.{field}) || self.{field} == oldSelf.{field})"
    return {"rule": rule, "message": message, "fieldPath": f".{field}"}


def unchanged_reference(message: str) -> Schema:
    """The rule that a resource stays with its RabbitmqCluster (or connection Secret)."""
    path = "rabbitmqClusterReference"
    same = " && ".join(
        f"({_value('self', f'{path}.{field}', zero)} == {_value('oldSelf', f'{path}.{field}', zero)})"
        # `namespace` is a reserved word of CEL; the API server exposes it under this escaped name.
        for field, zero in (("name", "''"), ("__namespace__", "''"), ("connectionSecret.name", "''"))
    )
    return {"rule": same, "message": message, "fieldPath": f".{path}"}


def _value(subject: str, path: str, zero: str) -> str:
    """A CEL expression for the field at `path` of `subject`, or `zero` where any part of the path is absent."""
    parts = path.split(".")
    present = " && ".join(f"has({subject}.{'.'.join(parts[: depth + 1])})" for depth in range(len(parts)))
    return f"({present} ? {subject}.{path} : {zero})"


def definition(
    *,
    kind: str,
    plural: str,
    description: str,
    spec: Schema,
    status: Schema,
    categories: tuple[str, ...] = ("rabbitmq",),
    short_names: tuple[str, ...] = (),
    columns: tuple[Schema, ...] = (),
) -> Schema:
    """A whole CustomResourceDefinition with one version and a status subresource."""
    names: Schema = {
        "kind": kind,
        "listKind": f"{kind}List",
        "plural": plural,
        "singular": kind.lower(),
    }
    version: Schema = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "schema": {
            "openAPIV3Schema": {
                "type": "object",
                "description": description,
                "properties": {
                    "apiVersion": STRING,
                    "kind": STRING,
                    "metadata": {"type": "object"},
                    "spec": spec,
                    "status": status,
                },
            }
        },
    }
    if categories:
        names["categories"] = list(categories)
    if short_names:
        names["shortNames"] = list(short_names)
    if columns:
        version["additionalPrinterColumns"] = list(columns)
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{GROUP}"},
        "spec": {"group": GROUP, "names": names, "scope": "Namespaced", "versions": [version]},
    }
