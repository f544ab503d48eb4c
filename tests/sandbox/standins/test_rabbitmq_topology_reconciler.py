"""Topology resources reach a broker, say so, and leave it again as under the real operator.

Upstream: rabbitmq/messaging-topology-operator v1.20.1 `internal/controller/{topology,user,permission,queue,binding,
vhost}_controller.go`, `rabbitmqclient/cluster_reference.go`, `api/v1beta1/conditions.go`.
"""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest

from sandbox.standins.api_server import Key, Object
from sandbox.standins.rabbitmq_operators.topology_reconciler import TopologyReconciler
from sandbox.standins.secret_data import decode_data, encode_data
from sandbox.standins.work_queue import RetryLaterError
from tests.sandbox.standins.rabbitmq_fakes import FakeBroker, InMemoryApiServer

QUEUE_FINALIZER = "deletion.finalizers.queues.rabbitmq.com"


class Bench:
    """A broker, an API server with its RabbitmqCluster, and the reconciler between them."""

    def __init__(self, broker: FakeBroker, session: aiohttp.ClientSession) -> None:
        self.broker = broker
        self.api = InMemoryApiServer()
        clock = itertools.count(1)
        self.reconciler = TopologyReconciler(self.api, session, now=lambda: f"t{next(clock)}")
        self.api.add(
            {
                "kind": "RabbitmqCluster",
                "metadata": {
                    "name": "broker",
                    "namespace": "fleet",
                    "annotations": {"rabbitmq.com/operator-connection-uri": broker.url},
                },
                "spec": {"replicas": 1},
                "status": {
                    "binding": {"name": "broker-default-user"},
                    "defaultUser": {"serviceReference": {"name": "broker", "namespace": "fleet"}},
                },
            }
        )
        self.secret("broker-default-user", username="admin", password="secret")

    def secret(self, name: str, *, labels: dict[str, str] | None = None, **data: str) -> None:
        metadata = {"name": name, "namespace": "fleet", "labels": labels or {}}
        self.api.add({"kind": "Secret", "metadata": metadata, "data": encode_data(data)})

    def resource(self, kind: str, name: str, /, **spec: Any) -> Key:
        spec.setdefault("rabbitmqClusterReference", {"name": "broker"})
        content = {"kind": kind, "metadata": {"name": name, "namespace": "fleet"}, "spec": spec}
        return Key.of(self.api.add(content))

    async def declare(self, kind: str, name: str, /, **spec: Any) -> Object:
        key = self.resource(kind, name, **spec)
        await self.reconciler.reconcile(key)
        return self.api.objects[key]

    async def delete(self, key: Key) -> None:
        await self.api.delete(key)
        await self.reconciler.reconcile(key)


def on_bench(test: Callable[[Bench], Awaitable[None]]) -> None:
    async def run() -> None:
        async with FakeBroker().serve() as broker, aiohttp.ClientSession() as session:
            await test(Bench(broker, session))

    asyncio.run(run())


def conditions(obj: Object) -> list[tuple[str, str, str]]:
    return [(entry["type"], entry["status"], entry["reason"]) for entry in obj["status"]["conditions"]]


READY = ("Ready", "True", "SuccessfulCreateOrUpdate")


def test_a_declared_queue_is_ready() -> None:
    """The broker has it, and the resource says so for its generation."""

    async def check(bench: Bench) -> None:
        await bench.declare("Vhost", "v", name="v", limits={"queues": 5})
        queue = await bench.declare("Queue", "q", name="q", vhost="v", type="quorum", durable=True)
        assert bench.broker.stored["queues/v/q"]["arguments"] == {"x-queue-type": "quorum"}
        assert bench.broker.stored["vhost-limits/v/max-queues"] == {"value": 5}
        assert conditions(queue) == [READY]
        assert queue["status"]["observedGeneration"] == 1
        assert queue["metadata"]["finalizers"] == [QUEUE_FINALIZER]

    on_bench(check)


def test_a_repeated_declaration_changes_nothing_in_the_resource() -> None:
    """A resync writes no status, so nobody who watches is woken."""

    async def check(bench: Bench) -> None:
        vhost = await bench.declare("Vhost", "v", name="v")
        await bench.reconciler.reconcile(Key.of(vhost))
        again = bench.api.objects[Key.of(vhost)]
        assert again["metadata"]["resourceVersion"] == vhost["metadata"]["resourceVersion"]

    on_bench(check)


