"""The scale-in controller on a real API server: the pods with nothing in hand are those that go, and it can do nothing else there.

Its own manifests and the fleet's image run in a namespace of their own. In place of workers there are pods that say how busy they are as workers do,
and are as busy as a test writes into them.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from fleet.documents import ScaleInDocument, dump_document
from fleet.metrics import METRICS_PORT
from infra.manifests.metadata import Manifest, config_map, labels, namespace, selector, service_account
from infra.manifests.pods import APPLICATION_UID, DOCUMENT_NAME, RESTRICTED_CONTAINER, restricted_pod
from infra.manifests.scale_in import (
    NAME,
    ScaleInManifest,
    scale_in_deployment,
    scale_in_role,
    scale_in_role_binding,
)
from tests.cluster.brokers import new_name
from tests.cluster.running_fleet import RunningFleet, eventually

pytestmark = pytest.mark.cluster

COST = "controller.kubernetes.io/pod-deletion-cost"
QUEUE, WORKERS = "render", "worker-render"
PODS, BUSY = 6, 3

WORKER = f"""
import http.server, json, os, pathlib
class Busy(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        state = pathlib.Path("/tmp/busy")
        body = json.dumps({{"pod": os.environ["POD"], "busy": int(state.exists())}}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
http.server.HTTPServer(("0.0.0.0", {METRICS_PORT}), Busy).serve_forever()
"""


def worker_pods(fleet: str, image: str) -> Manifest:
    """A Deployment with the labels of a queue's workers, whose pods have one slot."""
    container = {
        "name": "worker",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python", "-I", "-S", "-c", WORKER],
        "env": [{"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
        "readinessProbe": {"httpGet": {"path": "/busy", "port": METRICS_PORT}, "periodSeconds": 1},
        "resources": {"requests": {"cpu": "1m", "memory": "64Mi"}, "limits": {"memory": "64Mi"}},
        "securityContext": RESTRICTED_CONTAINER,
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108 -- a volume of the pod's own
    }
    marks = labels(fleet, WORKERS, "worker", queue=QUEUE)
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": WORKERS, "namespace": fleet, "labels": marks},
        "spec": {
            "replicas": PODS,
            "selector": {"matchLabels": selector(WORKERS)},
            "template": {
                "metadata": {"labels": marks},
                "spec": {
                    "automountServiceAccountToken": False,
                    "securityContext": restricted_pod(APPLICATION_UID),
                    "terminationGracePeriodSeconds": 1,
                    "containers": [container],
                    "volumes": [{"name": "tmp", "emptyDir": {}}],
                },
            },
        },
    }


def controller(fleet: str, image: str) -> list[Manifest]:
    """What `infra.scale_in` registers, with a name in place of a generated one."""
    document = config_map(
        fleet, NAME, "scale-in", {DOCUMENT_NAME: dump_document(ScaleInDocument(fleet=fleet, queues=(QUEUE,)))}
    )
    document["metadata"]["name"] = NAME
    return [
        service_account(fleet, NAME, "scale-in"),
        scale_in_role(fleet),
        scale_in_role_binding(fleet),
        document,
        scale_in_deployment(ScaleInManifest(fleet=fleet, image=image, document=NAME)),
    ]


@pytest.fixture(scope="module")
def shrinking(fleet: RunningFleet) -> Iterator[RunningFleet]:
    """A namespace with six pods of a queue, all ready, and the controller beside them."""
    [worker] = fleet.objects("deployments.apps", "--field-selector", "metadata.name=worker-high")
    image = worker["spec"]["template"]["spec"]["containers"][0]["image"]
    found = RunningFleet(environment=fleet.environment, namespace=new_name())
    manifests = [namespace(found.namespace), worker_pods(found.namespace, image), *controller(found.namespace, image)]
    try:
        found.kubectl("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": manifests}))
        for name in (WORKERS, NAME):
            found.kubectl("rollout", "status", f"deployment/{name}", "--timeout=120s", timeout=130)
        yield found
    finally:
        found.kubectl("delete", "namespace", found.namespace, "--wait=false", check=False)


def pods(shrinking: RunningFleet) -> dict[str, Any]:
    """Name -> cost of every worker pod that stays."""
    return {
        pod["metadata"]["name"]: pod["metadata"].get("annotations", {}).get(COST)
        for pod in shrinking.objects("pods", "-l", f"celery-fleet/queue={QUEUE}")
        if "deletionTimestamp" not in pod["metadata"]
    }


def test_the_pods_with_nothing_in_hand_go_first(shrinking: RunningFleet) -> None:
    """Six pods, three of them at work: when three are wanted, those three stay."""
    names = sorted(pods(shrinking))
    assert len(names) == PODS
    busy = set(names[1::2])
    for name in busy:
        shrinking.kubectl("exec", name, "--", "python", "-I", "-S", "-c", "open('/tmp/busy', 'w').close()")
    wanted = {name: "1" if name in busy else None for name in names}
    eventually(
        lambda: True if pods(shrinking) == wanted else None, within_seconds=60, waiting_for=f"the costs {wanted}"
    )
    shrinking.kubectl("scale", f"deployment/{WORKERS}", f"--replicas={BUSY}")
    left = eventually(
        lambda: found if len(found := pods(shrinking)) == BUSY else None,
        within_seconds=30,
        waiting_for=f"{BUSY} pods that stay",
    )
    assert set(left) == busy
    [own] = shrinking.objects("pods", "-l", f"app.kubernetes.io/name={NAME}")
    assert own["status"]["containerStatuses"][0]["restartCount"] == 0


@pytest.mark.parametrize(
    ("verb", "what", "allowed"),
    [
        pytest.param("list", "pods", "yes", id="finds-the-pods"),
        pytest.param("patch", "pods", "yes", id="writes-a-cost"),
        pytest.param("delete", "pods", "no", id="stops-no-pod"),
        pytest.param("create", "pods", "no", id="starts-no-pod"),
        pytest.param("create", "pods/exec", "no", id="enters-no-pod"),
        pytest.param("get", "pods/log", "no", id="reads-no-log"),
        pytest.param("patch", "deployments.apps", "no", id="changes-no-deployment"),
        pytest.param("patch", "deployments.apps/scale", "no", id="scales-nothing"),
        pytest.param("get", "secrets", "no", id="reads-no-secret"),
        pytest.param("list", "pods --namespace=kube-system", "no", id="knows-no-other-namespace"),
        pytest.param("list", "nodes", "no", id="knows-no-node"),
    ],
)
def test_it_may_do_nothing_else(shrinking: RunningFleet, verb: str, what: str, allowed: str) -> None:
    """As the API server answers for its account."""
    account = f"system:serviceaccount:{shrinking.namespace}:{NAME}"
    said = shrinking.kubectl("auth", "can-i", verb, *what.split(), f"--as={account}", check=False)
    assert said.strip().splitlines()[-1] == allowed
