"""Watches: which events bring which resources to reconciliation.

Invariant: everything that a reconciliation reads either is watched here or is read again by the periodic resync; an
event that changes nothing a reconciliation looks at costs nothing.
Facts from: cluster-operator v2.21.1 `SetupWithManager`; messaging-topology-operator v1.20.1 `SetupWithManager`,
`rabbitmqClusterToRequests` and `secretToUserRequests`.
"""

import asyncio
import datetime
import logging
from collections.abc import Iterable, Mapping
from typing import Any, Final

import aiohttp
import kopf

from sandbox.standins.api_server import ApiServer, Key, Object, kind_address
from sandbox.standins.rabbitmq_operators.cluster_reconciler import ClusterReconciler
from sandbox.standins.rabbitmq_operators.topology_reconciler import TOPOLOGY_KINDS, TopologyReconciler
from sandbox.standins.rabbitmq_operators.users import LABEL
from sandbox.standins.work_queue import WorkQueue

OWNED_KINDS: Final = (
    "StatefulSet",
    "Service",
    "ConfigMap",
    "Secret",
    "ServiceAccount",
    "Role",
    "RoleBinding",
    "EndpointSlice",
)
"""Kinds whose objects belong to a RabbitmqCluster, itself or (EndpointSlices) through its Service."""

RESYNC_SECONDS: Final = 300.0
"""Longest time for which a broker that lost its data without its RabbitmqCluster changing stays without topology."""

_COMPONENT_LABEL: Final = "app.kubernetes.io/component"
_NAME_LABEL: Final = "app.kubernetes.io/name"
_PREREQUISITES: Final = ("Vhost", "Exchange", "Queue")
"""Kinds without which the broker refuses others; one that becomes ready lets those try again at once."""

_CLUSTER_WORKERS: Final = 2
_TOPOLOGY_WORKERS: Final = 4

logger = logging.getLogger(__name__)


def timestamp() -> str:
    """Now, in the form of Kubernetes' own times but with microseconds, so that two changes have an order."""
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def owner_of_child(child: Mapping[str, Any]) -> Key | None:
    """The RabbitmqCluster that an object was made for, None when it was made for none."""
    labels = child["metadata"].get("labels") or {}
    if labels.get(_COMPONENT_LABEL) != "rabbitmq" or _NAME_LABEL not in labels:
        return None
    return Key("RabbitmqCluster", child["metadata"]["namespace"], labels[_NAME_LABEL])


def interest(resource: Mapping[str, Any]) -> tuple[Any, ...]:
    """What a topology reconciliation looks at; two events with the same are one."""
    metadata = resource["metadata"]
    return metadata.get("uid"), metadata.get("generation"), metadata.get("deletionTimestamp")


def broker_state(cluster: Mapping[str, Any]) -> tuple[Any, ...]:
    """What has to change about a RabbitmqCluster for its topology to be looked at again."""
    conditions = (cluster.get("status") or {}).get("conditions") or []
    states = {condition["type"]: condition["status"] for condition in conditions}
    served = states.get("AllReplicasReady"), states.get("ClusterAvailable")
    return (*interest(cluster), *served, bool((cluster.get("status") or {}).get("binding")))


def is_ready(resource: Mapping[str, Any]) -> bool | None:
    """Whether the broker holds a topology resource; None while nobody has tried."""
    conditions = (resource.get("status") or {}).get("conditions") or []
    return next((entry["status"] == "True" for entry in conditions if entry["type"] == "Ready"), None)