def test_a_refusal_is_shown_in_the_brokers_words() -> None:
    """And cured by itself once the broker accepts."""

    async def check(bench: Bench) -> None:
        await bench.declare("Vhost", "v", name="v")
        bench.broker.stored["queues/v/q"] = {"durable": False}
        key = bench.resource("Queue", "q", name="q", vhost="v", type="quorum", durable=True)
        with pytest.raises(RetryLaterError, match="inequivalent arg"):
            await bench.reconciler.reconcile(key)
        condition = bench.api.objects[key]["status"]["conditions"][0]
        assert (condition["status"], condition["reason"]) == ("False", "FailedCreateOrUpdate")
        assert condition["message"].startswith("Error 400 (bad_request): inequivalent arg 'durable'")
        del bench.broker.stored["queues/v/q"]
        await bench.reconciler.reconcile(key)
        assert conditions(bench.api.objects[key]) == [READY]

    on_bench(check)


def test_an_unreachable_broker_is_named_and_tried_again() -> None:
    """The resource says where nobody answered."""

    async def check(bench: Bench) -> None:
        cluster = bench.api.objects[Key("RabbitmqCluster", "fleet", "broker")]
        cluster["metadata"]["annotations"]["rabbitmq.com/operator-connection-uri"] = "http://127.0.0.1:9"
        key = bench.resource("Vhost", "v", name="v")
        with pytest.raises(RetryLaterError, match=r"127\.0\.0\.1:9"):
            await bench.reconciler.reconcile(key)
        assert conditions(bench.api.objects[key]) == [("Ready", "False", "FailedCreateOrUpdate")]

    on_bench(check)


def test_deleting_a_resource_takes_it_off_the_broker() -> None:
    """Only then does its finalizer go."""

    async def check(bench: Bench) -> None:
        await bench.declare("Vhost", "v", name="v")
        queue = await bench.declare("Queue", "q", name="q", vhost="v")
        binding = await bench.declare(
            "Binding", "b", vhost="v", source="tasks", destination="q", destinationType="queue", routingKey="high.#"
        )
        for obj in (binding, queue):
            await bench.delete(Key.of(obj))
            assert Key.of(obj) not in bench.api.objects
        assert "queues/v/q" not in bench.broker.stored
        assert bench.broker.bindings["bindings/v/e/tasks/q/q"] == []

    on_bench(check)


def test_a_retained_queue_stays_on_the_broker() -> None:
    """`deletionPolicy: retain`."""

    async def check(bench: Bench) -> None:
        await bench.declare("Vhost", "v", name="v")
        queue = await bench.declare("Queue", "q", name="q", vhost="v", deletionPolicy="retain")
        await bench.delete(Key.of(queue))
        assert Key.of(queue) not in bench.api.objects
        assert "queues/v/q" in bench.broker.stored

    on_bench(check)


def test_what_the_broker_no_longer_has_can_be_deleted() -> None:
    """Somebody removed it by hand, or its vhost went first."""

    async def check(bench: Bench) -> None:
        await bench.declare("Vhost", "v", name="v")
        binding = await bench.declare("Binding", "b", vhost="v", source="t", destination="q", destinationType="queue")
        queue = await bench.declare("Queue", "q", name="q", vhost="v")
        bench.broker.stored.clear()
        for obj in (binding, queue):
            await bench.delete(Key.of(obj))
            assert Key.of(obj) not in bench.api.objects

    on_bench(check)


def test_a_queue_with_messages_stays_when_it_must_be_empty() -> None:
    """A quorum queue with `deleteIfEmpty` is looked at first."""

    async def check(bench: Bench) -> None:
        await bench.declare("Vhost", "v", name="v")
        queue = await bench.declare("Queue", "q", name="q", vhost="v", type="quorum", deleteIfEmpty=True)
        bench.broker.stored["queues/v/q"]["messages"] = 3
        with pytest.raises(RetryLaterError, match="cannot delete queue q because it has ready messages"):
            await bench.delete(Key.of(queue))
        assert Key.of(queue) in bench.api.objects

    on_bench(check)


