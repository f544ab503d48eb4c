"""Faults of workers and of what runs in them."""

import os
import time
from contextlib import suppress

import psutil
import yaml

from tests.cluster.faults.fault import Scene
from tests.cluster.faults.hands import children_of, cut_off_from_broker, evict, kill_pod
from tests.cluster.faults.load import send
from tests.cluster.faults.stage import WORK_QUEUES
from tests.cluster.faults.staging import TRAP_LIMIT_SECONDS, up
from tests.cluster.running_fleet import eventually

CHILDREN = 4
CUT_SECONDS = 60.0
OVERLONG = 3


def kill_children(scene: Scene) -> None:
    """One child after another, each the oldest of a pod: a busy one more often than not."""
    for number in range(CHILDREN):
        queue = WORK_QUEUES[number % len(WORK_QUEUES)]
        child = children_of(scene.stage, scene.stage.worker_pods(queue)[0])[0]
        scene.holds(1)
        with suppress(psutil.NoSuchProcess):
            child.kill()
        time.sleep(2)


def kill_pods(scene: Scene) -> None:
    """One worker of each queue of the load."""
    for queue in WORK_QUEUES:
        pod = scene.stage.worker_pods(queue)[0]
        scene.holds(scene.stage.slots(queue))
        kill_pod(scene.stage, pod)


def evict_everybody(scene: Scene) -> None:
    """Every worker of the load, and a broker node: as a drain of their nodes. Nothing that runs is cut off."""
    stage = scene.stage
    for pod in [pod for queue in WORK_QUEUES for pod in stage.worker_pods(queue)]:
        evict(stage, pod)
    leader = stage.leader_of("work")
    scene.holds(stage.held_through(leader))
    evict(stage, leader)
    _await_new_pod(scene, leader)


def _await_new_pod(scene: Scene, pod: str) -> None:
    def gone() -> bool | None:
        names = [
            item["metadata"]["name"] for item in scene.stage.broker_pods() if "deletionTimestamp" in item["metadata"]
        ]
        return None if pod in names else True

    time.sleep(2)
    eventually(gone, within_seconds=180, waiting_for=f"the end of {pod}")
    scene.stage.wait_for_broker()


def cut_network(scene: Scene) -> None:
    """Between one worker and the broker, for a minute."""
    stage = scene.stage
    pod = stage.worker_pods("work")[0]
    scene.holds(stage.slots("work"))
    with cut_off_from_broker(stage, pod):
        time.sleep(CUT_SECONDS)


def deploy_new_version(scene: Scene) -> None:
    """The same as `pulumi up` with another catalogue does it: new pods first, then the old ones have their whole grace."""
    stage = scene.stage
    path = stage.catalogue_path
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    for queue in WORK_QUEUES:
        document["queues"][queue]["pod"]["env"]["VERSION"] = os.urandom(4).hex()
    path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    up(stage.fleet)


def send_poison(scene: Scene) -> None:
    """A task that ends the process that runs it, until the broker gives it up."""
    poisoned = send(scene.stage.url, "faults.poison", 1, {}, scene.answers)
    scene.expected_dead = len(poisoned)
    (queue,) = [queue for queue in scene.stage.plan.queues if queue.name == "traps"]
    scene.holds(len(poisoned) * queue.topology.policy.delivery_limit)


def outlive_limit(scene: Scene) -> None:
    """Tasks that take no notice of their soft limit."""
    sent = send(scene.stage.url, "faults.overlong", OVERLONG, {"seconds": 4.0 * TRAP_LIMIT_SECONDS}, scene.answers)
    scene.expected_dead = len(sent)
