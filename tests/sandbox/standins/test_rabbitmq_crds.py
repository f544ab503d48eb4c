"""The stand-in's CustomResourceDefinitions accept what the upstream ones accept and refuse what they refuse.

Upstream: rabbitmq/cluster-operator v2.21.1 `config/crd/bases/rabbitmq.com_rabbitmqclusters.yaml`;
rabbitmq/messaging-topology-operator v1.20.1 `config/crd/bases/rabbitmq.com_*.yaml`.
"""

from typing import Any

import jsonschema
import pytest
import yaml

from sandbox.standins.rabbitmq_operators.crds import all_definitions, definitions_yaml
from tests.sandbox.standins.upstream_definitions import fields, schema_of, upstream

OURS = {definition["spec"]["names"]["kind"]: definition for definition in all_definitions()}
REFERENCE = {"name": "broker"}

CHOSEN_DIFFERENCES = {
    "RabbitmqCluster.spec.delayStartSeconds": {"default"},  # 0 instead of 30, so that brokers start at once
    "Queue.spec.durable": {"default"},  # upstream's mutating webhook sets it
}
FREE_HERE = ("RabbitmqCluster.spec.affinity", "RabbitmqCluster.spec.override.", "RabbitmqCluster.spec.secretBackend.")
COMPARED = ("type", "enum", "format", "default", "minimum", "maxLength", "maxItems", "pattern", "anyOf", "required")


@pytest.mark.parametrize("kind", OURS)
def test_every_field_has_the_type_that_it_has_upstream(kind: str) -> None:
    """A field that the stand-in knows means upstream what it means here."""
    theirs = dict(fields(schema_of(upstream(OURS[kind])), kind))
    for path, schema in fields(schema_of(OURS[kind]), kind):
        assert path in theirs, f"{path} does not exist upstream"
        words = set(COMPARED) - CHOSEN_DIFFERENCES.get(path, set())
        if path.startswith(FREE_HERE):
            words = {"type"}
        ours_said = {word: schema[word] for word in words if word in schema}
        theirs_said = {word: theirs[path][word] for word in words if word in theirs[path]}
        assert ours_said == theirs_said, path


@pytest.mark.parametrize("kind", OURS)
def test_no_field_of_upstream_is_missing(kind: str) -> None:
    """A field that upstream keeps is not dropped here in silence."""
    ours = dict(fields(schema_of(OURS[kind]), kind))
    missing = [
        path
        for path, _ in fields(schema_of(upstream(OURS[kind])), kind)
        if path not in ours and not path.startswith(FREE_HERE)
    ]
    assert missing == []


@pytest.mark.parametrize("kind", OURS)
def test_the_kind_is_known_by_the_names_it_has_upstream(kind: str) -> None:
    """`kubectl get rmq` and `kubectl get rabbitmq` show the same things in the same columns."""
    theirs, ours = upstream(OURS[kind])["spec"], OURS[kind]["spec"]
    assert ours["names"] == theirs["names"]
    assert (ours["scope"], ours["group"]) == (theirs["scope"], theirs["group"])
    for word in ("name", "served", "storage", "subresources", "additionalPrinterColumns"):
        assert ours["versions"][0].get(word) == theirs["versions"][0].get(word)


ACCEPTED = [
    pytest.param("RabbitmqCluster", {}, id="a-cluster-with-defaults-alone"),
    pytest.param(
        "RabbitmqCluster",
        {
            "replicas": 3,
            "image": "rabbitmq:4.3.6-management",
            "resources": {"requests": {"cpu": 1, "memory": "4Gi"}, "limits": {"memory": "4Gi"}},
            "persistence": {"storageClassName": "local", "storage": "20Gi"},
            "rabbitmq": {"additionalConfig": "a = b", "additionalPlugins": ["rabbitmq_consistent_hash_exchange"]},
            "tls": {"secretName": "broker-tls"},
            "affinity": {"podAntiAffinity": {}},
            "tolerations": [{"key": "dedicated", "operator": "Exists"}],
            "override": {"statefulSet": {"spec": {"minReadySeconds": 5}}},
        },
        id="a-cluster-with-everything-the-stack-sets",
    ),
    pytest.param(
        "Vhost", {"name": "v", "defaultQueueType": "quorum", "rabbitmqClusterReference": REFERENCE}, id="vhost"
    ),
    pytest.param(
        "Queue",
        {"name": "q", "type": "quorum", "durable": True, "rabbitmqClusterReference": REFERENCE, "arguments": {"x": {}}},
        id="queue",
    ),
    pytest.param(
        "Policy",
        {"name": "p", "pattern": "^q$", "applyTo": "quorum_queues", "definition": {"max-length": 1}}
        | {"rabbitmqClusterReference": REFERENCE},
        id="policy",
    ),
    pytest.param("User", {"tags": ["monitoring"], "rabbitmqClusterReference": REFERENCE}, id="user"),
]
REFUSED = [
    pytest.param("RabbitmqCluster", {"replicas": -1}, id="fewer-than-no-node"),
    pytest.param("RabbitmqCluster", {"persistence": {"storage": "ten"}}, id="a-size-that-is-no-quantity"),
    pytest.param("RabbitmqCluster", {"service": {"type": "Internal"}}, id="an-unknown-service-type"),
    pytest.param("RabbitmqCluster", {"rabbitmq": {"additionalPlugins": ["a b"]}}, id="a-plugin-name-with-a-space"),
    pytest.param("Vhost", {"rabbitmqClusterReference": REFERENCE}, id="vhost-without-a-name"),
    pytest.param("Queue", {"name": "q"}, id="queue-without-a-broker"),
    pytest.param(
        "Queue", {"name": "q", "deletionPolicy": "keep", "rabbitmqClusterReference": REFERENCE}, id="policy-word"
    ),
    pytest.param("Policy", {"name": "p", "pattern": ".", "rabbitmqClusterReference": REFERENCE}, id="nothing-defined"),
    pytest.param("User", {"tags": ["root"], "rabbitmqClusterReference": REFERENCE}, id="an-unknown-tag"),
    pytest.param(
        "Permission", {"vhost": "v", "user": "u", "rabbitmqClusterReference": REFERENCE}, id="permission-without-rights"
    ),
    pytest.param(
        "Binding", {"destinationType": "topic", "rabbitmqClusterReference": REFERENCE}, id="binding-to-a-topic"
    ),
]


@pytest.mark.parametrize(("kind", "spec"), ACCEPTED)
def test_both_accept(kind: str, spec: dict[str, Any]) -> None:
    """What the stack writes passes the real definitions and ours."""
    for definition in (OURS[kind], upstream(OURS[kind])):
        jsonschema.Draft202012Validator(schema_of(definition)).validate({"spec": spec})


@pytest.mark.parametrize(("kind", "spec"), REFUSED)
def test_both_refuse(kind: str, spec: dict[str, Any]) -> None:
    """What the real definitions refuse cannot pass here."""
    for definition in (OURS[kind], upstream(OURS[kind])):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.Draft202012Validator(schema_of(definition)).validate({"spec": spec})


def test_the_stream_is_plain_yaml_that_reads_back() -> None:
    """`kubectl apply -f -` gets every definition, without YAML anchors."""
    text = definitions_yaml()
    assert "&id" not in text
    assert [content["spec"]["names"]["kind"] for content in yaml.safe_load_all(text)] == list(OURS)