def test_resources_of_a_deleted_broker_can_be_deleted() -> None:
    """Without its RabbitmqCluster there is nothing to take anything off of."""

    async def check(bench: Bench) -> None:
        vhost = await bench.declare("Vhost", "v", name="v")
        await bench.api.delete(Key("RabbitmqCluster", "fleet", "broker"))
        await bench.delete(Key.of(vhost))
        assert Key.of(vhost) not in bench.api.objects

    on_bench(check)


def test_resources_of_a_stopped_broker_wait_or_go() -> None:
    """Scaled to zero: declared ones wait for it, deleted ones do not."""

    async def check(bench: Bench) -> None:
        vhost = await bench.declare("Vhost", "v", name="v")
        bench.api.objects[Key("RabbitmqCluster", "fleet", "broker")]["spec"]["replicas"] = 0
        waiting = await bench.declare("Vhost", "w", name="w")
        assert waiting["status"]["conditions"][0]["message"] == (
            "RabbitmqCluster is scaled to zero replicas; waiting for it to scale up"
        )
        await bench.delete(Key.of(vhost))
        assert Key.of(vhost) not in bench.api.objects

    on_bench(check)


def test_a_broker_that_is_not_there_yet_is_waited_for() -> None:
    """As upstream, without a condition."""

    async def check(bench: Bench) -> None:
        key = bench.resource("Vhost", "v", name="v", rabbitmqClusterReference={"name": "later"})
        with pytest.raises(RetryLaterError, match="RabbitmqCluster fleet/later does not exist"):
            await bench.reconciler.reconcile(key)
        assert "status" not in bench.api.objects[key]

    on_bench(check)


@pytest.mark.parametrize(
    ("allowed", "ready"),
    [
        pytest.param(None, False, id="nobody-allowed"),
        pytest.param("other", False, id="another-namespace-allowed"),
        pytest.param("other,elsewhere", True, id="named"),
        pytest.param("*", True, id="everybody"),
    ],
)
def test_a_broker_of_another_namespace_has_to_allow_it(allowed: str | None, *, ready: bool) -> None:
    """The owner's annotation decides."""

    async def check(bench: Bench) -> None:
        cluster = bench.api.objects[Key("RabbitmqCluster", "fleet", "broker")]
        if allowed is not None:
            cluster["metadata"]["annotations"]["rabbitmq.com/topology-allowed-namespaces"] = allowed
        reference = {"name": "broker", "namespace": "fleet"}
        spec = {"name": "v", "rabbitmqClusterReference": reference}
        content = {"kind": "Vhost", "metadata": {"name": "v", "namespace": "elsewhere"}, "spec": spec}
        key = Key.of(bench.api.add(content))
        await bench.reconciler.reconcile(key)
        condition = bench.api.objects[key]["status"]["conditions"][0]
        assert (condition["status"] == "True") is ready
        assert ready or "`rabbitmq.com/topology-allowed-namespaces` annotation" in condition["message"]

    on_bench(check)


def test_a_connection_secret_stands_for_a_rabbitmqcluster() -> None:
    """For a broker that no operator made."""

    async def check(bench: Bench) -> None:
        bench.secret("elsewhere", uri=bench.broker.url, username="admin", password="secret")
        reference = {"connectionSecret": {"name": "elsewhere"}}
        vhost = await bench.declare("Vhost", "v", name="v", rabbitmqClusterReference=reference)
        assert conditions(vhost) == [READY]

    on_bench(check)


def test_a_user_gets_random_credentials_in_a_secret_of_its_own() -> None:
    """The Secret's name follows the User's, the user's name on the broker does not."""

    async def check(bench: Bench) -> None:
        user = await bench.declare("User", "worker", tags=["monitoring"], limits={"connections": 7})
        secret = bench.api.objects[Key("Secret", "fleet", "worker-user-credentials")]
        data = decode_data(secret["data"])
        assert set(data) == {"username", "password"}
        assert len(data["username"]) == 32
        assert secret["metadata"]["labels"] == {"rabbitmq.com/topology-operator": "true"}
        assert secret["metadata"]["ownerReferences"][0]["kind"] == "User"
        assert user["status"]["credentials"] == {"name": "worker-user-credentials"}
        assert user["status"]["username"] == data["username"]
        assert conditions(user) == [("PasswordSynced", "True", "SuccessfulPasswordSync"), READY]
        assert bench.broker.stored[f"users/{data['username']}"]["tags"] == "monitoring"
        assert bench.broker.stored[f"user-limits/{data['username']}/max-connections"] == {"value": 7}

    on_bench(check)


