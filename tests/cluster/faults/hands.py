"""What a fault takes hold of: processes of pods, the network of a pod, the broker's limits.

Invariant: processes are found by the control group of their pod, so only those of the pod are met; whatever is changed for a time is put back, also
where the fault fails. The pods of a sandbox run on this machine: on another cluster none of this is possible.
"""

import json
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

from tests.cluster.faults.stage import Stage
from tests.cluster.running_fleet import eventually

AMQP_PORTS = (5671, 5672)
WATERMARK_ALARM = "0.00001"
"""Share of the memory that no node is below."""

DISK_ALARM = str(10**15)
"""Bytes, more than any disk has free."""

BROKER_CONTAINER = ("-c", "rabbitmq", "--")


# Processes


def processes_of(stage: Stage, pod: str) -> list[psutil.Process]:
    """Every process of a pod, as this machine sees them."""
    uid = stage.fleet.kubectl("get", "pod", pod, "-o", "jsonpath={.metadata.uid}")
    found = []
    for process in psutil.process_iter():
        with suppress(OSError):
            if f"pod{uid}" in Path(f"/proc/{process.pid}/cgroup").read_text():
                found.append(process)
    assert found, f"no process of pod {pod} runs on this machine"
    return found


def children_of(stage: Stage, pod: str) -> list[psutil.Process]:
    """The prefork children of a worker pod, oldest first."""
    processes = processes_of(stage, pod)
    pids = {process.pid for process in processes}
    found = [process for process in processes if process.ppid() in pids]
    return sorted(found, key=lambda process: process.create_time())


def kill_pod(stage: Stage, pod: str) -> float:
    """As a node that dies: every process at once, and then the pod's object. When they were gone (seconds since the epoch)."""
    processes = processes_of(stage, pod)
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGKILL)
    gone_at = time.time()
    stage.fleet.kubectl("delete", "pod", pod, "--grace-period=0", "--force", "--wait=false")
    return gone_at


def evict(stage: Stage, pod: str, *, within_seconds: float = 180) -> None:
    """As a drain does: asked for, and again while a disruption budget forbids it."""
    namespace = stage.fleet.namespace
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod, "namespace": namespace}}
    path = f"/api/v1/namespaces/{namespace}/pods/{pod}/eviction"

    def ask() -> bool | None:
        said = stage.fleet.kubectl("create", "--raw", path, "-f", "-", stdin=json.dumps(body), check=False)
        return True if '"Success"' in said else None

    eventually(ask, within_seconds=within_seconds, waiting_for=f"the eviction of {pod}", every_seconds=2)


# The network


@contextmanager
def cut_off_from_broker(stage: Stage, pod: str) -> Iterator[None]:
    """The pod's packets to and from the broker vanish while the block runs; nobody is told."""
    iptables = shutil.which("iptables", path="/usr/sbin:/sbin:/usr/bin")
    assert iptables, "iptables is not installed"
    pid = str(processes_of(stage, pod)[0].pid)
    rules: list[tuple[str, ...]] = [
        (chain, "--protocol", "tcp", option, str(port), "--jump", "DROP")
        for port in AMQP_PORTS
        for chain, option in (("OUTPUT", "--destination-port"), ("INPUT", "--source-port"))
    ]
    made: list[tuple[str, ...]] = []
    inside = ["nsenter", f"--net=/proc/{pid}/ns/net", iptables, "--wait"]
    try:
        for rule in rules:
            subprocess.run([*inside, "--insert", *rule], check=True, timeout=30)
            made.append(rule)
        yield
    finally:
        for rule in made:
            # A pod that is gone has taken its rules along.
            subprocess.run([*inside, "--delete", *rule], check=False, timeout=30, capture_output=True)


# The broker


def in_broker(stage: Stage, pod: str, *command: str) -> str:
    """What one of RabbitMQ's own tools prints in a broker pod."""
    return stage.fleet.kubectl("exec", pod, *BROKER_CONTAINER, *command, timeout=90)


@contextmanager
def memory_alarm(stage: Stage, pod: str) -> Iterator[None]:
    """The node says that it has too little memory while the block runs; the whole cluster takes no message."""
    before = in_broker(
        stage, pod, "rabbitmqctl", "--quiet", "eval", "vm_memory_monitor:get_vm_memory_high_watermark()."
    )
    try:
        in_broker(stage, pod, "rabbitmqctl", "--quiet", "set_vm_memory_high_watermark", WATERMARK_ALARM)
        yield
    finally:
        in_broker(stage, pod, "rabbitmqctl", "--quiet", "set_vm_memory_high_watermark", before.strip())


@contextmanager
def disk_alarm(stage: Stage, pod: str) -> Iterator[None]:
    """The node says that it has too little disk while the block runs."""
    before = in_broker(stage, pod, "rabbitmqctl", "--quiet", "eval", "rabbit_disk_monitor:get_disk_free_limit().")
    bytes_before = re.search(r"\d+", before)
    assert bytes_before, before
    try:
        in_broker(stage, pod, "rabbitmqctl", "--quiet", "set_disk_free_limit", DISK_ALARM)
        yield
    finally:
        in_broker(stage, pod, "rabbitmqctl", "--quiet", "set_disk_free_limit", bytes_before[0])


def task_binding(stage: Stage, queue: str) -> dict[str, Any]:
    """The binding by which the task exchange reaches a queue, as the management API has it."""
    exchange = stage.plan.topology.exchange
    bindings = stage.ask("GET", f"/bindings/{stage.vhost}/e/{exchange}/q/{queue}")
    (binding,) = [item for item in bindings if item["routing_key"] == queue]
    found: dict[str, Any] = binding
    return found


@contextmanager
def without_binding(stage: Stage, queue: str) -> Iterator[None]:
    """Nothing leads to the queue while the block runs."""
    binding = task_binding(stage, queue)
    path = f"/bindings/{stage.vhost}/e/{stage.plan.topology.exchange}/q/{queue}"
    stage.ask("DELETE", f"{path}/{binding['properties_key']}")
    try:
        yield
    finally:
        stage.ask("POST", path, {"routing_key": queue, "arguments": binding["arguments"]})
