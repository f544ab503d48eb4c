"""Brings the broker to what one topology resource asks for, and says in its status how that went.

Invariant: a resource is `Ready` only after the broker accepted it; a resource with our finalizer has been taken off the
broker, or has no broker any more, before it disappears.
Facts from: messaging-topology-operator v1.20.1 `internal/controller/topology_controller.go` and the controllers of the
kinds beside it.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import aiohttp

from sandbox.standins.api_server import ApiError, ApiServer, Key, Object, kind_address
from sandbox.standins.rabbitmq_operators.cluster_reference import (
    ClusterReferenceError,
    NamespaceNotAllowedError,
    NoSuchClusterError,
    ScaledToZeroError,
    resolve,
)
from sandbox.standins.rabbitmq_operators.conditions import (
    Condition,
    Observed,
    not_ready,
    password_synced,
    ready,
    with_condition,
)
from sandbox.standins.rabbitmq_operators.crd_schema import GROUP
from sandbox.standins.rabbitmq_operators.management_api import BrokerError, BrokerNotFoundError, Call, ManagementApi
from sandbox.standins.rabbitmq_operators.topology_calls import (
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
from sandbox.standins.rabbitmq_operators.users import (
    CredentialsError,
    credentials_secret_name,
    user_credentials,
    user_owner_reference,
)
from sandbox.standins.work_queue import RetryLaterError

TOPOLOGY_KINDS: Final = (
    "Vhost",
    "User",
    "Permission",
    "TopicPermission",
    "Exchange",
    "Queue",
    "Binding",
    "Policy",
    "OperatorPolicy",
)

logger = logging.getLogger(__name__)


def finalizer(kind: str) -> str:
    """The finalizer by which a resource waits until it has been taken off the broker."""
    return f"deletion.finalizers.{kind_address(kind)[1]}.{GROUP}"


class TopologyError(Exception):
    """The resource cannot be brought to the broker as it stands; the text is fit for a condition's message."""


@dataclass(frozen=True)
class _Resource:
    """A topology resource, and the broker it belongs to."""

    key: Key
    content: Object
    broker: ManagementApi

    @property
    def spec(self) -> Mapping[str, Any]:
        return dict(self.content["spec"])

    @property
    def status(self) -> Mapping[str, Any]:
        return self.content.get("status") or {}


