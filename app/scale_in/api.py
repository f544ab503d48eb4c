"""The two requests that the controller makes of the Kubernetes API: list the pods of some queues, write the cost of one.

Two requests and a dozen fields of their answers: the standard library is enough, and a client library would be the largest thing in the image.
Invariant: the API server's certificate is verified; a token is shown to it alone, and stands in no message.
Sources: Kubernetes docs, "Kubernetes API Concepts" (list, resource versions, patch) and "Accessing the Kubernetes API from a Pod" (what the kubelet mounts).
"""

import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse, HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import msgspec

from app.scale_in.deciding import WorkerPod
from fleet.errors import FleetError

COST_ANNOTATION = "controller.kubernetes.io/pod-deletion-cost"

ACCOUNT_FOLDER = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where a pod's token and the certificates of its API server are."""

FIELD_MANAGER = "celery-fleet-scale-in"

ANSWER_SECONDS = 10.0
"""What the API server has for each step of an answer."""

MESSAGE_LENGTH = 300


class ApiError(Exception):
    """What the API server did not do, in its words or the network's."""


class UnreachableError(ApiError):
    """It was not asked, or did not answer: nothing else will be answered at the moment."""


@dataclass(frozen=True, kw_only=True)
class ApiServer:
    """Where the API server is, and who we are there."""

    host: str
    port: int
    account: Path = ACCOUNT_FOLDER


def find_api_server(environ: Mapping[str, str]) -> ApiServer:
    """The API server of the cluster that this pod runs in.

    Raises: FleetError outside a cluster.
    """
    host, port = environ.get("KUBERNETES_SERVICE_HOST"), environ.get("KUBERNETES_SERVICE_PORT", "443")
    if host and port.isdecimal():
        return ApiServer(host=host, port=int(port))
    raise FleetError(
        "environment", "KUBERNETES_SERVICE_HOST names no API server", "Run it in a pod: the kubelet sets the variable."
    )


class _Reference(msgspec.Struct):
    uid: str
    controller: bool = False


class _Metadata(msgspec.Struct, rename="camel"):
    name: str
    annotations: dict[str, str] = {}
    owner_references: tuple[_Reference, ...] = ()
    deletion_timestamp: str | None = None


class _Condition(msgspec.Struct):
    type: str
    status: str


class _Status(msgspec.Struct):
    conditions: tuple[_Condition, ...] = ()
    address: str | None = msgspec.field(default=None, name="podIP")


class _Pod(msgspec.Struct):
    metadata: _Metadata
    status: _Status = msgspec.field(default_factory=_Status)


class _Pods(msgspec.Struct):
    items: tuple[_Pod, ...]


class _Failure(msgspec.Struct):
    message: str = ""


class Pods:
    """The pods of one namespace, over one connection."""

    def __init__(self, connection: HTTPSConnection, token: str, namespace: str) -> None:
        self._connection = connection
        self._token = token
        self._path = f"/api/v1/namespaces/{quote(namespace)}/pods"

    def of_queues(self, fleet: str, queues: Sequence[str]) -> list[WorkerPod]:
        """The ready worker pods of some queues; of any other the cost decides nothing.

        Raises: ApiError.
        """
        selector = f"app.kubernetes.io/part-of={fleet},app.kubernetes.io/component=worker,celery-fleet/queue in ({','.join(queues)})"
        # Version 0 is what the API server has in memory; etcd is not asked.
        answer = self._ask("GET", f"{self._path}?{urlencode({'labelSelector': selector, 'resourceVersion': '0'})}")
        try:
            return ready_pods(answer)
        except msgspec.DecodeError as error:
            raise ApiError(f"its list of pods cannot be read: {error}") from None

    def write_cost(self, pod: str, cost: int) -> None:
        """Write what it costs to stop a pod; one that is gone meanwhile needs none.

        Raises: ApiError.
        """
        change = {"metadata": {"annotations": {COST_ANNOTATION: str(cost)}}}
        path = f"{self._path}/{quote(pod)}?{urlencode({'fieldManager': FIELD_MANAGER})}"
        self._ask("PATCH", path, change, missing_ok=True)

    def _ask(self, method: str, path: str, change: Any = None, *, missing_ok: bool = False) -> bytes:
        headers = {"Authorization": f"Bearer {self._token}", "Accept": "application/json"}
        if change is not None:
            headers["Content-Type"] = "application/merge-patch+json"
        try:
            self._connection.request(
                method, path, body=None if change is None else msgspec.json.encode(change), headers=headers
            )
            answer = self._connection.getresponse()
            body = answer.read()
        except (OSError, HTTPException) as error:
            self._connection.close()
            raise UnreachableError(f"does not answer: {type(error).__name__}: {error}"[:MESSAGE_LENGTH]) from None
        if answer.status >= 300 and not (missing_ok and answer.status == 404):
            raise ApiError(_told(answer, body))
        return body


def _told(answer: HTTPResponse, body: bytes) -> str:
    message = answer.reason
    with suppress(msgspec.DecodeError):
        message = msgspec.json.decode(body, type=_Failure).message or message
    return f"answers {answer.status}: {message}"[:MESSAGE_LENGTH]


@contextmanager
def open_pods(server: ApiServer, namespace: str) -> Iterator[Pods]:
    """The pods of a namespace. Token and authorities are read anew each time, because the kubelet replaces them.

    Raises: UnreachableError where the pod has no account.
    """
    try:
        token = (server.account / "token").read_text(encoding="ascii").strip()
        verified = ssl.create_default_context(cafile=str(server.account / "ca.crt"))
    except (OSError, ValueError) as error:
        raise UnreachableError(
            f"cannot be asked: no token and authority in {server.account}: {type(error).__name__}"
        ) from None
    connection = HTTPSConnection(server.host, server.port, timeout=ANSWER_SECONDS, context=verified)
    with closing(connection):
        yield Pods(connection, token, namespace)


def ready_pods(listed: bytes) -> list[WorkerPod]:
    """The pods of a list, as JSON, that are ready, stay, and belong to a ReplicaSet or the like.

    Raises: msgspec.DecodeError where it is no list of pods.
    """
    found = []
    for pod in msgspec.json.decode(listed, type=_Pods).items:
        owner = next((item.uid for item in pod.metadata.owner_references if item.controller), None)
        ready = any(item.type == "Ready" and item.status == "True" for item in pod.status.conditions)
        if owner is not None and ready and pod.status.address and pod.metadata.deletion_timestamp is None:
            found.append(
                WorkerPod(
                    name=pod.metadata.name,
                    replica_set=owner,
                    address=pod.status.address,
                    cost=_cost(pod.metadata.annotations.get(COST_ANNOTATION)),
                )
            )
    return found


def _cost(written: str | None) -> int:
    """As Kubernetes reads it: 0 where it is no whole number (1.36, `pkg/apis/core/helper`, `GetDeletionCostFromPodAnnotations`)."""
    try:
        return int(written or "0")
    except ValueError:
        return 0
