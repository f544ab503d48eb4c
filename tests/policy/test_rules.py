"""Each rule passes what is right and finds what is wrong, once, at its place."""

from typing import Any

import pytest

from policy.graph import UNKNOWN
from policy.judging import judge
from policy.rules import RESOURCE_RULES, STACK_RULES
from tests.policy.samples import ABSENT, DIGEST, broken, stack

POD = "spec/template/spec"
CONTAINER = f"{POD}/containers/0"

TOKEN_VOLUME = {"name": "account", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}}

WRONG = [
    # rule, sample, what is changed
    pytest.param("container-resources", "io-worker", {f"{CONTAINER}/resources/limits/memory": ABSENT}, id="no-memory-limit"),
    pytest.param("container-resources", "io-worker", {f"{CONTAINER}/resources/requests/cpu": ABSENT}, id="no-cpu-request"),
    pytest.param("container-resources", "broker", {"spec/resources/requests/memory": ABSENT}, id="a-broker-without-a-memory-request"),
    pytest.param("cpu-limits", "io-worker", {f"{CONTAINER}/resources/limits/cpu": "1"}, id="a-cpu-limit-for-tasks-that-wait"),
    pytest.param("cpu-limits", "cpu-worker", {f"{CONTAINER}/resources/limits/cpu": ABSENT}, id="none-for-tasks-that-compute"),
    pytest.param("cpu-limits", "broker", {"spec/resources/limits/cpu": "4"}, id="a-cpu-limit-for-a-broker"),
    pytest.param("restricted-pods", "io-worker", {f"{POD}/hostNetwork": True}, id="the-network-of-the-node"),
    pytest.param("restricted-pods", "io-worker", {f"{CONTAINER}/securityContext/privileged": True}, id="a-privileged-container"),
    pytest.param("restricted-pods", "namespace", {"metadata/labels": {}}, id="a-namespace-that-enforces-nothing"),
    pytest.param("image-tag", "io-worker", {f"{CONTAINER}/image": "registry.example:5000/fleet/worker"}, id="no-tag"),
    pytest.param("image-tag", "io-worker", {f"{CONTAINER}/image": "registry.example/fleet/worker:latest"}, id="the-tag-latest"),
    pytest.param("image-tag", "operator", {f"{CONTAINER}/image": "rabbitmqoperator/cluster-operator:latest"}, id="an-operator-that-moves"),
    pytest.param("image-digest", "io-worker", {f"{CONTAINER}/image": "registry.example/fleet/worker:1.0"}, id="a-version-of-ones-own"),
    pytest.param("image-digest", "broker", {"spec/image": "docker.io/library/rabbitmq:4.3-management"}, id="a-release-that-is-not-pinned"),
    pytest.param("plain-credentials", "io-worker", {f"{CONTAINER}/env/0/value": "amqp://guest:guest@broker"}, id="a-broker-url-in-a-variable"),
    pytest.param("plain-credentials", "io-worker", {f"{CONTAINER}/env/0/value": "amqps://broker:5671"}, id="a-broker-url-that-logs-in-as-guest"),
    pytest.param("plain-credentials", "io-worker", {f"{CONTAINER}/args/1": "--broker=redis://:hunter2@results/0"}, id="a-password-in-an-argument"),
    pytest.param("plain-credentials", "io-worker", {f"{CONTAINER}/env/0": {"name": "STRIPE_API_KEY", "value": "sk"}}, id="a-variable-that-is-a-key"),
    pytest.param("plain-credentials", "io-worker", {f"{CONTAINER}/env/0/value": f"AKIA{'A' * 16}"}, id="an-access-key-of-aws"),
    pytest.param("plain-credentials", "document", {"data/document.json": '{"password": "hunter2"}'}, id="a-password-in-a-config-map"),
    pytest.param("plain-credentials", "document", {"data/url": "postgresql://app:hunter2@database/app"}, id="a-url-in-a-config-map"),
    pytest.param("plain-credentials", "broker", {"spec/rabbitmq/additionalConfig": "default_pass = hunter2\n"}, id="a-password-in-rabbitmq-conf"),
    pytest.param("trigger-credentials", "io-scaler", {"spec/triggers/0/metadata/host": "http://guest:guest@broker:15672"}, id="a-user-in-a-host"),
    pytest.param("trigger-credentials", "io-scaler", {"spec/triggers/0/metadata/password": "hunter2"}, id="a-password-in-a-trigger"),
    pytest.param("cluster-access", "io-worker", {f"{POD}/automountServiceAccountToken": ABSENT}, id="a-token-by-default"),
    pytest.param("cluster-access", "io-worker", {f"{POD}/volumes": [TOKEN_VOLUME]}, id="a-token-by-a-volume"),
    pytest.param("cluster-access", "scale-in", {f"{POD}/automountServiceAccountToken": True}, id="more-than-the-controllers-own-token"),
    pytest.param("cluster-access", "scale-in", {"metadata/name": "other"}, id="another-that-calls-itself-a-controller"),
    pytest.param("cluster-access", "scale-in", {"metadata/labels": {}}, id="a-controller-of-no-component"),
    pytest.param("cluster-access", "role", {"rules/0/verbs": ["list", "patch", "delete"]}, id="one-verb-too-many"),
    pytest.param("cluster-access", "role", {"rules/0/resources": ["pods", "secrets"]}, id="one-resource-too-many"),
    pytest.param("cluster-access", "role", {"rules/0/resources": ["pods/exec"]}, id="a-shell-in-every-pod"),
    pytest.param("cluster-access", "role", {"rules/0/verbs": ["*"]}, id="every-verb"),
    pytest.param("cluster-access", "role", {"rules/0/apiGroups": ["", "apps"]}, id="another-group"),
    pytest.param("cluster-access", "binding", {"roleRef/kind": "ClusterRole"}, id="a-role-of-the-cluster"),
    pytest.param("quorum-queues", "queue", {"spec/type": "classic"}, id="a-classic-queue"),
    pytest.param("quorum-queues", "queue", {"spec/type": ABSENT}, id="a-queue-of-no-type"),
    pytest.param("quorum-queues", "vhost", {"spec/defaultQueueType": ABSENT}, id="a-vhost-that-makes-classic-queues"),
    pytest.param("open-networks", "group", {"ingress/0/cidrBlocks": ["0.0.0.0/0"]}, id="a-group-open-to-all"),
    pytest.param("open-networks", "group", {"ingress/0/ipv6CidrBlocks": ["::/0"]}, id="a-group-open-to-all-of-ipv6"),
    pytest.param("open-networks", "ingress-rule", {"cidrIpv4": "0.0.0.0/1"}, id="half-of-the-internet"),
    pytest.param("open-networks", "classic-rule", {"cidrBlocks": ["0.0.0.0/0"]}, id="a-rule-of-the-old-kind"),
    pytest.param("open-networks", "cluster", {"vpcConfig": {}}, id="an-endpoint-by-default"),
    pytest.param("open-networks", "cluster", {"vpcConfig": {"endpointPublicAccess": True, "publicAccessCidrs": ["0.0.0.0/0"]}}, id="an-open-endpoint"),
    pytest.param("open-networks", "balancer", {"spec/loadBalancerSourceRanges": ABSENT}, id="a-load-balancer-for-everyone"),
    pytest.param("private-endpoint", "cluster", {"vpcConfig": {"endpointPublicAccess": True, "publicAccessCidrs": ["203.0.113.7/32"]}}, id="a-public-endpoint"),
    pytest.param("encryption", "cluster", {"encryptionConfig": ABSENT}, id="plain-secrets-in-etcd"),
    pytest.param("encryption", "template", {"blockDeviceMappings/0/ebs/encrypted": "false"}, id="a-plain-disk"),
    pytest.param("encryption", "template", {"blockDeviceMappings": ABSENT}, id="the-disk-of-the-image"),
    pytest.param("encryption", "instance", {"rootBlockDevice": ABSENT}, id="a-plain-root-disk"),
    pytest.param("encryption", "volume", {"encrypted": False}, id="a-plain-volume"),
    pytest.param("encryption", "storage", {"parameters/encrypted": ABSENT}, id="plain-volumes-of-brokers"),
    pytest.param("encryption", "node-class", {"spec/blockDeviceMappings/0/ebs/encrypted": False}, id="plain-disks-of-karpenters-nodes"),
    pytest.param("encryption", "images", {"encryptionConfigurations/0/encryptionType": "AES256"}, id="images-without-a-key"),
    pytest.param("encryption", "results", {"transitEncryptionEnabled": False}, id="results-in-clear-on-the-wire"),
    pytest.param("encryption", "results", {"atRestEncryptionEnabled": ABSENT}, id="results-in-clear-on-disk"),
    pytest.param("encryption", "notices", {"sqsManagedSseEnabled": ABSENT}, id="a-plain-queue"),
    pytest.param("encryption", "logs", {"kmsKeyId": ABSENT}, id="logs-without-a-key"),
    pytest.param("tags", "logs", {"tags": ABSENT}, id="no-tags"),
    pytest.param("tags", "cluster", {"tags/environment": ABSENT}, id="one-tag-too-few"),
    pytest.param("tags", "node-class", {"spec/tags": {}}, id="nodes-without-tags"),
    pytest.param("disruption-budget", "broker-budget", {"spec/selector/matchLabels": {"app": "other"}}, id="brokers-without-a-budget"),
    pytest.param("disruption-budget", "io-budget", {"metadata/namespace": "other"}, id="a-budget-in-another-namespace"),
    pytest.param("disruption-budget", "cpu-worker", {"spec/replicas": 2}, id="two-replicas-without-a-budget"),
    pytest.param("scaled-replicas", "io-worker", {"spec/replicas": 1}, id="replicas-beside-an-autoscaler"),
]  # fmt: skip

