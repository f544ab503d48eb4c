"""What the CustomResourceDefinitions of RabbitMQ's operators have in common: their schemas, and the rules that stand for webhooks.

Facts from: messaging-topology-operator v1.20.1 `internal/webhook/v1beta1/*.go` and `api/v1beta1/*_types.go`.
"""

from functools import partial
from typing import Final

from sandbox.standins import custom_resources
from sandbox.standins.custom_resources import STRING, TIME, Schema

GROUP: Final = "rabbitmq.com"
VERSION: Final = "v1beta1"
API_VERSION: Final = f"{GROUP}/{VERSION}"

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
            "lastTransitionTime": TIME,
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


definition = partial(custom_resources.definition, group=GROUP, version=VERSION, categories=("rabbitmq",))
"""A whole CustomResourceDefinition of the operators."""
