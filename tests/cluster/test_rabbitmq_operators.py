"""The operators' stand-in on a real node: a real API server refuses, a real RabbitMQ holds what was asked for.

Upstream: rabbitmq/cluster-operator v2.21.1 and rabbitmq/messaging-topology-operator v1.20.1; the words of refusals are
those of the latter's `internal/webhook/v1beta1/*.go`.
"""

import base64
import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.cluster.running_fleet import eventually

pytestmark = pytest.mark.cluster

NAMESPACE = "operators-test"
READY_SECONDS = 180


class Shell:
    """`kubectl` in the namespace of these tests."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = dict(environment)

    def run(self, *arguments: str, stdin: str | None = None, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        command = ["kubectl", "--namespace", NAMESPACE, *arguments]
        return subprocess.run(
            command, input=stdin, env=self._environment, capture_output=True, text=True, timeout=timeout, check=False
        )

    def kubectl(self, *arguments: str, stdin: str | None = None, timeout: float = 120) -> str:
        done = self.run(*arguments, stdin=stdin, timeout=timeout)
        assert done.returncode == 0, f"kubectl {' '.join(arguments)}:\n{done.stdout}{done.stderr}"
        return done.stdout

    def apply(self, *objects: dict[str, Any]) -> None:
        self.kubectl("apply", "-f", "-", stdin="\n---\n".join(json.dumps(obj) for obj in objects))

    def get(self, kind: str, name: str) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(self.kubectl("get", kind, name, "-o", "json"))
        return content

    def wait(self, condition: str, target: str, seconds: int = READY_SECONDS) -> None:
        self.kubectl("wait", target, f"--for=condition={condition}", f"--timeout={seconds}s", timeout=seconds + 10)

    def in_broker(self, *command: str) -> list[str]:
        """What a command of RabbitMQ prints, line by line."""
        printed = self.kubectl("exec", "broker-server-0", "-c", "rabbitmq", "--", *command)
        return printed.splitlines()


@pytest.fixture(scope="module")
def shell(request: pytest.FixtureRequest) -> Iterator[Shell]:
    """In a shell of the sandbox its own cluster, else that of the shared fleet."""
    inside = "FLEET_SANDBOX_NAME" in os.environ
    environment = os.environ if inside else request.getfixturevalue("fleet").environment
    opened = Shell(environment)
    opened.run("delete", "namespace", NAMESPACE, "--ignore-not-found", "--timeout=120s", timeout=130)
    opened.kubectl("create", "namespace", NAMESPACE)
    yield opened
    opened.run("delete", "rabbitmqclusters.rabbitmq.com", "--all", "--timeout=60s")
    opened.kubectl("delete", "namespace", NAMESPACE, "--timeout=120s", timeout=130)


def topology(kind: str, name: str, /, **spec: Any) -> dict[str, Any]:
    spec.setdefault("rabbitmqClusterReference", {"name": "broker"})
    return {"apiVersion": "rabbitmq.com/v1beta1", "kind": kind, "metadata": {"name": name}, "spec": spec}


QUEUE = topology("Queue", "kept", name="kept", type="quorum", arguments={"x-max-length": 1, "deep": {"er": [1]}})
BINDING = topology("Binding", "kept", source="tasks", destination="kept", destinationType="queue", routingKey="kept")
EXCHANGE = topology("Exchange", "kept", name="kept", type="topic", durable=True)
PERMISSION = topology("Permission", "kept", vhost="v", userReference={"name": "u"}, permissions={"read": ".*"})
POLICY = topology("Policy", "kept", name="kept", pattern="^kept$", definition={"max-length": 1})
NAMES_FIXED = "updates on name, vhost, and rabbitmqClusterReference are all forbidden"

FORBIDDEN_CHANGES = [
    pytest.param(QUEUE, {"name": "other"}, NAMES_FIXED, id="queue-name"),
    pytest.param(QUEUE, {"vhost": "other"}, NAMES_FIXED, id="queue-vhost"),
    pytest.param(QUEUE, {"rabbitmqClusterReference": {"name": "other"}}, NAMES_FIXED, id="queue-broker"),
    pytest.param(QUEUE, {"type": "classic"}, "queue type cannot be updated", id="queue-type"),
    pytest.param(
        QUEUE, {"arguments": {"deep": {"er": [2]}}}, "queue arguments cannot be updated", id="queue-arguments"
    ),
    pytest.param(QUEUE, {"arguments": None}, "queue arguments cannot be updated", id="queue-arguments-dropped"),
    pytest.param(QUEUE, {"durable": False}, "Quorum queues must have durable set to true", id="queue-durability"),
    pytest.param(BINDING, {"routingKey": "#"}, "routingKey cannot be updated", id="binding-key"),
    pytest.param(BINDING, {"source": "other"}, "source cannot be updated", id="binding-source"),
    pytest.param(BINDING, {"arguments": {"x": 1}}, "arguments cannot be updated", id="binding-arguments"),
    pytest.param(EXCHANGE, {"type": "direct"}, "exchange type cannot be updated", id="exchange-type"),
    pytest.param(PERMISSION, {"userReference": {"name": "w"}}, "are all forbidden", id="permission-user"),
    pytest.param(
        PERMISSION, {"user": "w"}, "cannot specify spec.user and spec.userReference", id="permission-two-users"
    ),
    pytest.param(POLICY, {"name": "other"}, "updates on name, vhost and rabbitmqClusterReference", id="policy-name"),
]
ALLOWED_CHANGES = [
    pytest.param(QUEUE, {"deletionPolicy": "retain"}, id="queue-retained"),
    pytest.param(EXCHANGE, {"arguments": {"alternate-exchange": "unrouted"}}, id="exchange-arguments"),
    pytest.param(PERMISSION, {"permissions": {"write": ".*"}}, id="permission-rights"),
    pytest.param(POLICY, {"definition": {"max-length": 2}, "priority": 1}, id="policy-definition"),
]


def patch(shell: Shell, resource: dict[str, Any], change: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    shell.apply(resource)
    kind = {"Policy": "policies"}.get(resource["kind"], f"{resource['kind'].lower()}s")
    body = json.dumps({"spec": change})
    return shell.run("patch", f"{kind}.rabbitmq.com", "kept", "--type", "merge", "--dry-run=server", "-p", body)


@pytest.mark.parametrize(("resource", "change", "words"), FORBIDDEN_CHANGES)
def test_what_must_not_change_is_refused_by_the_api_server(
    shell: Shell, resource: dict[str, Any], change: dict[str, Any], words: str
) -> None:
    """In a dry run too, so that a preview shows it."""
    done = patch(shell, resource, change)
    assert done.returncode != 0
    assert words in done.stderr


@pytest.mark.parametrize(("resource", "change"), ALLOWED_CHANGES)
def test_what_may_change_passes(shell: Shell, resource: dict[str, Any], change: dict[str, Any]) -> None:
    """The rules forbid nothing that the webhooks allow."""
    done = patch(shell, resource, change)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        pytest.param({}, "must provide either name or connectionSecret", id="neither"),
        pytest.param({"name": "b", "connectionSecret": {"name": "s"}}, "do not provide both", id="both"),
    ],
)
def test_a_reference_names_one_broker(shell: Shell, reference: dict[str, Any], words: str) -> None:
    """By name or by Secret."""
    resource = json.dumps(topology("Vhost", "v", name="v", rabbitmqClusterReference=reference))
    done = shell.run("create", "--dry-run=server", "-f", "-", stdin=resource)
    assert done.returncode != 0
    assert words in done.stderr


@pytest.fixture(scope="module")
def broker(shell: Shell) -> Shell:
    """A broker of one node with a vhost, a queue, its binding, a policy, and a user that may use them."""
    shell.run("delete", "rabbitmq", "--all", "--timeout=60s")
    spec = {
        "replicas": 1,
        "image": "docker.io/library/rabbitmq:4.3.6-management",
        "resources": {"requests": {"cpu": "100m", "memory": "512Mi"}, "limits": {"memory": "512Mi"}},
        "persistence": {"storage": "1Gi", "storageClassName": "local"},
        "rabbitmq": {"additionalPlugins": ["rabbitmq_consistent_hash_exchange"]},
    }
    cluster = topology("RabbitmqCluster", "broker") | {"spec": spec}
    shell.apply(
        cluster,
        topology("Vhost", "fleet", name="fleet", defaultQueueType="quorum"),
        topology("Exchange", "tasks", name="tasks", vhost="fleet", type="topic", durable=True),
        topology("Queue", "high", name="high", vhost="fleet", type="quorum", durable=True),
        topology(
            "Binding",
            "high",
            vhost="fleet",
            source="tasks",
            destination="high",
            destinationType="queue",
            routingKey="high",
        ),
        topology(
            "Policy",
            "high",
            name="high",
            vhost="fleet",
            pattern="^high$",
            applyTo="quorum_queues",
            definition={"delivery-limit": 5, "consumer-timeout": 900000},
        ),
        topology("User", "worker", tags=["monitoring"]),
        topology(
            "Permission",
            "worker",
            vhost="fleet",
            userReference={"name": "worker"},
            permissions={"configure": "", "write": ".*", "read": ".*"},
        ),
    )
    shell.wait("AllReplicasReady", "rabbitmqclusters.rabbitmq.com/broker")
    wait_for_topology(shell)
    return shell


def wait_for_topology(shell: Shell) -> None:
    targets = ["vhosts/fleet", "exchanges/tasks", "queues/high", "bindings/high", "policies/high", "users/worker"]
    for target in [*targets, "permissions/worker"]:
        kind, _, name = target.partition("/")
        shell.wait("Ready", f"{kind}.rabbitmq.com/{name}", 60)


def test_the_broker_holds_what_was_asked_for(broker: Shell) -> None:
    """Seen with RabbitMQ's own tools."""
    queues = broker.in_broker("rabbitmqctl", "-q", "list_queues", "-p", "fleet", "name", "type", "policy")
    assert "high\tquorum\thigh" in queues
    bindings = broker.in_broker("rabbitmqctl", "-q", "list_bindings", "-p", "fleet", "source_name", "routing_key")
    assert "tasks\thigh" in bindings
    secret = broker.get("secret", "worker-user-credentials")["data"]
    username, password = (base64.b64decode(secret[key]).decode() for key in ("username", "password"))
    broker.in_broker("rabbitmqctl", "-q", "authenticate_user", username, password)
    rights = broker.in_broker("rabbitmqctl", "-q", "list_permissions", "-p", "fleet")
    assert f"{username}\t\t.*\t.*" in rights


