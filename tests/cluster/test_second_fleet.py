"""A second fleet beside the first: made, used, and destroyed without a trace, while the first goes on.

It runs from a copy of the checkout with images that are already there, so that it takes one broker and one queue and no build.
"""

import json
from collections.abc import Iterator

import pytest
import yaml

from tests.cluster.checkouts import ONE_QUEUE, checkout, images_of
from tests.cluster.running_fleet import STACK, RunningFleet, eventually, running_fleet
from tests.cluster.sample_tasks import TASK_OF_QUEUE, arguments

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600, func_only=True)]

NAME = "second-fleet"
NAMED_OBJECTS = (
    "namespaces,persistentvolumes,clusterroles.rbac.authorization.k8s.io,clusterrolebindings.rbac.authorization.k8s.io"
)


@pytest.fixture(scope="module")
def second(fleet: RunningFleet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningFleet]:
    """A stack of its own, with a name, a namespace and a vhost of its own, not yet up."""
    project = checkout(tmp_path_factory.mktemp("checkout"))
    (project / "queues.yaml").write_text(ONE_QUEUE)
    settings = project / f"Pulumi.{STACK}.yaml"
    document = yaml.safe_load(settings.read_text()) or {}
    config = {"celery-fleet:name": NAME, "celery-fleet:images": {"prebuilt": images_of(fleet)}}
    document["config"] = {**(document.get("config") or {}), **config}
    settings.write_text(yaml.safe_dump(document))
    backend = tmp_path_factory.mktemp("backend")
    environment = {**fleet.environment, "PULUMI_BACKEND_URL": f"file://{backend}"}
    with running_fleet(environment, project=project, namespace=NAME) as handle:
        made = handle.pulumi("stack", "init", "--no-select")
        assert made.returncode == 0, made.stderr
        yield handle
        handle.pulumi("destroy", "--yes", "--skip-preview", timeout=400)


def _cluster_wide(fleet: RunningFleet) -> set[str]:
    """Objects that belong to no namespace and speak of the second fleet: by their name, a label, or what claims them."""
    listed = json.loads(fleet.kubectl("get", NAMED_OBJECTS, "-o", "json"))["items"]
    return {f"{item['kind']}/{item['metadata']['name']}" for item in listed if NAME in json.dumps(item)}


def _lasting_pods(fleet: RunningFleet) -> set[str]:
    """The pods that no autoscaler takes away: those of broker and results store."""
    return {
        item["metadata"]["uid"]
        for item in fleet.objects("pods")
        if any(owner["kind"] == "StatefulSet" for owner in item["metadata"].get("ownerReferences", []))
    }


def test_a_second_fleet_comes_works_and_goes_without_a_trace(fleet: RunningFleet, second: RunningFleet) -> None:
    """`up`, one task, `destroy`: afterwards no object of the second fleet is left, and the first is as it was."""
    kept = _lasting_pods(fleet)
    assert _cluster_wide(fleet) == set()

    up = second.pulumi("up", "--yes", "--skip-preview", timeout=400)
    assert up.returncode == 0, up.stdout[-4000:] + up.stderr[-4000:]
    assert {kind for kind, _, _ in (name.partition("/") for name in _cluster_wide(fleet))} >= {
        "Namespace",
        "PersistentVolume",
    }
    task = second.enqueue(TASK_OF_QUEUE["default"], kwargs=arguments("default", "second"))
    assert second.result(task, within_seconds=90)["state"] == "SUCCESS"

    down = second.pulumi("destroy", "--yes", "--skip-preview", timeout=400)
    assert down.returncode == 0, down.stdout[-4000:] + down.stderr[-4000:]
    state = json.loads(second.pulumi("stack", "export").stdout)
    assert state["deployment"].get("resources", []) == []
    assert fleet.kubectl("get", "namespace", NAME, "--ignore-not-found").strip() == ""
    # The provisioner takes the volume away after the claim is gone.
    eventually(
        lambda: True if not _cluster_wide(fleet) else None,
        within_seconds=60, waiting_for="the end of its last volume",
    )  # fmt: skip

    assert _lasting_pods(fleet) == kept
