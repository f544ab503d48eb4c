"""Brings the Kubernetes objects of one RabbitmqCluster to what it asks for, and keeps its status true.

Invariant: conditions are written from what was observed, before anything is changed; whatever stops a reconciliation
is named by `ReconcileSuccess` with the reason and the sentence of the real operator.
Facts from: cluster-operator v2.21.1 `internal/controller/rabbitmqcluster_controller.go`,
`reconcile_{finalizer,operator_defaults,status,tls}.go`.
"""

import asyncio
import logging
import os
from collections.abc import Callable, Mapping
from typing import Any, Final

import aiohttp

from sandbox.standins.api_server import ApiError, ApiServer, CommandError, Key, Object
from sandbox.standins.rabbitmq_operators.cluster_children import (
    ClusterChildren,
    StorageError,
    UnsupportedOperationError,
)
from sandbox.standins.rabbitmq_operators.cluster_spec import RabbitmqCluster
from sandbox.standins.rabbitmq_operators.conditions import (
    NO_WARNINGS,
    Observed,
    observed_conditions,
    reconcile_failed,
    reconcile_succeeded,
    with_condition,
)
from sandbox.standins.rabbitmq_operators.configuration import ConfigurationError
from sandbox.standins.rabbitmq_operators.pod import DELETION_MARKER
from sandbox.standins.rabbitmq_operators.post_deploy import REBALANCE_ANNOTATION, PostDeploy, being_updated, settled
from sandbox.standins.work_queue import RetryLaterError

FINALIZER: Final = "deletion.finalizers.rabbitmqclusters.rabbitmq.com"
PAUSE_LABEL: Final = "rabbitmq.com/pauseReconciliation"
DEFAULT_IMAGE: Final = os.environ.get("DEFAULT_RABBITMQ_IMAGE", "docker.io/library/rabbitmq:4.3.6-management")
"""The real operator reads the same variable."""

_NOT_SETTLED_SECONDS: Final = 15.0
_LABEL_SECONDS: Final = 3.0
_LABEL_POLL_SECONDS: Final = 0.2

logger = logging.getLogger(__name__)


class TlsError(Exception):
    """The Secrets of the TLS settings are missing or incomplete."""

    def __init__(self, message: str, *, curable: bool = True) -> None:
        super().__init__(message)
        self.curable = curable