def test_plugins_are_enabled_without_a_restart(broker: Shell) -> None:
    """The pod stays the one it was."""
    before = broker.get("pod", "broker-server-0")["metadata"]["uid"]
    plugins = ["rabbitmq_consistent_hash_exchange", "rabbitmq_shovel"]
    body = json.dumps({"spec": {"rabbitmq": {"additionalPlugins": plugins}}})
    broker.kubectl("patch", "rabbitmqclusters.rabbitmq.com", "broker", "--type", "merge", "-p", body)

    def enabled() -> bool | None:
        listed = broker.in_broker("rabbitmq-plugins", "-q", "list", "--enabled", "--minimal")
        return True if "rabbitmq_shovel" in listed else None

    eventually(enabled, within_seconds=60, waiting_for="rabbitmq_shovel on the node", every_seconds=3)
    assert broker.get("pod", "broker-server-0")["metadata"]["uid"] == before


def test_a_pod_that_dies_comes_back_with_its_data(broker: Shell) -> None:
    """The volume outlives it."""
    broker.in_broker("rabbitmqctl", "add_vhost", "by-hand")
    broker.kubectl("delete", "pod", "broker-server-0", "--grace-period=1")
    broker.wait("Ready", "pod/broker-server-0")
    assert "by-hand" in broker.in_broker("rabbitmqctl", "-q", "list_vhosts", "name")