class Controllers:
    """Both operators: their queues, and what they know of the resources they watch."""

    def __init__(self, api: ApiServer, session: aiohttp.ClientSession) -> None:
        clusters = ClusterReconciler(api, session, now=timestamp)
        topology = TopologyReconciler(api, session, now=timestamp)
        self.cluster_queue: WorkQueue[Key] = WorkQueue(clusters.reconcile, workers=_CLUSTER_WORKERS)
        self.topology_queue: WorkQueue[Key] = WorkQueue(topology.reconcile, workers=_TOPOLOGY_WORKERS)
        self._resources: dict[Key, Object] = {}
        self._interests: dict[Key, tuple[Any, ...]] = {}

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.cluster_queue.run())
            group.create_task(self.topology_queue.run())
            group.create_task(self._resync())

    async def _resync(self) -> None:
        while True:
            await asyncio.sleep(RESYNC_SECONDS)
            for key in sorted(self._resources):
                queue = self.cluster_queue if key.kind == "RabbitmqCluster" else self.topology_queue
                queue.add(key)

    def on_cluster(self, change: str | None, cluster: Object) -> None:
        """A RabbitmqCluster changed: look at it, and at its topology where its broker came or went."""
        key = Key.of(cluster)
        self._remember(key, change, cluster)
        self.cluster_queue.add(key)
        state = broker_state(cluster) if change != "DELETED" else ()
        if self._interests.get(key) != state:
            self._interests[key] = state
            self._add_topology(self._topology_of(key))

    def on_topology(self, change: str | None, resource: Object) -> None:
        """A topology resource changed: look at it if that is of interest; Permissions follow their User."""
        key = Key.of(resource)
        became_ready = is_ready(resource) is True and is_ready(self._resources.get(key, {})) is not True
        self._remember(key, change, resource)
        if change == "DELETED":
            self._interests.pop(key, None)
        elif self._interests.get(key) != interest(resource):
            self._interests[key] = interest(resource)
            self.topology_queue.add(key)
        if key.kind == "User" and (resource.get("status") or {}).get("username"):
            self._add_topology(self._waiting_permissions(key))
        if became_ready and change is not None and key.kind in _PREREQUISITES:
            self._add_topology(self._refused())

    def on_child(self, change: str | None, child: Object) -> None:
        """An object of a RabbitmqCluster changed, perhaps by another hand: look at the RabbitmqCluster."""
        owner = owner_of_child(child)
        if owner is not None and owner in self._resources and change is not None:
            self.cluster_queue.add(owner)
        if child["kind"] == "Secret" and change is not None:
            self._add_topology(self._users_of(child))

    def _remember(self, key: Key, change: str | None, resource: Object) -> None:
        if change == "DELETED":
            self._resources.pop(key, None)
        else:
            self._resources[key] = resource

    def _add_topology(self, keys: Iterable[Key]) -> None:
        for key in keys:
            self.topology_queue.add(key)

    def _topology_of(self, cluster: Key) -> list[Key]:
        found = []
        for key, resource in self._resources.items():
            reference = resource["spec"].get("rabbitmqClusterReference") or {}
            same_place = (reference.get("namespace") or key.namespace) == cluster.namespace
            if same_place and reference.get("name") == cluster.name and not reference.get("connectionSecret"):
                found.append(key)
        return found

    def _waiting_permissions(self, user: Key) -> list[Key]:
        return [
            key
            for key, resource in self._resources.items()
            if key.kind in ("Permission", "TopicPermission")
            and key.namespace == user.namespace
            and (resource["spec"].get("userReference") or {}).get("name") == user.name
            and not (resource.get("status") or {}).get("observedGeneration")
        ]

    def _refused(self) -> list[Key]:
        return [
            key
            for key, resource in self._resources.items()
            if key.kind != "RabbitmqCluster" and is_ready(resource) is False
        ]

    def _users_of(self, secret: Object) -> list[Key]:
        """Users that own or import a Secret with the operator's label."""
        metadata = secret["metadata"]
        if (metadata.get("labels") or {}).get(LABEL) != "true":
            return []
        owners = {owner["name"] for owner in metadata.get("ownerReferences") or () if owner["kind"] == "User"}
        return [
            key
            for key, resource in self._resources.items()
            if key.kind == "User"
            and key.namespace == metadata["namespace"]
            and (
                key.name in owners
                or (resource["spec"].get("importCredentialsSecret") or {}).get("name") == metadata["name"]
            )
        ]


def register(registry: kopf.OperatorRegistry, controllers: Controllers) -> None:
    """Tell kopf which kinds to watch and where their events go."""

    def plain(event: Mapping[str, Any], kind: str) -> tuple[str | None, Object]:
        return event["type"], {**event["object"], "kind": kind}

    def watch(kind: str, handle: Any) -> None:  # a bound method of Controllers
        version, plural = kind_address(kind)
        group, _, version_name = version.rpartition("/")

        async def on_event(event: Mapping[str, Any], **_: object) -> None:
            handle(*plain(event, kind))

        kopf.on.event(group, version_name, plural, registry=registry, id=f"watch-{plural}")(on_event)

    watch("RabbitmqCluster", controllers.on_cluster)
    for kind in TOPOLOGY_KINDS:
        watch(kind, controllers.on_topology)
    for kind in OWNED_KINDS:
        watch(kind, controllers.on_child)
