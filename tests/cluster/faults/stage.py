"""A fleet of several broker nodes under load, seen from outside: what happened to its tasks, and which of its parts are there.

Invariant: the host of a sandbox reaches Services at their own addresses, so that no forwarded port stands between the load and the pods.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import redis

from app.dead_letters.messages import ERROR_HEADER
from fleet.plan import Plan
from ops.readiness import condition
from tests.cluster.brokers import Broker
from tests.cluster.faults.counting import Event, parse_events
from tests.cluster.faults.tasks import EVENTS
from tests.cluster.running_fleet import RunningFleet, eventually

BROKER_NODES = 3
STEADY_SECONDS = 240.0
API_SECONDS = 60.0
"""Longest time in which some node of the broker answers again."""

WORK_QUEUES = ("work", "charges")
"""Those of the steady load."""


@dataclass(kw_only=True)
class Stage:
    """The fleet under fault, and how to look at it."""

    fleet: RunningFleet
    plan: Plan
    broker: Broker
    sink: "redis.Redis"
    url: str
    """Of the web layer."""
    catalogue_path: Path
    _queues: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        self._queues = tuple(queue.name for queue in self.plan.queues)

    @property
    def vhost(self) -> str:
        """Of the fleet in the broker."""
        return self.plan.topology.vhost

    def slots(self, queue: str) -> int:
        """Messages that one worker of a queue holds at most."""
        (worker,) = [found.worker for found in self.plan.queues if found.name == queue]
        return worker.concurrency * worker.prefetch_multiplier

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """What the broker's management API answers, once a node does: the one that was asked may just have died."""

        def look() -> httpx.Response | None:
            try:
                answer = self.broker.api.request(method, path, json=body)
            except httpx.TransportError:
                return None
            return None if answer.is_server_error else answer

        answer = eventually(look, within_seconds=API_SECONDS, waiting_for=f"an answer to {method} {path}")
        assert answer.is_success, f"{method} {path}: {answer.text}"
        return answer.json() if answer.content else None

    # What happened

    def forget(self) -> None:
        """Begin anew: no event, no dead letter."""
        self.sink.flushall()
        for queue in self.dead_letter_queues():
            self.ask("DELETE", f"/queues/{self.vhost}/{queue}/contents")

    def events(self) -> list[Event]:
        """All that the tasks have told."""
        lines: Any = self.sink.lrange(EVENTS, 0, -1)
        return parse_events(lines)

    def dead_letter_queues(self) -> list[str]:
        """The queues that keep what was given up, and what had no route."""
        return [*(f"{queue}-dead" for queue in self._queues), self.plan.topology.unrouted]

    def dead_letters(self) -> dict[str, str]:
        """Id of each task that is in them -> why, as its letter says."""
        question = {"count": 5000, "ackmode": "ack_requeue_true", "encoding": "auto"}
        found = {}
        for queue in self.dead_letter_queues():
            for letter in self.ask("POST", f"/queues/{self.vhost}/{queue}/get", question):
                properties = letter["properties"]
                headers = properties.get("headers", {})
                why = headers.get(ERROR_HEADER) or headers.get("x-last-death-reason") or f"in {queue}"
                found[str(properties["correlation_id"])] = str(why)
        return found

    def messages(self) -> dict[str, int]:
        """Task queue -> its messages, waiting and in hand; some seconds old."""
        answer = self.ask("GET", f"/queues/{self.vhost}")
        counts = {item["name"]: int(item.get("messages", -1)) for item in answer}
        return {queue: counts.get(queue, -1) for queue in self._queues}

    # The parts

    def leader_of(self, queue: str) -> str:
        """The broker pod that leads a queue."""
        answer = self.ask("GET", f"/queues/{self.vhost}/{queue}")
        node: str = answer["leader"]
        return node.partition("@")[2].partition(".")[0]

    def held_through(self, broker_pod: str) -> int:
        """Messages that workers may hold over connections to a broker node."""
        answer = self.ask("GET", f"/consumers/{self.vhost}")
        return sum(
            int(consumer["prefetch_count"])
            for consumer in answer
            if consumer["queue"]["name"] in self._queues and f"@{broker_pod}." in consumer["channel_details"]["node"]
        )

    def pods(self, component: str, **labels: str) -> list[dict[str, Any]]:
        """The pods of a part that are not on their way out."""
        wanted = {"app.kubernetes.io/component": component, **labels}
        selector = ",".join(f"{label}={value}" for label, value in wanted.items())
        found = self.fleet.objects("pods", "-l", selector)
        return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]

    def worker_pods(self, queue: str) -> list[str]:
        """Names of the ready workers of a queue."""
        pods = self.pods("worker", **{"app.kubernetes.io/name": f"worker-{queue}"})
        return [pod["metadata"]["name"] for pod in pods if _is_ready(pod)]

    def broker_pods(self) -> list[dict[str, Any]]:
        """The broker's pods."""
        found = self.fleet.objects("pods", "-l", "app.kubernetes.io/name=broker")
        return sorted(found, key=lambda pod: str(pod["metadata"]["name"]))

    def wait_for_broker(self, *, within_seconds: float = STEADY_SECONDS) -> None:
        """Every broker node is ready."""

        def look() -> bool | None:
            ready = [pod for pod in self.broker_pods() if _is_ready(pod) and "deletionTimestamp" not in pod["metadata"]]
            return True if len(ready) == BROKER_NODES else None

        eventually(look, within_seconds=within_seconds, waiting_for="every broker node to be ready")

    def wait_until_steady(self, *, within_seconds: float = STEADY_SECONDS) -> None:
        """Broker, results store, web layer and the workers of the steady load are all there."""

        def look() -> bool | None:
            deployments = {item["metadata"]["name"]: item for item in self.fleet.objects("deployments.apps")}
            least = {"web": self.plan.web.replicas_min, **{f"worker-{queue}": 1 for queue in WORK_QUEUES}}
            store = self.fleet.objects("statefulsets.apps", "-l", "app.kubernetes.io/component=results")
            return True if all(map(_is_whole, store)) and all(
                _is_whole(deployments[name], least=count) for name, count in least.items()
            ) else None  # fmt: skip

        self.wait_for_broker(within_seconds=within_seconds)
        eventually(look, within_seconds=within_seconds, waiting_for="the web layer and the workers to be ready")


def _is_ready(pod: Mapping[str, Any]) -> bool:
    return condition(pod, "Ready") == "True"


def _is_whole(workload: Mapping[str, Any], *, least: int = 1) -> bool:
    wanted, status = int(workload["spec"].get("replicas", 1)), workload.get("status", {})
    current = status.get("observedGeneration") == workload["metadata"]["generation"]
    ready = int(status.get("readyReplicas", 0))
    return bool(current and ready >= max(least, wanted) and int(status.get("replicas", 0)) == ready)
