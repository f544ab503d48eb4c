"""Each queue's pods follow its tasks: up from the minimum when they come, back when they are done."""

import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest

from fleet.environment import load_environment
from fleet.loading import load_plan
from fleet.scaling import HPA_SYNC_SECONDS
from tests.cluster.autoscaler_recording import READING_LAG_SECONDS, Recording, disagreements, modelled, recorded
from tests.cluster.running_fleet import ROOT, STACK, RunningFleet, eventually
from tests.cluster.sample_tasks import TASK_OF_QUEUE, arguments

pytestmark = pytest.mark.cluster

BURST = {"high": 2500, "default": 800, "thumbnails": 160, "reports": 8}
"""Tasks that are more than the minimum's pods have done before the autoscaler looks again (15 s)."""

HIGH_DUE_SECONDS = 20
"""Orders are done faster than a client on the same two cores can send them, so they all fall due at once."""

BATCHED = ("high", "default")
"""Queues whose bodies are small; a request for each of three thousand tasks took as long as their work."""

BATCH = 100

REPORT_SECONDS = 8.0
SENDERS = 8
DONE_SECONDS = 240.0
BACK_SECONDS = 300.0
DEPLOYMENTS = ("worker-high", "worker-default-0", "worker-default-1", "worker-thumbnails", "worker-reports")


@dataclass(frozen=True)
class Burst:
    """What happened from before a burst until every queue was back at its minimum."""

    minimums: Mapping[str, int]
    recordings: Mapping[str, Recording]
    """Deployment -> its replicas and what its autoscaler read, every two seconds."""
    done: Mapping[str, int]
    """Queue -> tasks done since before the burst."""

    def replicas(self, deployment: str) -> list[int]:
        """The wanted replicas of a Deployment, one after the other."""
        return [int(count) for _, count in self.recordings[deployment].replicas]


def _tasks(queue: str) -> list[dict[str, Any]]:
    """The burst to one queue, as a batch has it."""
    delay = {"countdown": HIGH_DUE_SECONDS} if queue == "high" else {}
    return [
        {
            "name": TASK_OF_QUEUE[queue],
            "kwargs": arguments(queue, f"burst-{number}", seconds=REPORT_SECONDS, large=True),
            **delay,
        }
        for number in range(BURST[queue])
    ]


def _requests() -> Iterator[list[dict[str, Any]]]:
    """The tasks of every request, the delayed ones first."""
    for queue in BURST:
        tasks, size = _tasks(queue), BATCH if queue in BATCHED else 1
        yield from (tasks[begin : begin + size] for begin in range(0, len(tasks), size))


def _send(fleet: RunningFleet) -> None:
    """Sends the burst over a few connections."""
    requests = list(_requests())

    def some(part: int) -> None:
        with fleet.http() as client:
            for tasks in requests[part::SENDERS]:
                answer = client.post("/tasks", json={"tasks": tasks})
                assert answer.status_code == 202, f"POST /tasks: {answer.status_code} {answer.text}"

    with ThreadPoolExecutor(SENDERS) as pool:
        for sent in [pool.submit(some, part) for part in range(SENDERS)]:
            sent.result()


def _done(fleet: RunningFleet) -> dict[str, int]:
    with fleet.http() as client:
        return {queue: counts["done"] for queue, counts in client.get("/queues").json()["queues"].items()}


@pytest.fixture(scope="module")
def burst(fleet: RunningFleet) -> Burst:
    """A burst to every queue, watched from minimum to minimum."""
    fleet.wait_until_at_minimum()
    before = _done(fleet)
    difference: dict[str, int] = {}

    def all_done() -> bool | None:
        difference.update({queue: count - before.get(queue, 0) for queue, count in _done(fleet).items()})
        return True if all(difference.get(queue, 0) >= sent for queue, sent in BURST.items()) else None

    with recorded(fleet, DEPLOYMENTS) as recordings:
        _send(fleet)
        try:
            eventually(all_done, within_seconds=DONE_SECONDS, waiting_for="the whole burst to be done", every_seconds=2)
        except AssertionError as late:
            raise AssertionError(f"{late}; sent {BURST}, done {difference}") from None
        fleet.wait_until_at_minimum(within_seconds=BACK_SECONDS)
        # The model may take the last step a sync period after the real autoscaler did.
        time.sleep(HPA_SYNC_SECONDS + READING_LAG_SECONDS)
    return Burst(fleet.minimums(), recordings, difference)


@pytest.mark.parametrize("deployment", DEPLOYMENTS)
def test_pods_follow_the_tasks_of_their_queue_and_leave_after_them(burst: Burst, deployment: str) -> None:
    """From the minimum up while tasks wait, and back to the minimum when none is left."""
    replicas, minimum = burst.replicas(deployment), burst.minimums[deployment]
    assert replicas[0] == minimum
    assert max(replicas) > minimum, replicas
    assert replicas[-1] == minimum


def test_a_queue_that_may_rest_has_no_pod_before_and_after(burst: Burst) -> None:
    """`reports` declares a minimum of zero: it comes from nothing and goes back to it."""
    assert burst.minimums["worker-reports"] == 0
    assert burst.replicas("worker-reports")[0] == 0
    assert burst.replicas("worker-reports")[-1] == 0


@pytest.mark.parametrize(
    ("deployment", "queue"),
    [
        pytest.param("worker-thumbnails", "thumbnails", id="long"),
        pytest.param("worker-default-0", "default", id="mid"),
        pytest.param("worker-high", "high", id="short"),
        pytest.param("worker-reports", "reports", id="long-from-zero"),
    ],
)
def test_the_simulated_autoscaler_decides_what_the_real_one_did(burst: Burst, deployment: str, queue: str) -> None:
    """From the same readings the model has the same replicas, a sync period earlier or later at most."""
    plan = load_plan(ROOT / "queues.yaml", load_environment(ROOT, STACK))
    (autoscaling,) = [item.autoscaling for item in plan.queues if item.name == queue]
    recording = burst.recordings[deployment]
    model = modelled(recording, autoscaling)
    assert disagreements(recording.replicas, model) == [], (model, recording)


def test_every_task_of_the_burst_was_done_once(burst: Burst) -> None:
    """No pod that came or went took a task with it, and none was done twice."""
    assert {queue: burst.done[queue] for queue in BURST} == BURST


def test_the_autoscaler_of_every_worker_is_kedas(fleet: RunningFleet) -> None:
    """The HorizontalPodAutoscaler of each Deployment belongs to its ScaledObject, and to nobody else."""
    owners = {
        item["spec"]["scaleTargetRef"]["name"]: [owner["kind"] for owner in item["metadata"].get("ownerReferences", [])]
        for item in fleet.objects("horizontalpodautoscalers.autoscaling")
        if item["spec"]["scaleTargetRef"]["name"] in DEPLOYMENTS
    }
    assert owners == {name: ["ScaledObject"] for name in DEPLOYMENTS}
