"""Topology resources as calls to the management API.

Invariant: pure functions of the resource's spec; a name is never built by string formatting, so no name can leave its
place in a path.
Facts from: messaging-topology-operator v1.20.1 `internal/{queue_settings,exchange_settings,binding,policy,
operatorpolicy,permissions,topic_permissions,user,vhost_settings,queue_delete_options}.go` and
`internal/controller/{binding,queue,vhost,user}_controller.go`; rabbit-hole v3 for the paths.
"""

import base64
import hashlib
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sandbox.standins.rabbitmq_operators.management_api import Call

_HASHING: Final = "rabbit_password_hashing_sha512"
_SALT_BYTES: Final = 4

_LIMIT_FIELDS: Final[Mapping[str, Mapping[str, str]]] = {
    "Vhost": {"connections": "max-connections", "queues": "max-queues"},
    "User": {"connections": "max-connections", "channels": "max-channels"},
}
_LIMIT_PATHS: Final = {"Vhost": "vhost-limits", "User": "user-limits"}
_COLLECTIONS: Final[Mapping[str, str]] = {
    "Vhost": "vhosts",
    "User": "users",
    "Permission": "permissions",
    "TopicPermission": "topic-permissions",
    "Exchange": "exchanges",
    "Queue": "queues",
    "Policy": "policies",
    "OperatorPolicy": "operator-policies",
}


@dataclass(frozen=True, kw_only=True)
class UserCredentials:
    """What a User's Secret holds; an empty `password_hash` asks for a user without a password."""

    username: str
    password: str = ""
    password_hash: str | None = None


def declaration(kind: str, spec: Mapping[str, Any], *, username: str = "") -> Call:
    """The call that makes the broker hold what a resource asks for; safe to repeat.

    `username` is that of a Permission's or TopicPermission's user. Users have a function of their own.
    """
    if kind == "Binding":
        return Call("POST", _binding_path(spec), _BODIES[kind](spec))
    return Call("PUT", _path(kind, spec, username), _BODIES[kind](spec))


def _path(kind: str, spec: Mapping[str, Any], username: str) -> tuple[str, ...]:
    match kind:
        case "Vhost":
            return (_COLLECTIONS[kind], spec["name"])
        case "User":
            return (_COLLECTIONS[kind], username)
        case "Permission" | "TopicPermission":
            return (_COLLECTIONS[kind], spec["vhost"], username)
        case _:
            return (_COLLECTIONS[kind], spec["vhost"], spec["name"])


def _vhost_body(spec: Mapping[str, Any]) -> dict[str, Any]:
    body: dict[str, Any] = {"description": "", "tags": spec.get("tags") or [], "tracing": spec.get("tracing", False)}
    return body | ({"default_queue_type": spec["defaultQueueType"]} if spec.get("defaultQueueType") else {})


def _permission_body(spec: Mapping[str, Any]) -> dict[str, Any]:
    return {right: spec["permissions"].get(right, "") for right in ("configure", "write", "read")}


def _topic_permission_body(spec: Mapping[str, Any]) -> dict[str, Any]:
    return {field: spec["permissions"].get(field, "") for field in ("exchange", "write", "read")}


