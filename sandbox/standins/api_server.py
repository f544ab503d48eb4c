"""The Kubernetes API server, as the stand-in controllers use it: objects, patches, and commands in pods.

Invariant: every object is addressed by its kind through one table, and every refusal of the API server reaches the
caller as `ApiError` with the server's own reason and message.
Facts from: Kubernetes API reference v1.36; `v5.channel.k8s.io` in `k8s.io/apimachinery/pkg/util/remotecommand`.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final, TypeAlias

import aiohttp
import kopf

Object: TypeAlias = dict[str, Any]

_TIMEOUT: Final = aiohttp.ClientTimeout(total=30)
_EXEC_SECONDS: Final = 120
_EXEC_PROTOCOLS: Final = ("v5.channel.k8s.io", "v4.channel.k8s.io")
_STDOUT, _STDERR, _RESULT = 1, 2, 3

_PLURALS: Final[Mapping[str, tuple[str, str]]] = {
    # kind: (API version, plural); the namespaced kinds that the stand-ins touch, and three that are not namespaced
    "ConfigMap": ("v1", "configmaps"),
    "Event": ("v1", "events"),
    "PersistentVolume": ("v1", "persistentvolumes"),
    "PersistentVolumeClaim": ("v1", "persistentvolumeclaims"),
    "Pod": ("v1", "pods"),
    "Secret": ("v1", "secrets"),
    "Service": ("v1", "services"),
    "ServiceAccount": ("v1", "serviceaccounts"),
    "StatefulSet": ("apps/v1", "statefulsets"),
    "EndpointSlice": ("discovery.k8s.io/v1", "endpointslices"),
    "Role": ("rbac.authorization.k8s.io/v1", "roles"),
    "RoleBinding": ("rbac.authorization.k8s.io/v1", "rolebindings"),
    "StorageClass": ("storage.k8s.io/v1", "storageclasses"),
    "Certificate": ("cert-manager.io/v1", "certificates"),
    "ClusterIssuer": ("cert-manager.io/v1", "clusterissuers"),
    "Issuer": ("cert-manager.io/v1", "issuers"),
    "RabbitmqCluster": ("rabbitmq.com/v1beta1", "rabbitmqclusters"),
    "Vhost": ("rabbitmq.com/v1beta1", "vhosts"),
    "User": ("rabbitmq.com/v1beta1", "users"),
    "Permission": ("rabbitmq.com/v1beta1", "permissions"),
    "TopicPermission": ("rabbitmq.com/v1beta1", "topicpermissions"),
    "Exchange": ("rabbitmq.com/v1beta1", "exchanges"),
    "Queue": ("rabbitmq.com/v1beta1", "queues"),
    "Binding": ("rabbitmq.com/v1beta1", "bindings"),
    "Policy": ("rabbitmq.com/v1beta1", "policies"),
    "OperatorPolicy": ("rabbitmq.com/v1beta1", "operatorpolicies"),
}
_CLUSTER_WIDE: Final = frozenset({"ClusterIssuer", "PersistentVolume", "StorageClass"})


class ApiError(Exception):
    """The API server refused a request."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason

    @property
    def conflict(self) -> bool:
        """Whether somebody else changed the object first; reading it again and repeating helps."""
        return self.status == HTTPStatus.CONFLICT


class CommandError(Exception):
    """A command in a pod could not be run or failed; the text has what it printed."""


def kind_address(kind: str) -> tuple[str, str]:
    """API version and plural of a kind."""
    return _PLURALS[kind]


@dataclass(frozen=True, order=True)
class Key:
    """Which object: kind, namespace (empty for kinds without one), name."""

    kind: str
    namespace: str
    name: str

    @classmethod
    def of(cls, obj: Mapping[str, Any]) -> "Key":
        """The key of an object that carries its kind."""
        metadata = obj["metadata"]
        return cls(obj["kind"], metadata.get("namespace", ""), metadata["name"])

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


