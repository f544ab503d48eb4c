"""`up -s dev` to its end: AWS is stood in for, and the cluster that it makes is the sandbox, where a worker does a task.

Beside the fleet that runs already, with its images and one queue, so that it takes one broker more and no build.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.cluster.checkouts import ONE_QUEUE, checkout, images_of
from tests.cluster.running_fleet import RunningFleet, eventually, running_fleet
from tests.cluster.sample_tasks import TASK_OF_QUEUE, arguments

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900, func_only=True)]

NAME, STACK = "eks-fleet", "dev"
PASSWORD = "of-a-cluster-test-on-eks"
OF_THE_LOCAL_STACK = {"FLEET_BASE_IMAGE", "FLEET_CONTEXT", "FLEET_IMAGES", "FLEET_RESULTS_PASSWORD"}
SMALL = {"cpuScale": 0.05, "broker": {"cpuMillicores": 250, "memory": "1Gi", "storage": "2Gi"}}
"""What two cores hold beside another fleet."""


@pytest.fixture
def dev(fleet: RunningFleet, tmp_path: Path) -> Iterator[RunningFleet]:
    """The stack `dev` of a copy of the checkout, not yet up."""
    project = checkout(tmp_path / "checkout")
    (project / "queues.yaml").write_text(ONE_QUEUE)
    settings = project / f"Pulumi.{STACK}.yaml"
    document = yaml.safe_load(settings.read_text())
    config = document["config"]
    config["celery-fleet:environment"] |= SMALL
    config |= {"celery-fleet:name": NAME, "celery-fleet:images": {"prebuilt": images_of(fleet)}}
    settings.write_text(yaml.safe_dump(document))
    (tmp_path / "backend").mkdir()
    environment = {
        **{name: value for name, value in fleet.environment.items() if name not in OF_THE_LOCAL_STACK},
        "PULUMI_BACKEND_URL": f"file://{tmp_path / 'backend'}",
        "PULUMI_SKIP_CHECKPOINTS": "true",
    }
    with running_fleet(environment, project=project, namespace=NAME, stack=STACK) as handle:
        for words in (
            ("stack", "init", "--no-select"),
            ("config", "set", "--secret", "celery-fleet:resultsPassword", PASSWORD),
        ):
            done = handle.pulumi(*words)
            assert done.returncode == 0, done.stderr
        yield handle
        handle.pulumi("destroy", "--yes", "--skip-preview", timeout=600)


def test_a_worker_in_the_cluster_that_dev_makes_does_a_task(dev: RunningFleet) -> None:
    """Through the web layer, the broker, and a results store over TLS; afterwards nothing is left."""
    up = dev.pulumi("up", "--yes", "--skip-preview", timeout=600)
    assert up.returncode == 0, up.stdout[-6000:] + up.stderr[-4000:]
    assert "eks" in dev.pulumi("stack", "output", "cluster").stdout
    task = dev.enqueue(TASK_OF_QUEUE["default"], kwargs=arguments("default", "on-eks"))
    assert dev.result(task, within_seconds=120)["state"] == "SUCCESS"
    down = dev.pulumi("destroy", "--yes", "--skip-preview", timeout=600)
    assert down.returncode == 0, down.stdout[-4000:] + down.stderr[-4000:]
    eventually(
        lambda: dev.kubectl("get", "namespace", NAME, "--ignore-not-found").strip() == "" or None,
        within_seconds=60,
        waiting_for=f"the namespace {NAME} to be gone",
    )