class ClusterReconciler:
    """Reconciles RabbitmqClusters."""

    def __init__(self, api: ApiServer, session: aiohttp.ClientSession, *, now: Callable[[], str]) -> None:
        self._api = api
        self._now = now
        self._children = ClusterChildren(api)
        self._post_deploy = PostDeploy(api, session)

    async def reconcile(self, key: Key) -> float | None:
        """Bring one RabbitmqCluster's objects up to date.

        Returns: after how many seconds to look again, None when events will tell.
        Raises: RetryLaterError with what is waited for.
        """
        resource = await self._api.get(key)
        if resource is None:
            return None
        if resource["metadata"].get("deletionTimestamp") is not None:
            await self._prepare_deletion(key, resource)
            return None
        if (resource["metadata"].get("labels") or {}).get(PAUSE_LABEL) == "true":
            await self._set_condition(key, resource, Observed(NO_WARNINGS, "False", "reconciliation paused"))
            return None
        try:
            return await self._reconcile(key, resource)
        except UnsupportedOperationError as error:
            await self._fail(key, resource, "UnsupportedOperation", str(error))
            return None
        except TlsError as error:
            await self._fail(key, resource, "TLSError", str(error))
            if not error.curable:
                return None
            raise RetryLaterError(str(error)) from error
        except (StorageError, ConfigurationError, CommandError, ApiError) as error:
            if isinstance(error, ApiError) and error.conflict:
                raise RetryLaterError("somebody else changed an object first") from error
            await self._fail(key, resource, _REASONS.get(type(error), "Error"), str(error))
            raise RetryLaterError(str(error)) from error

    async def _reconcile(self, key: Key, resource: Object) -> float | None:
        if not resource["spec"].get("image"):
            resource.update(await self._api.merge(key, {"spec": {"image": DEFAULT_IMAGE}}))
        await self._set_finalizer(key, resource, present=True)
        cluster = RabbitmqCluster.from_resource(resource)
        stateful_set = await self._observe(key, resource, cluster)
        await self._check_tls(cluster)
        if stateful_set is not None:
            await self._mark_for_rebalance(key, resource, cluster, stateful_set)
        stateful_set = await self._children.apply(cluster, now=self._now())
        await self._write_status(key, resource, _default_user_status(cluster))
        endpoint_slices = await self._endpoint_slices(cluster)
        quorum = await self._post_deploy.ask_quorum(cluster, endpoint_slices)
        await self._write_status(key, resource, {"quorumStatus": quorum})
        if not settled(stateful_set):
            return _NOT_SETTLED_SECONDS
        await self._post_deploy.record_version(cluster)
        await self._post_deploy.run_commands(cluster, stateful_set)
        await self._set_condition(key, resource, reconcile_succeeded())
        await self._write_status(key, resource, {"observedGeneration": cluster.generation})
        logger.info("%s: reconciled", key)
        return None

    async def _observe(self, key: Key, resource: Object, cluster: RabbitmqCluster) -> Object | None:
        stateful_set = await self._api.get(Key("StatefulSet", cluster.namespace, cluster.child_name("server")))
        previous = (resource.get("status") or {}).get("conditions") or []
        slices = await self._endpoint_slices(cluster)
        conditions = observed_conditions(previous, stateful_set, slices, self._now())
        await self._write_status(key, resource, {"conditions": conditions})
        return stateful_set

    async def _endpoint_slices(self, cluster: RabbitmqCluster) -> list[Object]:
        labels = {"kubernetes.io/service-name": cluster.name}
        return await self._api.list("EndpointSlice", cluster.namespace, labels=labels)

    async def _check_tls(self, cluster: RabbitmqCluster) -> None:
        if cluster.tls_only and not cluster.tls_secret:
            raise TlsError("TLS must be enabled if disableNonTLSListeners is set to true", curable=False)
        if not cluster.tls_secret:
            return
        data = await self._secret_data(cluster, cluster.tls_secret)
        if not {"tls.crt", "tls.key"} <= data.keys():
            raise TlsError(
                f"TLS secret {cluster.tls_secret} in namespace {cluster.namespace} does not have the fields "
                "tls.crt and tls.key"
            )
        if cluster.ca_secret and "ca.crt" not in await self._secret_data(cluster, cluster.ca_secret):
            raise TlsError(
                f"TLS secret {cluster.ca_secret} in namespace {cluster.namespace} does not have the field ca.crt"
            )

    async def _secret_data(self, cluster: RabbitmqCluster, name: str) -> Mapping[str, str]:
        secret = await self._api.get(Key("Secret", cluster.namespace, name))
        if secret is None:
            raise TlsError(f'secrets "{name}" not found')
        return secret.get("data") or {}

    async def _mark_for_rebalance(
        self, key: Key, resource: Object, cluster: RabbitmqCluster, stateful_set: Object
    ) -> None:
        wanted = being_updated(stateful_set) and cluster.replicas > 1 and not cluster.spec.get("skipPostDeploySteps")
        if wanted and REBALANCE_ANNOTATION not in cluster.annotations:
            patch = {"metadata": {"annotations": {REBALANCE_ANNOTATION: self._now()}}}
            resource.update(await self._api.merge(key, patch))

    async def _prepare_deletion(self, key: Key, resource: Object) -> None:
        """Tell the pods that they need not drain, then let garbage collection take everything."""
        if FINALIZER not in (resource["metadata"].get("finalizers") or []):
            return
        cluster = RabbitmqCluster.from_resource(resource)
        pods = await self._api.list("Pod", cluster.namespace, labels=cluster.selector)
        for pod in pods:
            pod_key = Key("Pod", cluster.namespace, pod["metadata"]["name"])
            try:
                await self._api.merge(pod_key, {"metadata": {"labels": {DELETION_MARKER: "true"}}})
            except ApiError as error:
                logger.info("%s: could not mark %s: %s", key, pod_key, error)
        if pods:
            await self._wait_for_marker(cluster)
        await self._set_finalizer(key, resource, present=False)
        logger.info("%s: deleted", key)

    async def _wait_for_marker(self, cluster: RabbitmqCluster) -> None:
        pod = Key("Pod", cluster.namespace, cluster.pod_name(0))
        try:
            async with asyncio.timeout(_LABEL_SECONDS):
                while True:
                    command = ["cat", f"/etc/pod-info/{DELETION_MARKER}"]
                    if (await self._api.run_in_pod(pod, "rabbitmq", command)).startswith("true"):
                        return
                    await asyncio.sleep(_LABEL_POLL_SECONDS)
        except (CommandError, TimeoutError) as error:
            logger.info("%s: the mark was not seen in the pod, deleting anyway: %s", pod, error)

    async def _set_finalizer(self, key: Key, resource: Object, *, present: bool) -> None:
        metadata = resource["metadata"]
        finalizers = metadata.get("finalizers") or []
        if (FINALIZER in finalizers) == present:
            return
        wanted = [*finalizers, FINALIZER] if present else [other for other in finalizers if other != FINALIZER]
        patch = {"metadata": {"finalizers": wanted, "resourceVersion": metadata["resourceVersion"]}}
        resource.update(await self._api.merge(key, patch))

    async def _fail(self, key: Key, resource: Object, reason: str, message: str) -> None:
        logger.warning("%s: %s: %s", key, reason, message)
        await self._set_condition(key, resource, reconcile_failed(reason, message))

    async def _set_condition(self, key: Key, resource: Object, observed: Observed) -> None:
        previous = (resource.get("status") or {}).get("conditions") or []
        await self._write_status(key, resource, {"conditions": with_condition(previous, observed, self._now())})

    async def _write_status(self, key: Key, resource: Object, patch: Mapping[str, Any]) -> None:
        status = resource.get("status") or {}
        if any(status.get(field) != value for field, value in patch.items()):
            resource.update(await self._api.merge(key, {"status": patch}, subresource="status"))


_REASONS: Final[Mapping[type[Exception], str]] = {
    StorageError: "FailedReconcilePVC",
    ConfigurationError: "Error",
    CommandError: "FailedCLICommand",
}


def _default_user_status(cluster: RabbitmqCluster) -> Object:
    """Where clients find the broker's default user, as the Service Binding specification wants it."""
    secret = cluster.child_name("default-user")
    return {
        "defaultUser": {
            "secretReference": {
                "name": secret,
                "namespace": cluster.namespace,
                "keys": {"username": "username", "password": "password"},
            },
            "serviceReference": {"name": cluster.name, "namespace": cluster.namespace},
        },
        "binding": {"name": secret},
    }
