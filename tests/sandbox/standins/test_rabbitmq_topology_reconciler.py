"""Topology resources reach a broker, say so, and leave it again as under the real operator.

Upstream: rabbitmq/messaging-topology-operator v1.20.1 `internal/controller/{topology,queue,binding,vhost}_controller.go`,
`rabbitmqclient/cluster_reference.go`, `api/v1beta1/conditions.go`.
"""

import pytest

from sandbox.standins.api_server import Key
from sandbox.standins.work_queue import RetryLaterError
from tests.sandbox.standins.topology_bench import READY, Bench, conditions, on_bench

QUEUE_FINALIZER = "deletion.finalizers.queues.rabbitmq.com"


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