FINDS_ANOTHER = {"brokers-without-a-budget": "broker", "a-budget-in-another-namespace": "io-worker"}
"""Rows whose change makes another resource wrong."""


@pytest.mark.parametrize("environment", ["local", "dev", "staging", "prod"])
def test_what_is_right_passes(environment: str) -> None:
    """The samples meet every rule everywhere."""
    assert broken(stack(environment), environment) == []


@pytest.mark.parametrize(("rule", "sample", "change"), WRONG)
def test_each_mistake_is_found_once(
    rule: str, sample: str, change: dict[str, Any], request: pytest.FixtureRequest
) -> None:
    """By its own rule and by no other."""
    row = request.node.callspec.id
    found = broken(stack(**{sample.replace("-", "_"): change}))
    assert [(name, where) for _, name, where in found] == [(rule, FINDS_ANOTHER.get(row, sample))]


def test_two_autoscalers_for_one_workload_are_found() -> None:
    """The second one is named, with the first one's name in what is said of it."""
    twice = [*stack(), *(item for item in stack() if item.name == "io-scaler")]
    [found] = judge(twice, "prod")
    assert (found.rule.id, found.finding.where) == ("one-scaler", "spec.scaleTargetRef")
    assert "ScaledObject worker-high" in found.finding.problem


