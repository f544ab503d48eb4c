"""CustomResourceDefinitions of the topology kinds: what a broker holds, as resources.

Invariant: every field of the upstream definitions is here with its type, default and allowed values, and everything
that the upstream webhooks refuse is refused by the API server itself, in the webhooks' words.
Facts from: messaging-topology-operator v1.20.1 `api/v1beta1/*_types.go` and `internal/webhook/v1beta1/*.go`.
"""

from typing import Final

from sandbox.standins.custom_resources import BOOLEAN, INT32, INT64, INTEGER, STRING, Schema, one_of, record
from sandbox.standins.rabbitmq_operators.crd_schema import (
    CLUSTER_REFERENCE,
    CONDITIONS,
    FREE_OBJECT,
    LOCAL_REFERENCE,
    definition,
    unchanged,
    unchanged_object,
    unchanged_reference,
)

_VHOST: Final[Schema] = {"type": "string", "default": "/"}
_DELETION_POLICY: Final = one_of("delete", "retain", default="delete")
_STATUS: Final = record({"conditions": CONDITIONS, "observedGeneration": INT64})
_USER_STATUS: Final = record(
    {"conditions": CONDITIONS, "credentials": LOCAL_REFERENCE, "observedGeneration": INT64, "username": STRING},
    required=["username"],
)


def topology_definitions() -> list[Schema]:
    """The definitions of the nine topology kinds, in the order in which a broker needs them."""
    return [
        _vhost(),
        _user(),
        _permission(),
        _topic_permission(),
        _exchange(),
        _queue(),
        _binding(),
        _policy(),
        _operator_policy(),
    ]


def _topology(kind: str, plural: str, fields: Schema, *, required: list[str], rules: list[Schema]) -> Schema:
    spec = record(
        fields | {"rabbitmqClusterReference": CLUSTER_REFERENCE}, required=[*required, "rabbitmqClusterReference"]
    )
    return definition(
        kind=kind,
        plural=plural,
        description=f"{kind} in a RabbitMQ cluster, kept by the sandbox's stand-in for the topology operator.",
        spec=spec | {"x-kubernetes-validations": rules},
        status=_USER_STATUS if kind == "User" else _STATUS,
        # Upstream leaves this one kind out of `kubectl get rabbitmq`.
        categories=() if kind == "TopicPermission" else ("rabbitmq",),
    )


def _fixed_names(message: str, *fields: str) -> list[Schema]:
    return [*(unchanged(field, "''", message) for field in fields), unchanged_reference(message)]


def _vhost() -> Schema:
    return _topology(
        "Vhost",
        "vhosts",
        {
            "name": STRING,
            "tracing": BOOLEAN,
            "tags": {"type": "array", "items": STRING},
            "defaultQueueType": one_of("quorum", "classic", "stream"),
            "deletionPolicy": _DELETION_POLICY,
            "limits": record({"connections": INT32, "queues": INT32}),
        },
        required=["name"],
        rules=_fixed_names("updates on name and rabbitmqClusterReference are all forbidden", "name"),
    )


def _user() -> Schema:
    return _topology(
        "User",
        "users",
        {
            "tags": {"type": "array", "items": one_of("management", "policymaker", "monitoring", "administrator")},
            "importCredentialsSecret": LOCAL_REFERENCE,
            "limits": record({"connections": INT32, "channels": INT32}),
        },
        required=[],
        rules=[unchanged_reference("update on rabbitmqClusterReference is forbidden")],
    )


def _user_rules() -> list[Schema]:
    return [
        {
            "rule": "(has(self.user) && self.user != '') || has(self.userReference)",
            "message": "must specify either spec.user or spec.userReference",
        },
        {
            "rule": "!(has(self.user) && self.user != '' && has(self.userReference))",
            "message": "cannot specify spec.user and spec.userReference at the same time",
        },
    ]


def _permission() -> Schema:
    message = "updates on user, userReference, vhost and rabbitmqClusterReference are all forbidden"
    return _topology(
        "Permission",
        "permissions",
        {
            "vhost": STRING,
            "user": STRING,
            "userReference": LOCAL_REFERENCE,
            "permissions": record({"configure": STRING, "read": STRING, "write": STRING}),
        },
        required=["permissions", "vhost"],
        rules=[*_user_rules(), *_fixed_names(message, "user", "userReference.name", "vhost")],
    )


