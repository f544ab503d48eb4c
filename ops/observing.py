"""One look at the fleet: broker, autoscalers and workers of each queue, side by side.

Broker counts come from RabbitMQ's management API (they are five to eight seconds old there), replicas from Kubernetes, done and waits from the
workers' own counters behind the web layer. What cannot be read is None and shown as such, never as zero.
"""

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import httpx

from fleet.errors import FleetError
from fleet.plan import Plan, QueuePlan
from ops import broker_access, forwarding, readiness
from ops.readiness import Object
from ops.target import Target
from ops.waits import Counters, read_counters

BROKER_USER_SECRET = "autoscaler-user-credentials"  # noqa: S105 - the name of a Secret, not its content
WEB_SERVICE = "web"
WEB_PORT = 80
WEB_LOCAL_PORT = 8000
HTTP_SECONDS = 5.0


@dataclass(frozen=True, kw_only=True)
class QueueView:
    """One queue at one moment; shards are summed up."""

    name: str
    ready: int | None
    """Messages that wait."""
    unacked: int | None
    """Messages that workers hold."""
    replicas: int | None
    """Pods that are ready."""
    desired: int | None
    """Pods that the autoscaler wants."""
    minimum: int
    maximum: int
    counters: Counters = field(default_factory=Counters)

    @property
    def resting(self) -> bool:
        """Whether nothing waits, nothing runs, and the pods are back at the minimum."""
        return self.ready == 0 and self.unacked == 0 and self.desired == self.minimum and self.replicas == self.minimum


def desired_replicas(deployment: Object, autoscaler: Object | None) -> int:
    """The pods that are wanted: the autoscaler's latest word, except at zero, where KEDA holds the Deployment itself."""
    told = int(deployment.get("spec", {}).get("replicas", 1))
    if not told or autoscaler is None:
        return told
    return int(autoscaler.get("status", {}).get("desiredReplicas", told)) or told


def replicas_of(queue: QueuePlan, items: Sequence[Object]) -> tuple[int | None, int | None]:
    """Ready and desired pods of a queue, all shards together; None where a Deployment is missing."""
    deployments = {item["metadata"]["name"]: item for item in items if item["kind"] == "Deployment"}
    autoscalers = {
        item["spec"]["scaleTargetRef"]["name"]: item for item in items if item["kind"] == "HorizontalPodAutoscaler"
    }
    names = [f"worker-{shard}" for shard in queue.topology.shards]
    if any(name not in deployments for name in names):
        return None, None
    ready = sum(int(deployments[name].get("status", {}).get("readyReplicas", 0)) for name in names)
    desired = sum(desired_replicas(deployments[name], autoscalers.get(name)) for name in names)
    return ready, desired


def messages_of(queue: QueuePlan, broker: Mapping[str, Mapping[str, Any]]) -> tuple[int | None, int | None]:
    """Ready and unacknowledged messages of a queue, all shards together; None where the broker does not say."""
    counts = [broker.get(shard, {}) for shard in queue.topology.shards]
    if any("messages_ready" not in one for one in counts):
        return None, None
    return (
        sum(int(one["messages_ready"]) for one in counts),
        sum(int(one.get("messages_unacknowledged", 0)) for one in counts),
    )


def queue_views(
    plan: Plan,
    items: Sequence[Object],
    *,
    broker: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
    counters: Mapping[str, Counters] = MappingProxyType({}),
    start: Mapping[str, Counters] | None = None,
) -> list[QueueView]:
    """Every queue, from what Kubernetes, the broker and the workers' counters say; counted from `start` on."""
    views = []
    for queue in plan.queues:
        ready, unacked = messages_of(queue, broker)
        replicas, desired = replicas_of(queue, items)
        shards = len(queue.topology.shards)
        counted = counters.get(queue.name, Counters())
        views.append(
            QueueView(
                name=queue.name,
                ready=ready,
                unacked=unacked,
                replicas=replicas,
                desired=desired,
                minimum=queue.autoscaling.min_replicas * shards,
                maximum=queue.autoscaling.max_replicas * shards,
                counters=counted.since((start or {}).get(queue.name, Counters())),
            )
        )
    return views


@dataclass(frozen=True, kw_only=True)
class Observer:
    """Open connections to everything that a look needs."""

    target: Target
    web: httpx.Client
    broker: httpx.Client | None
    """None where the broker could not be reached; its columns stay empty then."""

    def counters(self) -> dict[str, Counters]:
        """The workers' counters; empty while the web layer does not answer."""
        return read_counters(_json(self.web, "/queues"))

    def look(self, start: Mapping[str, Counters] | None = None) -> list[QueueView]:
        """Every queue now; done and waits since `start`, or since the results store started."""
        vhost = self.target.plan.topology.vhost
        listed = _json(self.broker, f"/api/queues/{vhost}") if self.broker else []
        broker = {entry["name"]: entry for entry in listed} if isinstance(listed, list) else {}
        items = readiness.read_objects(self.target)
        return queue_views(self.target.plan, items, broker=broker, counters=self.counters(), start=start)


def _json(client: httpx.Client, path: str) -> Any:
    try:
        response = client.get(path)
        return response.json() if response.is_success else {}
    except (httpx.HTTPError, ValueError):
        return {}


def broker_login(target: Target) -> tuple[str, str]:
    """Name and password of the monitoring user, from its Secret."""
    return secret_login(target, BROKER_USER_SECRET)


def secret_login(target: Target, secret: str) -> tuple[str, str]:
    """`username` and `password` of a Secret in the fleet's namespace."""
    document = json.loads(target.kubectl("get", "secret", secret, "--namespace", target.namespace, "-o", "json"))
    data = document.get("data", {})
    username, password = (base64.b64decode(data.get(key, "")).decode() for key in ("username", "password"))
    return username, password


def web_answers(port: int) -> bool:
    """Whether the web layer answers through a local port."""
    try:
        return httpx.get(f"http://{forwarding.LOOPBACK}:{port}/healthz", timeout=1.0).is_success
    except httpx.HTTPError:
        return False


def web_address(target: Target) -> str:
    """The web layer's address on this machine; its forward is started or replaced as needed."""
    port = forwarding.keep_forward(target, WEB_SERVICE, WEB_PORT, preferred=WEB_LOCAL_PORT, answers=web_answers)
    return f"http://{forwarding.LOOPBACK}:{port}"


@contextmanager
def observing(target: Target) -> Iterator[Observer]:
    """Connections to the web layer and to the broker for as long as the body runs.

    Raises: FleetError when no fleet is deployed, or its web layer does not answer.
    """
    if not target.kubectl("get", "deployment", WEB_SERVICE, "-n", target.namespace, "--ignore-not-found", "-o", "name"):
        raise FleetError(target.label, f"no fleet {target.plan.fleet} is deployed", "Deploy it with: make up")
    with ExitStack() as stack:
        web = stack.enter_context(httpx.Client(base_url=web_address(target), timeout=HTTP_SECONDS))
        broker: httpx.Client | None = None
        try:
            login = broker_login(target)
            access = broker_access.broker_access(target)
            port = stack.enter_context(
                forwarding.forwarded(target, broker_access.BROKER_SERVICE, access.management_port)
            )
            broker = stack.enter_context(access.management(port, login))
        except FleetError:
            broker = None
        yield Observer(target=target, web=web, broker=broker)
