"""A RabbitmqCluster becomes its objects, keeps a true status, and goes without a trace.

Upstream: rabbitmq/cluster-operator v2.21.1 `internal/controller/rabbitmqcluster_controller.go` and
`internal/controller/reconcile_*.go`.
"""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest

from sandbox.standins.api_server import Key, Object
from sandbox.standins.rabbitmq_operators.cluster_reconciler import FINALIZER, ClusterReconciler
from sandbox.standins.secret_data import decode_data
from sandbox.standins.work_queue import RetryLaterError
from tests.sandbox.standins.rabbitmq_fakes import InMemoryApiServer

BROKER = Key("RabbitmqCluster", "fleet", "broker")
STATEFUL_SET = Key("StatefulSet", "fleet", "broker-server")
SERVER_CONF = Key("ConfigMap", "fleet", "broker-server-conf")
PLUGINS_CONF = Key("ConfigMap", "fleet", "broker-plugins-conf")


class Bench:
    """An API server with one RabbitmqCluster, and its reconciler."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self.api = InMemoryApiServer()
        clock = itertools.count(10)
        self.reconciler = ClusterReconciler(self.api, session, now=lambda: f"t{next(clock)}")

    async def cluster(self, **spec: Any) -> Object:
        """Create it with its defaults, and reconcile once."""
        defaults = {"replicas": 1, "image": "rabbitmq:4.3.6", "persistence": {"storage": "1Gi"}}
        metadata = {"name": "broker", "namespace": "fleet"}
        self.api.add({"kind": "RabbitmqCluster", "metadata": metadata, "spec": {**defaults, **spec}})
        await self.reconcile()
        return self.resource

    async def reconcile(self) -> float | None:
        return await self.reconciler.reconcile(BROKER)

    async def change(self, **spec: Any) -> None:
        await self.api.merge(BROKER, {"spec": spec})
        await self.reconcile()

    def run_pods(self, count: int) -> None:
        """Play the StatefulSet controller and the kubelet."""
        revision = {"currentRevision": "a", "updateRevision": "a"}
        self.api.objects[STATEFUL_SET]["status"] = {"readyReplicas": count, **revision}
        labels = {"app.kubernetes.io/name": "broker"}
        for ordinal in range(count):
            metadata = {"name": f"broker-server-{ordinal}", "namespace": "fleet", "labels": dict(labels)}
            self.api.add({"kind": "Pod", "metadata": metadata})

    @property
    def resource(self) -> Object:
        return self.api.objects[BROKER]

    def condition(self, name: str) -> dict[str, str]:
        found: dict[str, str] = next(entry for entry in self.resource["status"]["conditions"] if entry["type"] == name)
        return found


def on_bench(test: Callable[[Bench], Awaitable[None]]) -> None:
    async def run() -> None:
        async with aiohttp.ClientSession() as session:
            await test(Bench(session))

    asyncio.run(run())


def test_a_cluster_gets_all_its_objects() -> None:
    """The names that other resources rely on."""

    async def check(bench: Bench) -> None:
        await bench.cluster()
        assert {f"{key.kind}/{key.name}" for key in bench.api.objects if key != BROKER} == {
            "Service/broker",
            "Service/broker-nodes",
            "Secret/broker-default-user",
            "Secret/broker-erlang-cookie",
            "ConfigMap/broker-plugins-conf",
            "ConfigMap/broker-server-conf",
            "ServiceAccount/broker-server",
            "Role/broker-peer-discovery",
            "RoleBinding/broker-server",
            "StatefulSet/broker-server",
        }
        assert bench.resource["status"]["binding"] == {"name": "broker-default-user"}
        assert bench.resource["status"]["defaultUser"] == {
            "secretReference": {
                "name": "broker-default-user",
                "namespace": "fleet",
                "keys": {"username": "username", "password": "password"},
            },
            "serviceReference": {"name": "broker", "namespace": "fleet"},
        }
        assert bench.resource["metadata"]["finalizers"] == [FINALIZER]

    on_bench(check)


def test_success_is_claimed_only_when_all_pods_run() -> None:
    """And only after the feature flags of a new cluster are on."""

    async def check(bench: Bench) -> None:
        await bench.cluster()
        assert bench.condition("ReconcileSuccess")["status"] == "Unknown"
        assert bench.condition("AllReplicasReady")["status"] == "Unknown"
        bench.run_pods(1)
        assert await bench.reconcile() is None
        assert bench.condition("AllReplicasReady")["status"] == "True"
        assert bench.condition("ReconcileSuccess")["reason"] == "Success"
        assert bench.resource["status"]["observedGeneration"] == 1
        assert bench.api.commands == [("broker-server-0", ("rabbitmqctl", "enable_feature_flag", "all"))]
        await bench.reconcile()
        assert len(bench.api.commands) == 1

    on_bench(check)


def test_a_reconciliation_without_a_change_changes_nothing() -> None:
    """No object of the cluster gets another version."""

    async def check(bench: Bench) -> None:
        await bench.cluster()
        bench.run_pods(1)
        await bench.reconcile()
        versions = {key: obj["metadata"]["resourceVersion"] for key, obj in bench.api.objects.items()}
        await bench.reconcile()
        assert {key: obj["metadata"]["resourceVersion"] for key, obj in bench.api.objects.items()} == versions

    on_bench(check)


def test_credentials_and_cookie_survive() -> None:
    """The broker on its volume knows only the first ones."""

    async def check(bench: Bench) -> None:
        await bench.cluster()
        secrets = [Key("Secret", "fleet", f"broker-{name}") for name in ("default-user", "erlang-cookie")]
        before = [decode_data(bench.api.objects[key]["data"]) for key in secrets]
        await bench.change(rabbitmq={"additionalPlugins": ["rabbitmq_stream"]})
        after = [decode_data(bench.api.objects[key]["data"]) for key in secrets]
        assert after[0].pop("stream-port") == "5552"
        assert after == before

    on_bench(check)


def test_a_changed_setting_restarts_the_pods_once() -> None:
    """The pod template gets the time of the change, and keeps it."""

    async def check(bench: Bench) -> None:
        await bench.cluster()
        await bench.change(rabbitmq={"additionalConfig": "heartbeat = 30"})
        changed_at = bench.api.objects[SERVER_CONF]["metadata"]["annotations"]["rabbitmq.com/serverConfUpdatedAt"]
        template = bench.api.objects[STATEFUL_SET]["spec"]["template"]["metadata"]["annotations"]
        restarted_at = template["rabbitmq.com/lastRestartAt"]
        assert restarted_at >= changed_at
        await bench.reconcile()
        template = bench.api.objects[STATEFUL_SET]["spec"]["template"]["metadata"]["annotations"]
        assert template["rabbitmq.com/lastRestartAt"] == restarted_at

    on_bench(check)


def test_plugins_are_enabled_in_running_pods() -> None:
    """On every node, without a restart; tried again until it works."""

    async def check(bench: Bench) -> None:
        await bench.cluster(replicas=2)
        bench.run_pods(2)
        await bench.reconcile()
        bench.api.commands.clear()
        bench.api.failing_commands["rabbitmq-plugins"] = "no such plugin"
        with pytest.raises(RetryLaterError):
            await bench.change(rabbitmq={"additionalPlugins": ["rabbitmq_shovel"]})
        assert bench.condition("ReconcileSuccess")["reason"] == "FailedCLICommand"
        bench.api.failing_commands.clear()
        bench.api.commands.clear()
        await bench.reconcile()
        required = ("rabbitmq_peer_discovery_k8s", "rabbitmq_prometheus", "rabbitmq_management")
        command = ("rabbitmq-plugins", "set", *required, "rabbitmq_shovel")
        assert bench.api.commands == [("broker-server-0", command), ("broker-server-1", command)]
        assert "rabbitmq.com/pluginsUpdatedAt" not in bench.api.objects[PLUGINS_CONF]["metadata"]["annotations"]
        template = bench.api.objects[STATEFUL_SET]["spec"]["template"]["metadata"]["annotations"]
        assert template == {}

    on_bench(check)


def test_a_scale_down_is_refused_and_changes_no_pod() -> None:
    """`ReconcileSuccess` says why, and nobody tries again by himself."""

    async def check(bench: Bench) -> None:
        await bench.cluster(replicas=3)
        await bench.change(replicas=1)
        assert bench.api.objects[STATEFUL_SET]["spec"]["replicas"] == 3
        condition = bench.condition("ReconcileSuccess")
        assert (condition["status"], condition["reason"]) == ("False", "UnsupportedOperation")
        assert "from 3 nodes to 1 nodes" in condition["message"]

    on_bench(check)


def test_a_broker_can_be_stopped_and_started_with_the_nodes_it_had() -> None:
    """The number is remembered while it is stopped."""

    async def check(bench: Bench) -> None:
        await bench.cluster(replicas=3)
        await bench.change(replicas=0)
        assert bench.api.objects[STATEFUL_SET]["spec"]["replicas"] == 0
        await bench.change(replicas=1)
        assert bench.api.objects[STATEFUL_SET]["spec"]["replicas"] == 0
        assert "previous number of replicas (3)" in bench.condition("ReconcileSuccess")["message"]
        await bench.change(replicas=3)
        assert bench.api.objects[STATEFUL_SET]["spec"]["replicas"] == 3
        annotations = bench.resource["metadata"]["annotations"]
        assert "rabbitmq.com/before-zero-replicas-configured" not in annotations

    on_bench(check)


def test_volumes_grow_around_their_pods_and_never_shrink() -> None:
    """The claims grow, the StatefulSet is made anew."""

    async def check(bench: Bench) -> None:
        await bench.cluster()
        claim = Key("PersistentVolumeClaim", "fleet", "persistence-broker-server-0")
        spec = {"resources": {"requests": {"storage": "1Gi"}}}
        bench.api.add({"kind": claim.kind, "metadata": {"name": claim.name, "namespace": "fleet"}, "spec": spec})
        await bench.change(persistence={"storage": "2Gi"})
        assert bench.api.objects[claim]["spec"]["resources"]["requests"]["storage"] == "2Gi"
        template = bench.api.objects[STATEFUL_SET]["spec"]["volumeClaimTemplates"][0]
        assert template["spec"]["resources"]["requests"]["storage"] == "2Gi"
        with pytest.raises(RetryLaterError):
            await bench.change(persistence={"storage": "1Gi"})
        assert bench.condition("ReconcileSuccess")["reason"] == "FailedReconcilePVC"
        assert bench.api.objects[claim]["spec"]["resources"]["requests"]["storage"] == "2Gi"

    on_bench(check)


def test_another_storage_class_does_not_break_the_statefulset() -> None:
    """Kubernetes never lets its claims change, so the real operator leaves them, and so does this one."""

    async def check(bench: Bench) -> None:
        await bench.cluster(persistence={"storage": "1Gi", "storageClassName": "slow"})
        await bench.change(persistence={"storage": "1Gi", "storageClassName": "fast"})
        claim = bench.api.objects[STATEFUL_SET]["spec"]["volumeClaimTemplates"][0]
        assert claim["spec"]["storageClassName"] == "slow"

    on_bench(check)


@pytest.mark.parametrize(
    ("tls", "secret", "message"),
    [
        pytest.param({"disableNonTLSListeners": True}, None, "TLS must be enabled", id="no-listener-would-be-left"),
        pytest.param({"secretName": "cert"}, None, 'secrets "cert" not found', id="no-certificate"),
        pytest.param(
            {"secretName": "cert"}, {"tls.crt": ""}, "does not have the fields tls.crt and tls.key", id="no-key"
        ),
        pytest.param(
            {"secretName": "cert", "caSecretName": "cert"},
            {"tls.crt": "", "tls.key": ""},
            "does not have the field ca.crt",
            id="no-authority",
        ),
    ],
)
def test_tls_needs_its_secrets(tls: dict[str, Any], secret: dict[str, str] | None, message: str) -> None:
    """Nothing is made before they are complete."""

    async def check(bench: Bench) -> None:
        if secret is not None:
            bench.api.add({"kind": "Secret", "metadata": {"name": "cert", "namespace": "fleet"}, "data": secret})
        if "secretName" in tls:
            with pytest.raises(RetryLaterError):
                await bench.cluster(tls=tls)
        else:
            await bench.cluster(tls=tls)
        condition = bench.condition("ReconcileSuccess")
        assert (condition["status"], condition["reason"]) == ("False", "TLSError")
        assert message in condition["message"]
        assert STATEFUL_SET not in bench.api.objects

    on_bench(check)


def test_unreadable_configuration_is_named() -> None:
    """`ReconcileSuccess` quotes the line."""

    async def check(bench: Bench) -> None:
        with pytest.raises(RetryLaterError):
            await bench.cluster(rabbitmq={"additionalConfig": "nonsense"})
        assert "line 1: key-value delimiter not found: nonsense" in bench.condition("ReconcileSuccess")["message"]

    on_bench(check)


def test_a_cluster_without_an_image_gets_the_operators() -> None:
    """Written into the resource, as upstream does."""

    async def check(bench: Bench) -> None:
        await bench.cluster(image="")
        assert bench.resource["spec"]["image"] == "docker.io/library/rabbitmq:4.3.6-management"

    on_bench(check)


def test_a_paused_cluster_is_left_alone() -> None:
    """A person works on it."""

    async def check(bench: Bench) -> None:
        await bench.cluster()
        await bench.api.merge(BROKER, {"metadata": {"labels": {"rabbitmq.com/pauseReconciliation": "true"}}})
        await bench.change(replicas=3)
        assert bench.api.objects[STATEFUL_SET]["spec"]["replicas"] == 1
        assert bench.condition("NoWarnings")["reason"] == "reconciliation paused"

    on_bench(check)


def test_a_rolling_update_of_several_nodes_asks_for_a_rebalance() -> None:
    """Leaders sit unevenly after one."""

    async def check(bench: Bench) -> None:
        await bench.cluster(replicas=3)
        bench.run_pods(3)
        await bench.reconcile()
        bench.api.commands.clear()
        bench.api.objects[STATEFUL_SET]["status"]["updateRevision"] = "b"
        assert await bench.reconcile() is not None
        assert bench.api.commands == []
        bench.api.objects[STATEFUL_SET]["status"]["currentRevision"] = "b"
        await bench.reconcile()
        assert bench.api.commands == [("broker-server-0", ("rabbitmq-queues", "rebalance", "all"))]

    on_bench(check)


def test_pods_of_a_deleted_cluster_do_not_drain() -> None:
    """They are marked before the finalizer goes; garbage collection does the rest."""

    async def check(bench: Bench) -> None:
        await bench.cluster()
        bench.run_pods(1)
        bench.api.printed = "true"
        await bench.api.delete(BROKER)
        await bench.reconcile()
        pod = bench.api.objects[Key("Pod", "fleet", "broker-server-0")]
        assert pod["metadata"]["labels"]["skipPreStopChecks"] == "true"
        assert BROKER not in bench.api.objects

    on_bench(check)


def test_a_cluster_whose_pods_do_not_answer_is_deleted_all_the_same() -> None:
    """The mark is worth a few seconds, not a hang."""

    async def check(bench: Bench) -> None:
        await bench.cluster()
        bench.run_pods(1)
        bench.api.failing_commands["cat"] = "container not running"
        await bench.api.delete(BROKER)
        await bench.reconcile()
        assert BROKER not in bench.api.objects

    on_bench(check)
