"""A fleet of three broker nodes under load, made by `pulumi up` from a copy of the checkout, with a sink beside it.

Invariant: the fleet is what a user would get: its application is in its image, its catalogue in its file, and nothing of it is patched. The sink, a
Valkey without a disk, is no part of the fleet and of no fault. Both are gone when the block ends. The host of a sandbox reaches Services at their own
addresses, so that no forwarded port stands between the load and the pods.
"""

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import redis
import yaml

from fleet.environment import load_environment
from fleet.loading import load_plan
from fleet.plan import Plan
from fleet.versions import VALKEY_IMAGE
from infra.manifests.pods import RESTRICTED_CONTAINER, restricted_pod
from tests.cluster.brokers import Broker, broker_of
from tests.cluster.checkouts import checkout
from tests.cluster.faults.counting import Event, parse_events
from tests.cluster.faults.tasks import EVENTS
from tests.cluster.running_fleet import STACK, RunningFleet, eventually, running_fleet

NAME = "faults"
UP_SECONDS = 600.0
DOWN_SECONDS = 300.0
STEADY_SECONDS = 240.0
SINK = "sink"
APPLICATION = "app.tasks.faults:app"
BROKER_NODES = 3
LIMIT_SECONDS = 6
"""Hard limit of every task; with it the lease of a lost holder of `@once` ends after 16 s."""

API_SECONDS = 60.0
"""Longest time in which some node of the broker answers again."""

WORK_QUEUES = ("work", "charges")
"""Those of the steady load."""


def _queue(*tasks: str, least: int, most: int, **more: Any) -> dict[str, Any]:
    return {
        "tasks": list(tasks),
        "profile": "io",
        "pool": "prefork",
        "concurrency": 4,
        "runtime": {"mean": "300ms", "p99": "1s", "limit": f"{LIMIT_SECONDS}s"},
        "load": {"peak": "10/s"},
        "memory": "20Mi",
        "replicas": {"min": least, "max": most},
        "pod": {"env": {"FAULTS_SINK": SINK}},
        **more,
    }


def catalogue() -> dict[str, Any]:
    """The queues: two of the steady load, one that sleeps, one for tasks that end their worker or never end."""
    return {
        "application": APPLICATION,
        "queues": {
            "work": _queue("faults.work", least=2, most=4),
            "charges": _queue("faults.charge", least=1, most=3),
            "resting": _queue("faults.rest", least=0, most=2),
            "traps": _queue("faults.poison", "faults.overlong", least=0, most=1, dead_letter={"failed": True}),
        },
    }


ENVIRONMENT = {
    "loadFactor": 1,
    "cpuScale": 0.05,
    "broker": {"nodes": BROKER_NODES, "cpuMillicores": 100, "memory": "1Gi", "storage": "2Gi"},
}


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

    def dead_letters(self) -> list[str]:
        """Ids of the tasks that are in them."""
        question = {"count": 5000, "ackmode": "ack_requeue_true", "encoding": "auto"}
        found = []
        for queue in self.dead_letter_queues():
            letters = self.ask("POST", f"/queues/{self.vhost}/{queue}/get", question)
            found += [str(letter["properties"]["correlation_id"]) for letter in letters]
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
    conditions = pod.get("status", {}).get("conditions", [])
    return any(item["type"] == "Ready" and item["status"] == "True" for item in conditions)


def _is_whole(workload: Mapping[str, Any], *, least: int = 1) -> bool:
    wanted, status = int(workload["spec"].get("replicas", 1)), workload.get("status", {})
    current = status.get("observedGeneration") == workload["metadata"]["generation"]
    ready = int(status.get("readyReplicas", 0))
    return bool(current and ready >= max(least, wanted) and int(status.get("replicas", 0)) == ready)


