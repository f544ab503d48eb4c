"""What is done on a broker once its nodes run: plugins, feature flags, rebalancing, and what it says of itself.

Invariant: commands run only while all nodes are ready and none is being replaced, so that no exec is cut off by a
restart; the annotation that asks for a command goes only after the command succeeded.
Facts from: cluster-operator v2.21.1 `internal/controller/reconcile_{cli,status}.go`, `internal/rabbitmqclient/client.go`.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

import aiohttp

from sandbox.standins.api_server import ApiServer, Key, Object
from sandbox.standins.rabbitmq_operators.cluster_children import CREATED_ANNOTATION, PLUGINS_UPDATED_ANNOTATION
from sandbox.standins.rabbitmq_operators.cluster_spec import (
    ERLANG_VERSION_ANNOTATION,
    VERSION_ANNOTATION,
    RabbitmqCluster,
)
from sandbox.standins.rabbitmq_operators.configuration import enabled_plugins
from sandbox.standins.rabbitmq_operators.management_api import BrokerError, Call, Connection, ManagementApi
from sandbox.standins.secret_data import decode_data

REBALANCE_ANNOTATION: Final = "rabbitmq.com/queueRebalanceNeededAt"
_SERVICE_UNAVAILABLE_PREFIX: Final = "Error 503"


def being_updated(stateful_set: Mapping[str, Any]) -> bool:
    """Whether pods are being replaced by ones of another template."""
    status = stateful_set.get("status") or {}
    return bool(status.get("currentRevision") != status.get("updateRevision"))


def settled(stateful_set: Mapping[str, Any]) -> bool:
    """Whether all nodes are ready and none is being replaced."""
    ready = (stateful_set.get("status") or {}).get("readyReplicas", 0)
    return bool(ready == stateful_set["spec"].get("replicas")) and not being_updated(stateful_set)


def quorum_status(answers: Mapping[str, str]) -> str:
    """The status' sentence on quorum from each pod's answer: `ok`, `quorum-critical` or `unavailable`."""
    critical = sorted(pod for pod, answer in answers.items() if answer == "quorum-critical")
    unavailable = sum(answer == "unavailable" for answer in answers.values())
    suffix = f" ({unavailable} unavailable)" if unavailable else ""
    if critical:
        return f"quorum-critical: {', '.join(critical)}{suffix}"
    return f"ok{suffix}" if unavailable < len(answers) else "unavailable"


class PostDeploy:
    """The steps after the nodes of a broker are up."""

    def __init__(self, api: ApiServer, session: aiohttp.ClientSession) -> None:
        self._api = api
        self._session = session

    async def run_commands(self, cluster: RabbitmqCluster, stateful_set: Object) -> None:
        """Run the commands that annotations ask for.

        Raises: CommandError when one fails.
        """
        plugins = Key("ConfigMap", cluster.namespace, cluster.child_name("plugins-conf"))
        if await self._asks(plugins, PLUGINS_UPDATED_ANNOTATION):
            command = ["rabbitmq-plugins", "set", *enabled_plugins(cluster)]
            for ordinal in range(cluster.replicas):
                await self._run(cluster, ordinal, command)
            await self._forget(plugins, PLUGINS_UPDATED_ANNOTATION)
        created = CREATED_ANNOTATION in (stateful_set["metadata"].get("annotations") or {})
        if created or cluster.spec.get("autoEnableAllFeatureFlags"):
            await self._run(cluster, 0, ["rabbitmqctl", "enable_feature_flag", "all"])
            if created:
                name = cluster.child_name("server")
                await self._forget(Key("StatefulSet", cluster.namespace, name), CREATED_ANNOTATION)
        if REBALANCE_ANNOTATION in cluster.annotations:
            await self._run(cluster, 0, ["rabbitmq-queues", "rebalance", "all"])
            await self._forget(Key("RabbitmqCluster", cluster.namespace, cluster.name), REBALANCE_ANNOTATION)

    async def record_version(self, cluster: RabbitmqCluster) -> None:
        """Write the versions of RabbitMQ and Erlang into annotations; nothing when the broker does not say."""
        pod = await self._api.get(Key("Pod", cluster.namespace, cluster.pod_name(0)))
        address = ((pod or {}).get("status") or {}).get("podIP")
        if not address:
            return
        try:
            broker = await self._broker(cluster, cluster.pod_name(0), address)
            overview = await broker.send(Call("GET", ("overview",)))
        except BrokerError:
            return
        wanted = {
            VERSION_ANNOTATION: str(overview["rabbitmq_version"]),
            ERLANG_VERSION_ANNOTATION: str(overview["erlang_version"]),
        }
        if any(cluster.annotations.get(key) != value for key, value in wanted.items()):
            key = Key("RabbitmqCluster", cluster.namespace, cluster.name)
            await self._api.merge(key, {"metadata": {"annotations": wanted}})

    async def ask_quorum(self, cluster: RabbitmqCluster, endpoint_slices: Sequence[Mapping[str, Any]]) -> str:
        """Ask every node whether a queue would lose its quorum without it."""
        endpoints = endpoint_slices[0].get("endpoints") or [] if endpoint_slices else []
        pods = {
            (endpoint.get("targetRef") or {}).get("name", address): address
            for endpoint in endpoints
            for address in endpoint.get("addresses", [])[:1]
        }
        answers = await asyncio.gather(*(self._ask_node(cluster, pod, address) for pod, address in pods.items()))
        return quorum_status(dict(zip(pods, answers, strict=True)))

    async def _ask_node(self, cluster: RabbitmqCluster, pod: str, address: str) -> str:
        try:
            broker = await self._broker(cluster, pod, address)
            await broker.send(Call("GET", ("health", "checks", "node-is-quorum-critical")))
        except BrokerError as error:
            return "quorum-critical" if str(error).startswith(_SERVICE_UNAVAILABLE_PREFIX) else "unavailable"
        return "ok"

    async def _broker(self, cluster: RabbitmqCluster, pod: str, address: str) -> ManagementApi:
        user = await self._secret(cluster, cluster.child_name("default-user"))
        host = f"[{address}]" if ":" in address else address
        authorities = None
        if cluster.tls_only and cluster.ca_secret:
            authorities = (await self._secret(cluster, cluster.ca_secret)).get("ca.crt")
        connection = Connection(
            url=f"https://{host}:15671" if cluster.tls_only else f"http://{host}:15672",
            username=user.get("username", ""),
            password=user.get("password", ""),
            server_name=f"{pod}.{cluster.child_name('nodes')}.{cluster.namespace}.svc",
            authorities=authorities,
        )
        return ManagementApi(self._session, connection)

    async def _secret(self, cluster: RabbitmqCluster, name: str) -> dict[str, str]:
        secret = await self._api.get(Key("Secret", cluster.namespace, name))
        return decode_data((secret or {}).get("data"))

    async def _run(self, cluster: RabbitmqCluster, ordinal: int, command: Sequence[str]) -> None:
        pod = Key("Pod", cluster.namespace, cluster.pod_name(ordinal))
        await self._api.run_in_pod(pod, "rabbitmq", command)

    async def _asks(self, key: Key, annotation: str) -> bool:
        content = await self._api.get(key)
        return content is not None and annotation in (content["metadata"].get("annotations") or {})

    async def _forget(self, key: Key, annotation: str) -> None:
        await self._api.merge(key, {"metadata": {"annotations": {annotation: None}}})