def test_every_rule_has_a_mistake_in_the_table() -> None:
    """A rule that nothing shows to work may as well not be there."""
    shown = {row.values[0] for row in WRONG} | {"one-scaler"}
    assert shown == {rule.id for rule in (*RESOURCE_RULES, *STACK_RULES)}


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"io_worker": {f"{CONTAINER}/image": UNKNOWN}}, id="an-image-that-is-not-built-yet"),
        pytest.param({"io_worker": {f"{CONTAINER}/resources": UNKNOWN}}, id="a-size"),
        pytest.param({"io_worker": {f"{CONTAINER}/securityContext": UNKNOWN}}, id="a-security-context"),
        pytest.param({"io_worker": {f"{CONTAINER}/env/0/value": UNKNOWN}}, id="a-host"),
        pytest.param({"cluster": {"vpcConfig": UNKNOWN, "encryptionConfig": UNKNOWN, "tags": UNKNOWN}}, id="a-cluster"),
        pytest.param({"group": {"ingress": UNKNOWN}, "ingress_rule": {"cidrIpv4": UNKNOWN}}, id="networks"),
        pytest.param({"logs": {"kmsKeyId": UNKNOWN}, "volume": {"encrypted": UNKNOWN}}, id="keys"),
        pytest.param({"io_worker": {f"{POD}/automountServiceAccountToken": UNKNOWN}, "role": {"rules/0/verbs": UNKNOWN}}, id="tokens-and-rights"),
        pytest.param({"queue": {"spec": UNKNOWN}, "vhost": {"spec/defaultQueueType": UNKNOWN}}, id="queues"),
    ],
)  # fmt: skip
def test_what_is_not_known_yet_is_not_wrong(change: dict[str, Any]) -> None:
    """A first preview knows little; the update asks the same rules again."""
    assert broken(stack(**change)) == []


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"io_worker": {f"{CONTAINER}/env/0": {"name": "TOKEN_SECONDS", "value": "60"}}}, id="a-name-that-only-mentions-one"),
        pytest.param({"io_worker": {f"{CONTAINER}/env/0": {"name": "PASSWORD_FILE", "value": "/run/secrets/p"}}}, id="the-place-of-a-secret"),
        pytest.param({"io_worker": {f"{CONTAINER}/env/0/value": "amqp://$(USER):$(PASSWORD)@broker"}}, id="a-url-made-of-secrets"),
        pytest.param({"io_worker": {f"{CONTAINER}/env/0/value": "https://api.example:8443/v1"}}, id="a-url-with-a-port"),
        pytest.param({"io_worker": {f"{CONTAINER}/image": f"{DIGEST.replace('@', ':latest@')}"}}, id="a-digest-beside-a-tag"),
        pytest.param({"balancer": {"spec": {"type": "ClusterIP"}}}, id="a-service-inside-the-cluster"),
        pytest.param({"classic_rule": {"type": "egress", "cidrBlocks": ["0.0.0.0/0"]}}, id="a-way-out"),
        pytest.param({"notices": {"sqsManagedSseEnabled": ABSENT, "kmsMasterKeyId": "alias/aws/sqs"}}, id="a-queue-with-a-key"),
        pytest.param({"storage": {"provisioner": "nfs.example", "parameters": ABSENT}}, id="another-driver"),
        pytest.param({"cpu_worker": {"spec/replicas": 1}}, id="one-pod"),
    ],
)  # fmt: skip
def test_what_only_looks_wrong_is_left_alone(change: dict[str, Any]) -> None:
    """A false alarm teaches people to look away."""
    assert broken(stack(**change)) == []