def test_a_broker_that_lost_its_data_gets_its_topology_back(broker: Shell) -> None:
    """With the same user and password, since clients hold them."""
    broker.kubectl("delete", "pvc", "persistence-broker-server-0", "--wait=false")
    broker.kubectl("delete", "pod", "broker-server-0", "--grace-period=1")
    broker.wait("AllReplicasReady", "rabbitmqclusters.rabbitmq.com/broker")

    def bound() -> bool | None:
        done = broker.run(
            "exec", "broker-server-0", "-c", "rabbitmq", "--", "rabbitmqctl", "-q", "list_bindings", "-p", "fleet"
        )
        return True if "tasks\texchange\thigh" in done.stdout else None

    eventually(bound, within_seconds=180, waiting_for="the binding on the new volume", every_seconds=3)
    secret = broker.get("secret", "worker-user-credentials")["data"]
    username, password = (base64.b64decode(secret[key]).decode() for key in ("username", "password"))
    broker.in_broker("rabbitmqctl", "-q", "authenticate_user", username, password)


def test_deleting_the_broker_leaves_nothing(broker: Shell) -> None:
    """Neither objects, nor volumes, nor topology resources that wait for a broker."""
    broker.kubectl("delete", "rabbitmqclusters.rabbitmq.com", "broker", "--timeout=60s")
    broker.kubectl("delete", "rabbitmq", "--all", "--timeout=60s")

    def gone() -> bool | None:
        kinds = "pods,pvc,statefulsets,services,secrets,configmaps,serviceaccounts"
        left = broker.kubectl("get", kinds, "-o", "name").split()
        own = [name for name in left if not name.endswith(("/default", "/kube-root-ca.crt"))]
        volumes = json.loads(broker.kubectl("get", "pv", "-o", "json"))["items"]
        claimed = [item for item in volumes if item["spec"]["claimRef"]["namespace"] == NAMESPACE]
        return None if own or claimed else True

    eventually(gone, within_seconds=90, waiting_for="every object of the broker to go")
