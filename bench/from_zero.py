"""From the `POST` of a task for a queue at zero to the start of that task, and what the seconds in between are made of.

Invariant: the fleet's own ScaledObject and KEDA's documented example are measured in one run, with the same image, pod and queue; the
example drives a copy of the Deployment while the fleet's own autoscaler is paused by KEDA's annotation, so nothing that Pulumi owns changes.
"""

import json
import os
import random
import statistics
import time
import uuid
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from bench.keda_example import EXAMPLE, paused_autoscaler, running_example
from bench.watching import Watch, watching
from tests.cluster.running_fleet import RunningFleet, eventually
from tests.cluster.sample_tasks import TASK_OF_QUEUE, arguments

QUEUE = "reports"
RUNS = 5
STATISTICS_SETTLE_SECONDS = 12.0
"""Broker statistics are up to 8 s old; a count from before must not start the next pod."""

POLLING_SPREAD_SECONDS = 30.0
"""The moment of a `POST` is spread over the longer of both polling intervals, so that no phase is favoured."""

LONGEST_START_SECONDS = 180.0
STARTTIME_FIELD = 22 - 3
"""Of `/proc/<pid>/stat`, counted after the command's name (proc(5): field 22; the name is the second)."""


@dataclass(frozen=True, kw_only=True)
class Start:
    """The seconds of one start from zero."""

    total: float
    statistics_and_polling: float
    """Until the Deployment was told to have a pod: the broker's statistics, KEDA's poll."""
    scheduling: float
    """Until the pod had a node: Deployment and ReplicaSet controllers, scheduler."""
    container: float
    """Until the worker's process ran: kubelet, pod sandbox, container."""
    imports_and_connection: float
    """Until the task started: Python, the application, the connection to the broker, the delivery."""


def _scale_to_zero(fleet: RunningFleet, deployment: str) -> None:
    """Back to zero without the cooldown, once the broker's statistics show the empty queue."""
    time.sleep(STATISTICS_SETTLE_SECONDS)
    fleet.kubectl("scale", f"deployment/{deployment}", "--replicas=0")

    def gone() -> bool | None:
        return None if fleet.objects("pods", "-l", f"app.kubernetes.io/name={deployment}") else True

    eventually(gone, within_seconds=120, waiting_for=f"no pod of {deployment}")
    time.sleep(STATISTICS_SETTLE_SECONDS)
    if fleet.objects("pods", "-l", f"app.kubernetes.io/name={deployment}"):
        raise SystemExit(f"{deployment} did not stay at zero; is something else enqueuing?")


def _process_started(pod: str) -> float:
    """When the first process of a pod began (seconds since the epoch); pods run on this machine.

    The kernel counts from boot in hundredths; psutil's own conversion rounds the boot to a second.
    """
    ticks = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.environ().get("FLEET_POD_NAME") == pod:
                fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
                ticks.append(int(fields[STARTTIME_FIELD]))
    if not ticks:
        raise SystemExit(
            f"no process of pod {pod} on this machine; the parts of a start can be told on the sandbox only"
        )
    since_boot = time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.time() - (since_boot - min(ticks) / os.sysconf("SC_CLK_TCK"))


def _task_started(fleet: RunningFleet, pod: str, task_id: str) -> float | None:
    """When the worker logged that it took the task, to the microsecond; the container runtime writes the time."""
    for line in fleet.kubectl("logs", pod, "--timestamps", check=False).splitlines():
        moment, _, said = line.partition(" ")
        if task_id in said:
            return _epoch(moment)
    return None


def _epoch(moment: str) -> float:
    """Seconds since the epoch of an RFC 3339 time in UTC with nanoseconds."""
    whole, _, fraction = moment.rstrip("Z").partition(".")
    return float(int(time.mktime(time.strptime(whole, "%Y-%m-%dT%H:%M:%S"))) - time.timezone) + float(
        f"0.{fraction or 0}"
    )


def _measure(fleet: RunningFleet, deployments: Watch, pods: Watch, deployment: str) -> Start:
    """One start from zero of one Deployment."""
    begin = time.time()
    task_id = fleet.enqueue(TASK_OF_QUEUE[QUEUE], kwargs=arguments(QUEUE, uuid.uuid4().hex))

    def of_deployment(item: dict[str, Any]) -> bool:
        return bool(item["metadata"]["name"] == deployment and item["spec"].get("replicas", 1) > 0)

    def scheduled(item: dict[str, Any]) -> bool:
        named = item["metadata"].get("labels", {}).get("app.kubernetes.io/name") == deployment
        return bool(named and item["spec"].get("nodeName"))

    wanted = eventually(
        lambda: deployments.first(of_deployment, after=begin), every_seconds=0.1,
        within_seconds=LONGEST_START_SECONDS, waiting_for=f"{deployment} to be wanted",
    )  # fmt: skip
    placed = eventually(
        lambda: pods.first(scheduled, after=begin), every_seconds=0.1,
        within_seconds=60, waiting_for=f"a pod of {deployment} on a node",
    )  # fmt: skip
    pod = placed.object["metadata"]["name"]
    fleet.result(task_id, within_seconds=LONGEST_START_SECONDS)
    running = _process_started(pod)
    started = eventually(
        lambda: _task_started(fleet, pod, task_id), within_seconds=10, waiting_for=f"task {task_id} in the log of {pod}"
    )
    return Start(
        total=started - begin,
        statistics_and_polling=wanted.at - begin,
        scheduling=placed.at - wanted.at,
        container=running - placed.at,
        imports_and_connection=started - running,
    )


def _runs(fleet: RunningFleet, deployment: str) -> list[Start]:
    """Several starts from zero, at moments that know nothing of KEDA's polls."""
    moments = random.Random(deployment)  # noqa: S311 only spreads moments
    starts = []
    with (
        watching(fleet.environment, fleet.namespace, "deployments.apps") as deployments,
        watching(fleet.environment, fleet.namespace, "pods") as pods,
    ):
        for number in range(RUNS):
            _scale_to_zero(fleet, deployment)
            time.sleep(moments.uniform(0, POLLING_SPREAD_SECONDS))
            start = _measure(fleet, deployments, pods, deployment)
            print(f"{deployment} {number + 1}/{RUNS}: {json.dumps({k: round(v, 2) for k, v in asdict(start).items()})}")
            starts.append(start)
    return starts


def _medians(starts: list[Start]) -> dict[str, float]:
    columns = {name: [asdict(start)[name] for start in starts] for name in asdict(starts[0])}
    return {name: round(statistics.median(column), 2) for name, column in columns.items()}


def zero(fleet: RunningFleet) -> dict[str, Any]:
    """Both medians, and what each is made of."""
    fleet.wait_until_at_minimum()
    own = _medians(_runs(fleet, f"worker-{QUEUE}"))
    fleet.kubectl("scale", f"deployment/worker-{QUEUE}", "--replicas=0")
    with paused_autoscaler(fleet, QUEUE), running_example(fleet, QUEUE):
        example = _medians(_runs(fleet, EXAMPLE))
    return {
        "zero_to_first_task_seconds": own.pop("total"),
        "zero_to_first_task_parts_seconds": own,
        "keda_example_zero_to_first_task_seconds": example.pop("total"),
        "keda_example_zero_to_first_task_parts_seconds": example,
    }