def _exchange_body(spec: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": spec.get("type", "direct"), **_durability(spec)}


def _queue_body(spec: Mapping[str, Any]) -> dict[str, Any]:
    body = _durability(spec)
    if spec.get("type"):
        body["arguments"]["x-queue-type"] = spec["type"]
    return body


def _binding_body(spec: Mapping[str, Any]) -> dict[str, Any]:
    return {"routing_key": spec.get("routingKey", ""), "arguments": dict(spec.get("arguments") or {})}


def _policy_body(spec: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "pattern": spec["pattern"],
        "apply-to": spec["applyTo"],
        "priority": spec.get("priority", 0),
        "definition": spec["definition"],
    }


_BODIES: Final[Mapping[str, Callable[[Mapping[str, Any]], dict[str, Any]]]] = {
    "Vhost": _vhost_body,
    "Permission": _permission_body,
    "TopicPermission": _topic_permission_body,
    "Exchange": _exchange_body,
    "Queue": _queue_body,
    "Binding": _binding_body,
    "Policy": _policy_body,
    "OperatorPolicy": _policy_body,
}


def _durability(spec: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "durable": spec.get("durable", False),
        "auto_delete": spec.get("autoDelete", False),
        "arguments": dict(spec.get("arguments") or {}),
    }


def _binding_path(spec: Mapping[str, Any]) -> tuple[str, ...]:
    destination_type = "q" if spec.get("destinationType") == "queue" else "e"
    return ("bindings", spec["vhost"], "e", spec.get("source", ""), destination_type, spec.get("destination", ""))


def user_declaration(credentials: UserCredentials, tags: Sequence[str]) -> Call:
    """The call that creates a user or sets its password and tags; the password travels salted and hashed."""
    password_hash = credentials.password_hash
    if password_hash is None:
        password_hash = _salted_hash(credentials.password)
    body = {"tags": ",".join(tags), "password_hash": password_hash, "hashing_algorithm": _HASHING}
    return Call("PUT", ("users", credentials.username), body)


def _salted_hash(password: str) -> str:
    salt = secrets.token_bytes(_SALT_BYTES)
    return base64.b64encode(salt + hashlib.sha512(salt + password.encode()).digest()).decode()


def removal(kind: str, spec: Mapping[str, Any], *, username: str = "") -> Call | None:
    """The call that takes a resource off the broker; None where the resource asks to keep it.

    Bindings have a function of their own, because they have no name.
    """
    if spec.get("deletionPolicy") == "retain":
        return None
    path = _path(kind, spec, username)
    if kind == "TopicPermission":
        return Call("DELETE", (*path, spec["permissions"]["exchange"]))
    return Call("DELETE", path, query=_queue_conditions(spec) if kind == "Queue" else ())


def _queue_conditions(spec: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Conditions that the broker checks while it deletes; it knows none for quorum queues."""
    if spec.get("type") == "quorum":
        return ()
    wanted = (("if-empty", spec.get("deleteIfEmpty")), ("if-unused", spec.get("deleteIfUnused")))
    return tuple((name, "true") for name, value in wanted if value)


def queue_inspection(spec: Mapping[str, Any]) -> Call | None:
    """The call to make before a quorum queue with conditions is deleted; None where there is nothing to check."""
    if spec.get("type") == "quorum" and (spec.get("deleteIfEmpty") or spec.get("deleteIfUnused")):
        return Call("GET", ("queues", spec["vhost"], spec["name"]))
    return None


def refused_queue_removal(spec: Mapping[str, Any], queue: Mapping[str, Any]) -> str | None:
    """Why a quorum queue must stay, given what the broker says of it; None when it may go."""
    if spec.get("deleteIfEmpty") and queue.get("messages", 0) > 0:
        return f"cannot delete queue {spec['name']} because it has ready messages"
    if spec.get("deleteIfUnused") and queue.get("consumers", 0) > 0:
        return f"cannot delete queue {spec['name']} because queue has consumers"
    return None


def bindings_listing(spec: Mapping[str, Any]) -> Call:
    """The call that lists all bindings between a Binding's source and destination."""
    return Call("GET", _binding_path(spec))


def binding_removal(spec: Mapping[str, Any], listed: Sequence[Mapping[str, Any]]) -> Call | None:
    """The call that removes a Binding, found by routing key and arguments; None when the broker has none such."""
    for binding in listed:
        same_key = binding.get("routing_key", "") == spec.get("routingKey", "")
        if same_key and (binding.get("arguments") or {}) == (spec.get("arguments") or {}):
            return Call("DELETE", (*_binding_path(spec), binding["properties_key"]))
    return None


def limits_listing(kind: str, name: str) -> Call:
    """The call that lists the limits of a vhost or user."""
    return Call("GET", (_LIMIT_PATHS[kind], name))


def limit_changes(kind: str, name: str, spec: Mapping[str, Any], listed: Sequence[Mapping[str, Any]]) -> list[Call]:
    """The calls that bring limits to what a Vhost or User asks for: first those to drop, then those to set."""
    fields = _LIMIT_FIELDS[kind]
    asked = spec.get("limits") or {}
    wanted = {limit: asked[field] for field, limit in fields.items() if asked.get(field) is not None}
    existing = listed[0].get("value") or {} if listed else {}
    root = _LIMIT_PATHS[kind]
    stale = [limit for limit in fields.values() if limit in existing and limit not in wanted]
    return [Call("DELETE", (root, name, limit)) for limit in stale] + [
        Call("PUT", (root, name, limit), {"value": value})
        for limit, value in wanted.items()
        if existing.get(limit) != value
    ]
