"""Applies the objects that make up a broker, and decides when running nodes have to restart.

Invariant: children are applied in an order in which no pod waits for its parts; what a StatefulSet may never change is
taken from the one that exists; a scale-down or a shrunken volume changes nothing.
Facts from: cluster-operator v2.21.1 `internal/controller/rabbitmqcluster_controller.go`,
`reconcile_rabbitmq_configurations.go`, `reconcile_scale_{down,zero}.go`, `internal/scaling/scaling.go`.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from sandbox.standins.api_server import ApiServer, Key, Object
from sandbox.standins.quantities import parse_quantity
from sandbox.standins.rabbitmq_operators.cluster_spec import (
    REPLICAS_BEFORE_ZERO_ANNOTATION,
    Manifest,
    RabbitmqCluster,
)
from sandbox.standins.rabbitmq_operators.configuration import needs_restart, plugins_config_map, server_config_map
from sandbox.standins.rabbitmq_operators.credentials import (
    default_user_secret,
    draw_default_user,
    erlang_cookie_secret,
    random_text,
)
from sandbox.standins.rabbitmq_operators.services import (
    client_service,
    nodes_service,
    peer_discovery_binding,
    peer_discovery_role,
    service_account,
)
from sandbox.standins.rabbitmq_operators.statefulset import (
    CLAIM_NAME,
    broker_statefulset,
    claimed_storage,
    refused_scale_down,
    refused_scale_up_from_zero,
    refused_storage_change,
)
from sandbox.standins.secret_data import decode_data

PLUGINS_UPDATED_ANNOTATION: Final = "rabbitmq.com/pluginsUpdatedAt"
SERVER_CONF_UPDATED_ANNOTATION: Final = "rabbitmq.com/serverConfUpdatedAt"
LAST_RESTART_ANNOTATION: Final = "rabbitmq.com/lastRestartAt"
CREATED_ANNOTATION: Final = "rabbitmq.com/createdAt"

_ORPHANING_SECONDS: Final = 30


class UnsupportedOperationError(Exception):
    """The change asked for is one that RabbitMQ or the operator cannot make; repeating it does not help."""


class StorageError(Exception):
    """The volumes asked for cannot be had from those that exist."""


class ClusterChildren:
    """The children of RabbitmqClusters."""

    def __init__(self, api: ApiServer) -> None:
        self._api = api

    async def apply(self, cluster: RabbitmqCluster, *, now: str) -> Object:
        """Bring all children to what the RabbitmqCluster asks for.

        Returns: the StatefulSet.
        Raises: UnsupportedOperationError, StorageError, ConfigurationError, ApiError.
        """
        await self._api.apply(nodes_service(cluster))
        await self._api.apply(client_service(cluster))
        await self._apply_secrets(cluster)
        await self._apply_config_map(cluster, plugins_config_map(cluster), PLUGINS_UPDATED_ANNOTATION, now)
        server_conf = await self._apply_config_map(
            cluster, server_config_map(cluster), SERVER_CONF_UPDATED_ANNOTATION, now
        )
        await self._api.apply(service_account(cluster))
        for manifest in (peer_discovery_role(cluster), peer_discovery_binding(cluster)):
            if cluster.needs_peer_discovery_role:
                await self._api.apply(manifest)
            else:
                await self._api.delete(Key.of(manifest))
        return await self._apply_statefulset(cluster, server_conf, now)

    async def _apply_secrets(self, cluster: RabbitmqCluster) -> None:
        existing = await self._secret(cluster, "default-user")
        username, password = (existing.get("username"), existing.get("password"))
        if not username or not password:
            username, password = draw_default_user(cluster)
        await self._api.apply(default_user_secret(cluster, username=username, password=password))
        cookie = (await self._secret(cluster, "erlang-cookie")).get(".erlang.cookie") or random_text()
        await self._api.apply(erlang_cookie_secret(cluster, cookie=cookie))

    async def _secret(self, cluster: RabbitmqCluster, suffix: str) -> dict[str, str]:
        secret = await self._api.get(Key("Secret", cluster.namespace, cluster.child_name(suffix)))
        return decode_data((secret or {}).get("data"))

    async def _apply_config_map(self, cluster: RabbitmqCluster, desired: Manifest, annotation: str, now: str) -> Object:
        """Apply a ConfigMap; a change of an existing one that nodes must hear of leaves its time in `annotation`."""
        previous = await self._api.get(Key("ConfigMap", cluster.namespace, desired["metadata"]["name"]))
        if previous is not None:
            changed_at = (previous["metadata"].get("annotations") or {}).get(annotation)
            if needs_restart(previous.get("data") or {}, desired["data"]):
                changed_at = now
            if changed_at is not None:
                desired["metadata"]["annotations"][annotation] = changed_at
        return await self._api.apply(desired)

    async def _apply_statefulset(self, cluster: RabbitmqCluster, server_conf: Object, now: str) -> Object:
        current = await self._api.get(Key("StatefulSet", cluster.namespace, cluster.child_name("server")))
        template_annotations = _restart_annotations(current, server_conf, now)
        desired = broker_statefulset(cluster, template_annotations=template_annotations)
        if current is not None:
            await self._check_replicas(cluster, current, desired)
            current = await self._grow_volumes(cluster, current, desired)
        if current is None:
            desired["metadata"]["annotations"][CREATED_ANNOTATION] = now
        else:
            _keep_claims(cluster, current, desired)
            created_at = (current["metadata"].get("annotations") or {}).get(CREATED_ANNOTATION)
            if created_at is not None:
                desired["metadata"]["annotations"][CREATED_ANNOTATION] = created_at
        return await self._api.apply(desired)

    async def _check_replicas(self, cluster: RabbitmqCluster, current: Object, desired: Manifest) -> None:
        before, wanted = current["spec"].get("replicas", 1), desired["spec"]["replicas"]
        key = Key("RabbitmqCluster", cluster.namespace, cluster.name)
        refusal = refused_scale_down(before, wanted)
        remembered: str | None = cluster.annotations.get(REPLICAS_BEFORE_ZERO_ANNOTATION)
        if refusal is None and before == 0 and wanted > 0:
            refusal = refused_scale_up_from_zero(remembered, wanted)
        if refusal is not None:
            raise UnsupportedOperationError(refusal)
        value = str(before) if before > 0 and wanted == 0 else None
        if value is not None or (wanted > 0 and remembered is not None):
            await self._api.merge(key, {"metadata": {"annotations": {REPLICAS_BEFORE_ZERO_ANNOTATION: value}}})

    async def _grow_volumes(self, cluster: RabbitmqCluster, current: Object, desired: Manifest) -> Object | None:
        """Grow the claims where asked; a StatefulSet cannot change its claims, so it is made anew around its pods."""
        refusal = refused_storage_change(current, desired)
        if refusal is not None:
            raise StorageError(refusal)
        wanted = claimed_storage(desired)
        if parse_quantity(claimed_storage(current)) == parse_quantity(wanted):
            return current
        key = Key.of(current | {"kind": "StatefulSet"})
        await self._api.delete(key, propagation="Orphan")
        async with asyncio.timeout(_ORPHANING_SECONDS):
            while await self._api.get(key) is not None:
                await asyncio.sleep(0.5)
        for ordinal in range(cluster.replicas):
            claim = Key("PersistentVolumeClaim", cluster.namespace, f"{CLAIM_NAME}-{cluster.pod_name(ordinal)}")
            if await self._api.get(claim) is not None:
                await self._api.merge(claim, {"spec": {"resources": {"requests": {"storage": wanted}}}})
        return None


def _restart_annotations(
    stateful_set: Mapping[str, Any] | None, server_conf: Mapping[str, Any], now: str
) -> dict[str, str]:
    """Annotations of the pod template: another time there is what makes Kubernetes replace the pods."""
    if stateful_set is None:
        return {}
    template = stateful_set["spec"]["template"]["metadata"].get("annotations") or {}
    restarted_at = template.get(LAST_RESTART_ANNOTATION, "")
    changed_at = (server_conf["metadata"].get("annotations") or {}).get(SERVER_CONF_UPDATED_ANNOTATION, "")
    if changed_at > restarted_at:
        restarted_at = now
    return {LAST_RESTART_ANNOTATION: restarted_at} if restarted_at else {}


def _keep_claims(cluster: RabbitmqCluster, current: Mapping[str, Any], desired: Manifest) -> None:
    """Keep the claims that exist, as upstream does, unless the user's override names others."""
    override = (cluster.override.get("statefulSet") or {}).get("spec") or {}
    claims = current["spec"].get("volumeClaimTemplates")
    if claims and not override.get("volumeClaimTemplates"):
        desired["spec"]["volumeClaimTemplates"] = [
            {field: value for field, value in claim.items() if field != "status"} for claim in claims
        ]
