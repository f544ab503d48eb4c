"""A fleet of three broker nodes, made by `pulumi up` from a copy of the checkout, with a sink beside it.

Invariant: the fleet is what a user would get: its application is in its image, its catalogue in its file, and nothing of it is patched. The sink, a
Valkey without a disk, is no part of the fleet and of no fault. Both are gone when the block ends.
"""

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import redis
import yaml

from fleet.environment import load_environment
from fleet.loading import load_plan
from fleet.versions import VALKEY_IMAGE
from infra.manifests.pods import RESTRICTED_CONTAINER, restricted_pod
from tests.cluster.brokers import broker_of
from tests.cluster.checkouts import checkout
from tests.cluster.faults.stage import BROKER_NODES, Stage
from tests.cluster.running_fleet import STACK, RunningFleet, eventually, running_fleet

NAME = "faults"
UP_SECONDS = 600.0
DOWN_SECONDS = 300.0
SINK = "sink"
APPLICATION = "app.tasks.faults:app"
LIMIT_SECONDS = 20
"""Hard limit of the tasks of the load: more than a busy machine makes of their third of a second. The lease of a lost holder of `@once` ends 10 s later."""

TRAP_LIMIT_SECONDS = 6
"""That of tasks that are meant to meet it."""


def _queue(*tasks: str, least: int, most: int, limit: int = LIMIT_SECONDS) -> dict[str, Any]:
    return {
        "tasks": list(tasks),
        "profile": "io",
        "pool": "prefork",
        "concurrency": 4,
        "runtime": {"mean": "300ms", "p99": "1s", "limit": f"{limit}s"},
        "load": {"peak": "10/s"},
        "memory": "20Mi",
        "replicas": {"min": least, "max": most},
        "pod": {"env": {"FAULTS_SINK": SINK}},
        # A task that fails is not one that was lost, and its letter says why it failed.
        "dead_letter": {"failed": True},
    }


def catalogue() -> dict[str, Any]:
    """The queues: two of the steady load, one that sleeps, one for tasks that end their worker or never end."""
    return {
        "application": APPLICATION,
        "queues": {
            "work": _queue("faults.work", least=2, most=4),
            "charges": _queue("faults.charge", least=1, most=3),
            "resting": _queue("faults.rest", least=0, most=2),
            "traps": _queue("faults.poison", "faults.overlong", least=0, most=1, limit=TRAP_LIMIT_SECONDS),
        },
    }


ENVIRONMENT = {
    "loadFactor": 1,
    "cpuScale": 0.05,
    "broker": {"nodes": BROKER_NODES, "cpuMillicores": 100, "memory": "1Gi", "storage": "2Gi"},
}


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
