"""Faults of what stands around broker and workers: the web layer, the results store, the autoscaler."""

import time

from tests.cluster.faults.fault import Scene
from tests.cluster.faults.hands import kill_pod
from tests.cluster.running_fleet import eventually

KEDA = ("--namespace", "keda")
KEDA_AWAY_SECONDS = 120.0
BETWEEN_SECONDS = 5.0


def kill_web_pods(scene: Scene) -> None:
    """One after the other, each with requests in hand: what was not answered was not promised."""
    for pod in scene.stage.pods("web"):
        # A request that was cut off may be in the broker: nobody was told its id, and nobody sends it again.
        kill_pod(scene.stage, pod["metadata"]["name"])
        time.sleep(BETWEEN_SECONDS)


def kill_results_store(scene: Scene) -> None:
    """It comes back with what it had written; meanwhile tasks with `@once` wait in the broker, and the web layer goes on."""
    for pod in scene.stage.pods("results"):
        kill_pod(scene.stage, pod["metadata"]["name"])
    # The old pod counts as ready for a moment.
    time.sleep(BETWEEN_SECONDS)
    scene.stage.wait_until_steady()


def stop_autoscaler(scene: Scene) -> None:
    """KEDA's operator is away for two minutes; the pods that are there go on."""
    fleet = scene.stage.fleet
    fleet.kubectl(*KEDA, "scale", "deployment/keda-operator", "--replicas=0")
    try:
        time.sleep(KEDA_AWAY_SECONDS)
    finally:
        fleet.kubectl(*KEDA, "scale", "deployment/keda-operator", "--replicas=1")

    def back() -> bool | None:
        said = fleet.kubectl(*KEDA, "get", "deployment", "keda-operator", "-o", "jsonpath={.status.readyReplicas}")
        return True if said == "1" else None

    eventually(back, within_seconds=120, waiting_for="KEDA's operator")
