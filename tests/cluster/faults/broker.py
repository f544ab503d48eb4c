"""Faults of the broker and of the way to it."""

import subprocess
import time

from tests.cluster.faults.fault import Scene
from tests.cluster.faults.hands import disk_alarm, kill_pod, memory_alarm, without_binding
from tests.cluster.faults.load import send
from tests.cluster.faults.staging import NAME
from tests.cluster.letters import dlq_command, dlq_environment
from tests.cluster.running_fleet import ROOT, STACK

ALARM_SECONDS = 15.0
UNBOUND_SECONDS = 15.0
RESTING_TASKS = 5


def _kill_leader(scene: Scene, queue: str) -> str:
    stage = scene.stage
    pod = stage.leader_of(queue)
    held = stage.held_through(pod)
    # A publish whose confirm went down with the node is sent once more.
    scene.holds(held + scene.answers.in_flight)
    scene.struck_at = kill_pod(stage, pod)
    return pod


def kill_leader(scene: Scene) -> None:
    """The broker node that leads the busiest queue."""
    _kill_leader(scene, "work")
    scene.stage.wait_for_broker()


def kill_two_in_turn(scene: Scene) -> None:
    """The leader, and when it is back the next leader."""
    first = _kill_leader(scene, "work")
    scene.stage.wait_for_broker()
    time.sleep(5)
    second = _kill_leader(scene, "work")
    assert second != first
    scene.stage.wait_for_broker()


def restart_all(scene: Scene) -> None:
    """As the operator does it after a change: one node after another, each drained."""
    stage = scene.stage
    consumers = sum(stage.held_through(pod["metadata"]["name"]) for pod in stage.broker_pods())
    # Whoever is sent away by one node may be met again by the next.
    scene.holds(3 * consumers)
    stage.fleet.kubectl("rollout", "restart", "statefulset/broker-server")
    stage.fleet.kubectl("rollout", "status", "statefulset/broker-server", "--timeout=400s", timeout=410)
    stage.wait_for_broker()


def alarm_memory(scene: Scene) -> None:
    """Publishers are blocked; workers go on."""
    with memory_alarm(scene.stage, "broker-server-0"):
        _meanwhile(scene)


def alarm_disk(scene: Scene) -> None:
    """As with memory."""
    with disk_alarm(scene.stage, "broker-server-0"):
        _meanwhile(scene)


def _meanwhile(scene: Scene) -> None:
    refused = scene.answers.refused
    time.sleep(ALARM_SECONDS)
    scene.notes["refused_during_alarm"] = scene.answers.refused - refused
    assert scene.answers.refused > refused, "the alarm blocked nobody"


def remove_binding(scene: Scene) -> None:
    """What has no route is kept in `unrouted`, and sent on by a person when the binding is back."""
    stage = scene.stage
    with without_binding(stage, "work"):
        time.sleep(UNBOUND_SECONDS)
    # The last ones are on their way.
    time.sleep(3)
    scene.notes["unrouted"] = len(stage.dead_letters())
    assert scene.notes["unrouted"], "every message found its way without a binding"
    login = stage.fleet.secret("operator-user-credentials")
    done = subprocess.run(
        dlq_command("replay", "unrouted", catalogue=stage.catalogue_path, stack=STACK, fleet=NAME),
        env=dlq_environment(stage.broker, username=login["username"], password=login["password"]),
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def fail_over_while_waking(scene: Scene) -> None:
    """The leader of a queue at zero dies just when its first tasks come."""
    _kill_leader(scene, "resting")
    sent: list[str] = []
    for _ in range(RESTING_TASKS):
        sent += send(scene.stage.url, "faults.rest", 1, {"seconds": 0.3}, scene.answers)
        time.sleep(1)
    assert sent, "no task for the queue at zero was accepted"
    scene.stage.wait_for_broker()