class TopologyReconciler:
    """Reconciles any topology kind."""

    def __init__(self, api: ApiServer, session: aiohttp.ClientSession, *, now: Callable[[], str]) -> None:
        self._api = api
        self._session = session
        self._now = now

    async def reconcile(self, key: Key) -> float | None:
        """Bring one resource to the broker, or take it off.

        Raises: RetryLaterError with what is waited for.
        """
        content = await self._api.get(key)
        if content is None:
            return None
        deleting = content["metadata"].get("deletionTimestamp") is not None
        try:
            connection = await resolve(self._api, content["spec"]["rabbitmqClusterReference"], key.namespace)
        except ClusterReferenceError as error:
            await self._without_broker(key, content, error, deleting=deleting)
            return None
        resource = _Resource(key, content, ManagementApi(self._session, connection))
        try:
            if deleting:
                await self._remove(resource)
                await self._set_finalizer(key, content, present=False)
            else:
                await self._set_finalizer(key, content, present=True)
                await self._declare(resource)
                await self._write_status(key, content, ready())
        except (BrokerError, CredentialsError, TopologyError) as error:
            if not deleting:
                await self._write_status(key, content, not_ready(str(error)))
            raise RetryLaterError(str(error)) from error
        except ApiError as error:
            if error.conflict:
                raise RetryLaterError("somebody else changed the resource") from error
            raise
        logger.info("%s: %s", key, "removed" if deleting else "declared")
        return None

    async def _without_broker(self, key: Key, content: Object, error: ClusterReferenceError, *, deleting: bool) -> None:
        if deleting and isinstance(error, (NoSuchClusterError, ScaledToZeroError)):
            logger.info("%s: %s; nothing to take off the broker", key, error)
            await self._set_finalizer(key, content, present=False)
            return
        if isinstance(error, NoSuchClusterError):
            # As upstream, no condition: the RabbitmqCluster may just not have been created yet.
            raise RetryLaterError(str(error)) from error
        if isinstance(error, (ScaledToZeroError, NamespaceNotAllowedError)):
            # Only a change of the RabbitmqCluster helps, and that brings the resource back here.
            await self._write_status(key, content, not_ready(str(error)))
            return
        await self._write_status(key, content, not_ready(f"failed to retrieve cluster from reference: {error}"))
        raise RetryLaterError(str(error)) from error

    async def _declare(self, resource: _Resource) -> None:
        kind = resource.key.kind
        if kind == "User":
            await self._declare_user(resource)
            return
        username = await self._username(resource)
        if kind.endswith("Permission") and not username:
            raise TopologyError("failed create Permission, missing User")
        await resource.broker.send(declaration(kind, resource.spec, username=username))
        if kind == "Vhost":
            await self._bring_limits(resource, resource.spec["name"])

    async def _declare_user(self, resource: _Resource) -> None:
        credentials = await user_credentials(self._api, resource.content)
        secret_name = credentials_secret_name(resource.content)
        recorded = (resource.status.get("credentials") or {}).get("name")
        if recorded != secret_name or resource.status.get("username") != credentials.username:
            status = {"credentials": {"name": secret_name}, "username": credentials.username}
            await self._patch_status(resource.key, resource.content, status)
        await resource.broker.send(user_declaration(credentials, resource.spec.get("tags") or []))
        await self._write_status(resource.key, resource.content, password_synced())
        await self._bring_limits(resource, credentials.username)

    async def _bring_limits(self, resource: _Resource, name: str) -> None:
        kind = resource.key.kind
        try:
            listed = await resource.broker.send(limits_listing(kind, name))
        except BrokerNotFoundError:
            listed = []
        for call in limit_changes(kind, name, resource.spec, listed or []):
            if call.method == "DELETE":
                await self._send_removal(resource.broker, call)
            else:
                await resource.broker.send(call)

    async def _username(self, resource: _Resource) -> str:
        """The broker's user that a Permission names, itself or through a User; empty when it is not known (yet)."""
        reference = resource.spec.get("userReference")
        if not reference:
            return str(resource.spec.get("user") or "")
        user = await self._api.get(Key("User", resource.key.namespace, reference["name"]))
        username = str(((user or {}).get("status") or {}).get("username") or "")
        if user is not None and username and "deletionTimestamp" not in resource.content["metadata"]:
            await self._own(resource, user_owner_reference(user, block_deletion=True))
        return username

    async def _own(self, resource: _Resource, owner: Object) -> None:
        owners = resource.content["metadata"].get("ownerReferences") or []
        if all(other["uid"] != owner["uid"] for other in owners):
            await self._patch_metadata(resource.key, resource.content, {"ownerReferences": [*owners, owner]})

    async def _remove(self, resource: _Resource) -> None:
        kind, spec = resource.key.kind, resource.spec
        if finalizer(kind) not in (resource.content["metadata"].get("finalizers") or []):
            return
        username = str(resource.status.get("username") or "") if kind == "User" else await self._username(resource)
        if (kind == "User" or kind.endswith("Permission")) and not username:
            return  # it never reached the broker, or went with its user
        call: Call | None
        if kind == "Binding":
            try:
                call = binding_removal(spec, await resource.broker.send(bindings_listing(spec)))
            except BrokerNotFoundError:
                call = None
        else:
            call = removal(kind, spec, username=username)
        if call is None:
            return
        if kind == "Queue":
            await self._check_queue(resource)
        await self._send_removal(resource.broker, call)

    async def _check_queue(self, resource: _Resource) -> None:
        inspection = queue_inspection(resource.spec)
        if inspection is not None:
            refusal = refused_queue_removal(resource.spec, await resource.broker.send(inspection))
            if refusal is not None:
                raise TopologyError(refusal)

    async def _send_removal(self, broker: ManagementApi, call: Call) -> None:
        try:
            await broker.send(call)
        except BrokerNotFoundError:
            return  # somebody else removed it

    async def _set_finalizer(self, key: Key, content: Object, *, present: bool) -> None:
        finalizers: Sequence[str] = content["metadata"].get("finalizers") or []
        if (finalizer(key.kind) in finalizers) == present:
            return
        others = [other for other in finalizers if other != finalizer(key.kind)]
        await self._patch_metadata(key, content, {"finalizers": [*others, finalizer(key.kind)] if present else others})

    async def _patch_metadata(self, key: Key, content: Object, metadata: Mapping[str, Any]) -> None:
        """Write lists of the metadata whole, and only if nobody else changed the resource since it was read."""
        version = content["metadata"]["resourceVersion"]
        written = await self._api.merge(key, {"metadata": {**metadata, "resourceVersion": version}})
        content["metadata"] = written["metadata"]

    async def _write_status(self, key: Key, content: Object, observed: Observed) -> None:
        status = content.get("status") or {}
        previous: list[Condition] = list(status.get("conditions") or [])
        # A User keeps the condition of its password beside `Ready`; other kinds have the one condition.
        kept = previous if key.kind == "User" else [old for old in previous if old["type"] == observed.type]
        patch: Object = {"conditions": with_condition(kept, observed, self._now())}
        if observed.type == "Ready" and observed.status == "True":
            patch["observedGeneration"] = content["metadata"].get("generation", 0)
        if key.kind == "User":
            patch["username"] = status.get("username") or ""
        if any(status.get(field) != value for field, value in patch.items()):
            await self._patch_status(key, content, patch)

    async def _patch_status(self, key: Key, content: Object, status: Mapping[str, Any]) -> None:
        written = await self._api.merge(key, {"status": status}, subresource="status")
        content["status"] = written.get("status") or {}
        content["metadata"] = written["metadata"]