@pytest.mark.parametrize(
    "properties",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"metadata": None, "spec": None, "data": None}, id="null"),
        pytest.param({"metadata": "x", "spec": "x", "tags": "x", "vpcConfig": "x"}, id="text"),
        pytest.param({"spec": {"template": [], "triggers": [None], "containers": "x"}, "ingress": [None]}, id="lists"),
        pytest.param({"spec": {"template": {"spec": {"containers": [None, {}]}}}}, id="containers-without-a-name"),
    ],
)
def test_no_shape_makes_a_rule_fail(properties: dict[str, Any]) -> None:
    """Whatever an engine hands over is judged, and nothing of ours ends in a traceback."""
    odd = [type(item)(typ=item.typ, name=item.name, properties=properties, urn=item.urn) for item in stack()]
    assert isinstance(judge(odd, "prod"), list)


@pytest.mark.parametrize(
    ("rule", "change", "levels"),
    [
        pytest.param(
            "open-networks", {"group": {"ingress/0/cidrBlocks": ["0.0.0.0/0"]}},
            {"dev": "advisory", "staging": "advisory", "prod": "mandatory"}, id="the-internet",
        ),
        pytest.param(
            "image-digest", {"io_worker": {f"{CONTAINER}/image": "registry.example/worker:1.0"}},
            {"local": "advisory", "dev": "advisory", "staging": "mandatory", "prod": "mandatory"}, id="a-tag",
        ),
        pytest.param(
            "private-endpoint", {"cluster": {"vpcConfig": {"endpointPublicAccess": True, "publicAccessCidrs": ["203.0.113.7/32"]}}},
            {"dev": None, "staging": None, "prod": "advisory"}, id="a-public-endpoint",
        ),
        pytest.param(
            "encryption", {"logs": {"kmsKeyId": ABSENT}}, {"dev": "mandatory", "prod": "mandatory"}, id="everywhere-alike"
        ),
    ],
)  # fmt: skip
def test_what_a_finding_does_depends_on_the_environment(
    rule: str, change: dict[str, Any], levels: dict[str, str | None]
) -> None:
    """Where it is stated."""
    for environment, level in levels.items():
        found = [(said, name) for said, name, _ in broken(stack(environment, **change), environment)]
        assert found == ([] if level is None else [(level, rule)]), environment


def test_no_finding_repeats_a_credential() -> None:
    """What is found is printed, in a pull request too."""
    change: dict[str, dict[str, Any]] = {
        "io_worker": {
            f"{CONTAINER}/env/0": {"name": "STRIPE_API_KEY", "value": "hunter2"},
            f"{CONTAINER}/args/1": "amqp://guest:hunter2@broker",
        },
        "document": {"data/document.json": '{"password": "hunter2"}'},
        "io_scaler": {"spec/triggers/0/metadata/password": "hunter2"},
    }
    found = judge(stack(**change), "prod")
    assert len(found) == 4
    assert [item for item in map(str, found) if "hunter2" in item] == []