def _topic_permission() -> Schema:
    message = "updates on exchange, user, userReference, vhost and rabbitmqClusterReference are all forbidden"
    return _topology(
        "TopicPermission",
        "topicpermissions",
        {
            "vhost": STRING,
            "user": STRING,
            "userReference": LOCAL_REFERENCE,
            "permissions": record({"exchange": STRING, "read": STRING, "write": STRING}, required=["exchange"]),
        },
        required=["permissions", "vhost"],
        rules=[
            *_user_rules(),
            *_fixed_names(message, "permissions.exchange", "user", "userReference.name", "vhost"),
        ],
    )


def _exchange() -> Schema:
    return _topology(
        "Exchange",
        "exchanges",
        {
            "name": STRING,
            "vhost": _VHOST,
            "type": {"type": "string", "default": "direct"},
            "durable": BOOLEAN,
            "autoDelete": BOOLEAN,
            "arguments": FREE_OBJECT,
        },
        required=["name"],
        rules=[
            *_fixed_names("updates on name, vhost, and rabbitmqClusterReference are all forbidden", "name", "vhost"),
            unchanged("type", "'direct'", "exchange type cannot be updated"),
            unchanged("autoDelete", "false", "autoDelete cannot be updated"),
            unchanged("durable", "false", "durable cannot be updated"),
        ],
    )


def _queue() -> Schema:
    return _topology(
        "Queue",
        "queues",
        {
            "name": STRING,
            "vhost": _VHOST,
            "type": STRING,
            # Upstream's mutating webhook sets `durable` to true where it is absent; a default does the same here.
            "durable": BOOLEAN | {"default": True},
            "autoDelete": BOOLEAN,
            "deleteIfEmpty": BOOLEAN,
            "deleteIfUnused": BOOLEAN,
            "deletionPolicy": _DELETION_POLICY,
            "arguments": FREE_OBJECT,
        },
        required=["name"],
        rules=[
            {
                "rule": "!has(self.type) || self.type != 'quorum' || (has(self.durable) && self.durable)",
                "message": "Quorum queues must have durable set to true",
                "fieldPath": ".durable",
            },
            *_fixed_names("updates on name, vhost, and rabbitmqClusterReference are all forbidden", "name", "vhost"),
            unchanged("type", "''", "queue type cannot be updated"),
            unchanged("autoDelete", "false", "autoDelete cannot be updated"),
            unchanged("durable", "false", "durable cannot be updated"),
            unchanged_object("arguments", "queue arguments cannot be updated"),
        ],
    )


def _binding() -> Schema:
    return _topology(
        "Binding",
        "bindings",
        {
            "vhost": _VHOST,
            "source": STRING,
            "destination": STRING,
            "destinationType": one_of("exchange", "queue"),
            "routingKey": STRING,
            "arguments": FREE_OBJECT,
        },
        required=[],
        rules=[
            *_fixed_names("updates on vhost and rabbitmqClusterReference are all forbidden", "vhost"),
            *(
                unchanged(field, "''", f"{field} cannot be updated")
                for field in ("source", "destination", "destinationType", "routingKey")
            ),
            unchanged_object("arguments", "arguments cannot be updated"),
        ],
    )


def _policy_fields(apply_to: Schema) -> Schema:
    return {
        "name": STRING,
        "vhost": _VHOST,
        "pattern": STRING,
        "applyTo": apply_to,
        "priority": INTEGER | {"default": 0},
        "definition": FREE_OBJECT,
    }


def _policy() -> Schema:
    kinds = ("queues", "classic_queues", "quorum_queues", "streams", "exchanges", "all")
    return _topology(
        "Policy",
        "policies",
        _policy_fields(one_of(*kinds, default="all")),
        required=["definition", "name", "pattern"],
        rules=_fixed_names("updates on name, vhost and rabbitmqClusterReference are all forbidden", "name", "vhost"),
    )


def _operator_policy() -> Schema:
    kinds = ("queues", "classic_queues", "quorum_queues", "streams")
    return _topology(
        "OperatorPolicy",
        "operatorpolicies",
        _policy_fields(one_of(*kinds, default="queues")),
        required=["definition", "name", "pattern"],
        rules=_fixed_names("updates on name, vhost and rabbitmqClusterReference are all forbidden", "name", "vhost"),
    )