def _sink_objects() -> list[dict[str, Any]]:
    labels = {"app": SINK}
    container = {
        "name": SINK,
        "image": VALKEY_IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "command": ["valkey-server", "--save", "", "--appendonly", "no", "--protected-mode", "no"],
        "securityContext": RESTRICTED_CONTAINER,
        "readinessProbe": {"tcpSocket": {"port": 6379}, "periodSeconds": 1},
        "workingDir": "/tmp",  # noqa: S108 -- a path inside the pod
    }
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": SINK, "labels": labels},
        "spec": {"securityContext": restricted_pod(999), "containers": [container]},
    }
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": SINK},
        "spec": {"selector": labels, "ports": [{"port": 6379}]},
    }
    return [pod, service]


def _address(fleet: RunningFleet, service: str) -> str:
    return fleet.kubectl("get", "service", service, "-o", "jsonpath={.spec.clusterIP}")


def write_project(folder: Path) -> Path:
    """A copy of the checkout whose catalogue and application are those under fault."""
    project = checkout(folder)
    shutil.copyfile(Path(__file__).with_name("tasks.py"), project / "app" / "tasks" / "faults.py")
    (project / "queues.yaml").write_text(yaml.safe_dump(catalogue(), sort_keys=False), encoding="utf-8")
    settings = project / f"Pulumi.{STACK}.yaml"
    document = yaml.safe_load(settings.read_text(encoding="utf-8")) or {}
    config = {"celery-fleet:name": NAME, "celery-fleet:environment": ENVIRONMENT}
    document["config"] = {**(document.get("config") or {}), **config}
    settings.write_text(yaml.safe_dump(document), encoding="utf-8")
    return project


def up(fleet: RunningFleet) -> None:
    """`pulumi up` of the fleet as its project now says."""
    done = fleet.pulumi("up", "--yes", "--skip-preview", timeout=UP_SECONDS)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]


def _destroy(fleet: RunningFleet) -> None:
    fleet.kubectl("delete", f"pod/{SINK}", f"service/{SINK}", "--ignore-not-found", "--wait=false", check=False)
    fleet.pulumi("destroy", "--yes", "--skip-preview", timeout=DOWN_SECONDS)


@contextmanager
def staged(environment: Mapping[str, str], folder: Path, *, destroy: bool = True) -> Iterator[Stage]:
    """The fleet in a running sandbox, up and steady, and its sink; `folder` is new.

    `destroy` is False where the sandbox is stopped next, which takes it all along.
    """
    project = write_project(folder / "project")
    backend = folder / "backend"
    backend.mkdir()
    variables = {**environment, "PULUMI_BACKEND_URL": f"file://{backend}"}
    with running_fleet(variables, project=project, namespace=NAME) as fleet:
        made = fleet.pulumi("stack", "init", "--no-select")
        assert made.returncode == 0, made.stderr
        try:
            up(fleet)
            listing = {"apiVersion": "v1", "kind": "List", "items": _sink_objects()}
            fleet.kubectl("apply", "-f", "-", stdin=json.dumps(listing))
            fleet.kubectl("wait", f"pod/{SINK}", "--for=condition=Ready", "--timeout=60s", timeout=70)
            path = project / "queues.yaml"
            plan = load_plan(path, load_environment(project, STACK), fleet=NAME, shown_as="queues.yaml")
            with broker_of(fleet) as broker, redis.Redis(host=_address(fleet, SINK), socket_timeout=10) as sink:
                url = f"http://{_address(fleet, 'web')}"
                eventually(lambda: _answers(url), within_seconds=60, waiting_for=f"an answer of {url}")
                stage = Stage(fleet=fleet, plan=plan, broker=broker, sink=sink, url=url, catalogue_path=path)
                stage.wait_until_steady()
                yield stage
        finally:
            if destroy:
                _destroy(fleet)


def _answers(url: str) -> bool | None:
    try:
        return True if httpx.get(f"{url}/readyz", timeout=5).is_success else None
    except httpx.HTTPError:
        return None
