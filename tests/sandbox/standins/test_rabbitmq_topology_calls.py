"""Topology resources become the calls that the real topology operator makes.

Upstream: rabbitmq/messaging-topology-operator v1.20.1 `internal/*_settings.go`, `internal/{binding,policy,user}.go`,
`internal/controller/{binding,queue,vhost,user}_controller.go`; michaelklishin/rabbit-hole v3 for paths and bodies.
"""

import base64
import hashlib
from typing import Any

import pytest

from sandbox.standins.rabbitmq_operators.topology_calls import (
    UserCredentials,
    binding_removal,
    bindings_listing,
    declaration,
    limit_changes,
    limits_listing,
    queue_inspection,
    refused_queue_removal,
    removal,
    user_declaration,
)

QUEUE = {"name": "high", "vhost": "/", "type": "quorum", "durable": True, "arguments": {"x-max-length": 5}}
BINDING = {
    "vhost": "fleet",
    "source": "tasks",
    "destination": "mail",
    "destinationType": "exchange",
    "routingKey": "mail.#",
}
POLICY = {
    "name": "high",
    "vhost": "fleet",
    "pattern": "^high$",
    "applyTo": "quorum_queues",
    "priority": 2,
    "definition": {"delivery-limit": 5},
}
PERMISSION = {"vhost": "fleet", "userReference": {"name": "worker"}, "permissions": {"read": ".*"}}
TOPIC_PERMISSION = {"vhost": "fleet", "user": "u", "permissions": {"exchange": "tasks", "write": "^high"}}


@pytest.mark.parametrize(
    ("kind", "spec", "method", "target", "body"),
    [
        pytest.param(
            "Vhost",
            {"name": "fleet", "defaultQueueType": "quorum", "tags": ["a"]},
            "PUT",
            "/api/vhosts/fleet",
            {"description": "", "tags": ["a"], "tracing": False, "default_queue_type": "quorum"},
            id="vhost",
        ),
        pytest.param(
            "Queue",
            QUEUE,
            "PUT",
            "/api/queues/%2F/high",
            {"durable": True, "auto_delete": False, "arguments": {"x-max-length": 5, "x-queue-type": "quorum"}},
            id="queue-with-its-type-as-an-argument",
        ),
        pytest.param(
            "Exchange",
            {"name": "tasks", "vhost": "fleet", "type": "topic", "durable": True},
            "PUT",
            "/api/exchanges/fleet/tasks",
            {"type": "topic", "durable": True, "auto_delete": False, "arguments": {}},
            id="exchange",
        ),
        pytest.param(
            "Binding",
            BINDING,
            "POST",
            "/api/bindings/fleet/e/tasks/e/mail",
            {"routing_key": "mail.#", "arguments": {}},
            id="binding-to-an-exchange",
        ),
        pytest.param(
            "Policy",
            POLICY,
            "PUT",
            "/api/policies/fleet/high",
            {"pattern": "^high$", "apply-to": "quorum_queues", "priority": 2, "definition": {"delivery-limit": 5}},
            id="policy",
        ),
        pytest.param(
            "Permission",
            PERMISSION,
            "PUT",
            "/api/permissions/fleet/u",
            {"configure": "", "write": "", "read": ".*"},
            id="permission-without-a-right-grants-nothing",
        ),
        pytest.param(
            "TopicPermission",
            TOPIC_PERMISSION,
            "PUT",
            "/api/topic-permissions/fleet/u",
            {"exchange": "tasks", "write": "^high", "read": ""},
            id="topic-permission",
        ),
    ],
)
def test_a_resource_is_declared_by_one_call(
    kind: str, spec: dict[str, Any], method: str, target: str, body: dict[str, Any]
) -> None:
    """Names are encoded into the path, everything else is the body."""
    call = declaration(kind, spec, username="u")
    assert (call.method, call.target, call.body) == (method, target, body)


def test_a_users_password_travels_salted_and_hashed() -> None:
    """RabbitMQ's SHA-512 form: four bytes of salt, then the hash of salt and password."""
    call = user_declaration(UserCredentials(username="u", password="pw"), ["monitoring", "policymaker"])
    assert call.target == "/api/users/u"
    assert call.body is not None
    assert (call.body["tags"], call.body["hashing_algorithm"]) == (
        "monitoring,policymaker",
        "rabbit_password_hashing_sha512",
    )
    raw = base64.b64decode(call.body["password_hash"])
    assert raw[4:] == hashlib.sha512(raw[:4] + b"pw").digest()


def test_a_given_hash_is_passed_on() -> None:
    """An empty one makes a user without a password."""
    call = user_declaration(UserCredentials(username="u", password="ignored", password_hash=""), [])
    assert call.body is not None
    assert call.body["password_hash"] == ""