def test_a_users_password_survives_every_reconciliation() -> None:
    """Clients hold it; a new one would lock them out."""

    async def check(bench: Bench) -> None:
        user = await bench.declare("User", "worker")
        key = Key("Secret", "fleet", "worker-user-credentials")
        before = bench.api.objects[key]["data"]
        await bench.reconciler.reconcile(Key.of(user))
        assert bench.api.objects[key]["data"] == before

    on_bench(check)


def test_a_user_can_bring_its_own_credentials() -> None:
    """From a Secret with the operator's label."""

    async def check(bench: Bench) -> None:
        label = {"rabbitmq.com/topology-operator": "true"}
        bench.secret("mine", labels=label, username="ann", password="pw")
        user = await bench.declare("User", "worker", importCredentialsSecret={"name": "mine"})
        assert user["status"]["username"] == "ann"
        assert user["status"]["credentials"] == {"name": "mine"}
        assert "users/ann" in bench.broker.stored

    on_bench(check)


@pytest.mark.parametrize(
    ("labels", "data", "message"),
    [
        pytest.param({}, {"username": "ann"}, "must have label rabbitmq.com/topology-operator=true", id="no-label"),
        pytest.param({"rabbitmq.com/topology-operator": "true"}, {}, "could not find username key", id="no-name"),
        pytest.param(
            {"rabbitmq.com/topology-operator": "true"},
            {"username": "ann"},
            "neither passwordHash nor password",
            id="no-password",
        ),
    ],
)
def test_unfit_credentials_are_named(labels: dict[str, str], data: dict[str, str], message: str) -> None:
    """The User says what its Secret lacks."""

    async def check(bench: Bench) -> None:
        bench.secret("mine", labels=labels, **data)
        key = bench.resource("User", "worker", importCredentialsSecret={"name": "mine"})
        with pytest.raises(RetryLaterError, match=message):
            await bench.reconciler.reconcile(key)
        assert message in bench.api.objects[key]["status"]["conditions"][0]["message"]

    on_bench(check)


def test_a_permission_waits_for_its_user_and_goes_with_it() -> None:
    """It names the User; the broker's name comes from the User's status."""

    async def check(bench: Bench) -> None:
        await bench.declare("Vhost", "v", name="v")
        rights = {"configure": "", "write": ".*", "read": ".*"}
        key = bench.resource("Permission", "p", vhost="v", userReference={"name": "worker"}, permissions=rights)
        with pytest.raises(RetryLaterError, match="failed create Permission, missing User"):
            await bench.reconciler.reconcile(key)
        user = await bench.declare("User", "worker")
        await bench.reconciler.reconcile(key)
        username = user["status"]["username"]
        assert bench.broker.stored[f"permissions/v/{username}"] == rights
        permission = bench.api.objects[key]
        assert permission["metadata"]["ownerReferences"][0]["uid"] == user["metadata"]["uid"]
        assert conditions(permission) == [READY]
        await bench.delete(Key.of(user))
        assert f"users/{username}" not in bench.broker.stored
        await bench.delete(key)
        assert key not in bench.api.objects

    on_bench(check)


def test_a_status_changes_its_time_only_with_its_value() -> None:
    """`lastTransitionTime` says since when."""

    async def check(bench: Bench) -> None:
        vhost = await bench.declare("Vhost", "v", name="v")
        since = vhost["status"]["conditions"][0]["lastTransitionTime"]
        bench.api.objects[Key.of(vhost)]["metadata"]["generation"] = 2
        await bench.reconciler.reconcile(Key.of(vhost))
        status = bench.api.objects[Key.of(vhost)]["status"]
        assert status["observedGeneration"] == 2
        assert status["conditions"][0]["lastTransitionTime"] == since

    on_bench(check)