class ApiServer:
    """A connection to the API server; usable after `open` and until `close`."""

    def __init__(self, connection: kopf.ConnectionInfo, *, field_manager: str) -> None:
        self._connection = connection
        self._field_manager = field_manager
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        """Start the connection pool; needs a running event loop."""
        self._session = aiohttp.ClientSession(
            base_url=self._connection.server.rstrip("/") + "/",
            headers=self._connection.as_http_headers(),
            connector=aiohttp.TCPConnector(ssl=self._connection.as_ssl_context(), limit=8),
        )

    async def close(self) -> None:
        """Close the connection pool."""
        if self._session is not None:
            await self._session.close()

    async def get(self, key: Key) -> Object | None:
        """The object, None when there is none."""
        try:
            return await self._send("GET", _path(key.kind, key.namespace, key.name))
        except ApiError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return None
            raise

    async def list(self, kind: str, namespace: str, *, labels: Mapping[str, str]) -> list[Object]:
        """The objects of a kind with all of `labels`."""
        selector = ",".join(f"{key}={value}" for key, value in labels.items())
        answer = await self._send("GET", _path(kind, namespace), params={"labelSelector": selector})
        return [item | {"kind": kind} for item in answer["items"]]

    async def create(self, obj: Object) -> Object:
        """Create an object that must not exist yet."""
        key = Key.of(obj)
        return await self._send("POST", _path(key.kind, key.namespace), body=obj)

    async def apply(self, obj: Object) -> Object:
        """Server-side apply: the object has exactly these fields of ours, whoever wrote them before."""
        key = Key.of(obj)
        return await self._send(
            "PATCH",
            _path(key.kind, key.namespace, key.name),
            body=obj,
            params={"fieldManager": self._field_manager, "force": "true"},
            content_type="application/apply-patch+yaml",
        )

    async def merge(self, key: Key, patch: Mapping[str, Any], *, subresource: str = "") -> Object:
        """JSON merge patch; a `resourceVersion` in the patch makes it fail on somebody else's change."""
        return await self._send(
            "PATCH",
            _path(key.kind, key.namespace, key.name) + (f"/{subresource}" if subresource else ""),
            body=patch,
            params={"fieldManager": self._field_manager},
            content_type="application/merge-patch+json",
        )

    async def delete(self, key: Key, *, propagation: str = "Background") -> None:
        """Delete an object; one that is gone is no error."""
        try:
            await self._send("DELETE", _path(*_parts(key)), body={"propagationPolicy": propagation})
        except ApiError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise

    async def run_in_pod(self, pod: Key, container: str, command: Sequence[str]) -> str:
        """What a command in a running container prints.

        Raises: CommandError when it cannot be started or ends with another code than 0.
        """
        parameters = [("container", container), ("stdout", "true"), ("stderr", "true")]
        parameters += [("command", word) for word in command]
        printed: dict[int, str] = {_STDOUT: "", _STDERR: "", _RESULT: ""}
        session = self._opened()
        try:
            async with session.ws_connect(
                _path(*_parts(pod)) + "/exec",
                params=parameters,
                protocols=_EXEC_PROTOCOLS,
                timeout=aiohttp.ClientWSTimeout(ws_receive=_EXEC_SECONDS),
            ) as socket:
                async for message in socket:
                    if message.type is aiohttp.WSMsgType.BINARY and message.data:
                        channel = message.data[0]
                        printed[channel] = printed.get(channel, "") + message.data[1:].decode(errors="replace")
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise CommandError(f"{' '.join(command)} in {pod}: {str(error) or 'timed out'}") from None
        result = json.loads(printed[_RESULT] or "{}")
        if result.get("status") != "Success":
            said = " ".join((printed[_STDERR] or printed[_STDOUT]).split())
            raise CommandError(f"{' '.join(command)} in {pod}: {result.get('message', 'no answer')}: {said[-500:]}")
        return printed[_STDOUT]

    async def _send(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        params: Mapping[str, str] | None = None,
        content_type: str = "application/json",
    ) -> Object:
        async with self._opened().request(
            method,
            path,
            data=None if body is None else json.dumps(body),
            params=params,
            headers={"Content-Type": content_type},
            timeout=_TIMEOUT,
        ) as response:
            text = await response.text()
        try:
            answer: Object = json.loads(text)
        except ValueError:
            answer = {"message": text.strip()}
        if response.status >= HTTPStatus.BAD_REQUEST:
            raise ApiError(response.status, str(answer.get("reason", "")), str(answer.get("message", "")))
        return answer

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise RuntimeError("ApiServer is used before open()")
        return self._session


def _parts(key: Key) -> tuple[str, str, str]:
    return key.kind, key.namespace, key.name


def _path(kind: str, namespace: str, name: str = "") -> str:
    version, plural = _PLURALS[kind]
    root = f"api/{version}" if version == "v1" else f"apis/{version}"
    place = "" if kind in _CLUSTER_WIDE else f"/namespaces/{namespace}"
    return f"{root}{place}/{plural}" + (f"/{name}" if name else "")