@pytest.mark.parametrize(
    ("kind", "spec", "target"),
    [
        pytest.param("Vhost", {"name": "fleet"}, "/api/vhosts/fleet", id="vhost"),
        pytest.param("User", {}, "/api/users/u", id="user"),
        pytest.param("Queue", QUEUE, "/api/queues/%2F/high", id="quorum-queue-without-conditions"),
        pytest.param(
            "Queue",
            {"name": "q", "vhost": "v", "type": "classic", "deleteIfEmpty": True, "deleteIfUnused": True},
            "/api/queues/v/q?if-empty=true&if-unused=true",
            id="classic-queue-with-conditions",
        ),
        pytest.param("Policy", POLICY, "/api/policies/fleet/high", id="policy"),
        pytest.param("OperatorPolicy", POLICY, "/api/operator-policies/fleet/high", id="operator-policy"),
        pytest.param("Permission", PERMISSION, "/api/permissions/fleet/u", id="permission"),
        pytest.param(
            "TopicPermission", TOPIC_PERMISSION, "/api/topic-permissions/fleet/u/tasks", id="topic-permission"
        ),
    ],
)
def test_a_resource_is_removed_by_one_call(kind: str, spec: dict[str, Any], target: str) -> None:
    """What was declared is what goes."""
    call = removal(kind, spec, username="u")
    assert call is not None
    assert (call.method, call.target) == ("DELETE", target)


@pytest.mark.parametrize(("kind", "spec"), [("Queue", QUEUE), ("Vhost", {"name": "fleet"})])
def test_what_is_to_be_retained_stays_on_the_broker(kind: str, spec: dict[str, Any]) -> None:
    """`deletionPolicy: retain` keeps the messages."""
    assert removal(kind, {**spec, "deletionPolicy": "retain"}) is None


def test_a_binding_is_found_by_its_key_and_arguments() -> None:
    """The broker's own name for it goes into the path, encoded once more."""
    listed = [
        {"routing_key": "mail", "arguments": {}, "properties_key": "mail"},
        {"routing_key": "mail.#", "arguments": {"x": 1}, "properties_key": "mail.%23~abc"},
        {"routing_key": "mail.#", "arguments": {}, "properties_key": "mail.%23"},
    ]
    assert bindings_listing(BINDING).target == "/api/bindings/fleet/e/tasks/e/mail"
    call = binding_removal(BINDING, listed)
    assert call is not None
    assert call.target == "/api/bindings/fleet/e/tasks/e/mail/mail.%2523"
    with_arguments = binding_removal(BINDING | {"arguments": {"x": 1}}, listed)
    assert with_arguments is not None
    assert with_arguments.path[-1] == "mail.%23~abc"


def test_a_binding_that_is_gone_needs_no_call() -> None:
    """Somebody else unbound it."""
    assert binding_removal(BINDING, []) is None


@pytest.mark.parametrize(
    ("conditions", "queue", "refusal"),
    [
        pytest.param({"deleteIfEmpty": True}, {"messages": 1}, "because it has ready messages", id="not-empty"),
        pytest.param({"deleteIfUnused": True}, {"consumers": 1}, "because queue has consumers", id="in-use"),
        pytest.param({"deleteIfEmpty": True, "deleteIfUnused": True}, {"messages": 0, "consumers": 0}, None, id="idle"),
    ],
)
def test_a_quorum_queue_is_looked_at_before_it_goes(
    conditions: dict[str, Any], queue: dict[str, Any], refusal: str | None
) -> None:
    """The broker checks no conditions for quorum queues, so the operator does."""
    assert queue_inspection(QUEUE) is None
    inspection = queue_inspection(QUEUE | conditions)
    assert inspection is not None
    assert inspection.target == "/api/queues/%2F/high"
    answer = refused_queue_removal(QUEUE | conditions, queue)
    assert answer == (refusal and f"cannot delete queue high {refusal}")


def test_limits_are_dropped_set_and_left_alone() -> None:
    """Only what differs is sent."""
    assert limits_listing("Vhost", "/").target == "/api/vhost-limits/%2F"
    listed = [{"value": {"max-connections": 10, "max-queues": 5}}]
    calls = limit_changes("Vhost", "v", {"limits": {"connections": 20}}, listed)
    assert [(call.method, call.target, call.body) for call in calls] == [
        ("DELETE", "/api/vhost-limits/v/max-queues", None),
        ("PUT", "/api/vhost-limits/v/max-connections", {"value": 20}),
    ]
    assert limit_changes("User", "u", {"limits": {"channels": 5}}, [{"value": {"max-channels": 5}}]) == []
    assert limit_changes("User", "u", {}, []) == []
