"""The workers of one broker queue: Deployment and its document.

Invariant: the autoscaler owns the number of pods, so `replicas` is absent; grace, limits and probes come from the Plan alone.
"""

from dataclasses import dataclass

import pulumi

from fleet.metrics import METRICS_PORT, METRICS_PORT_NAME
from fleet.plan import QueuePlan
from fleet.sizing import Resources
from fleet.units import format_cpu, format_size
from infra.manifests.extras import gpu_limits
from infra.manifests.metadata import PROFILE_LABEL, Manifest, metadata, selector
from infra.manifests.pods import IN_CLUSTER, ApplicationPod, ResultsAddress, health_probe, pod_template
from infra.placement import ANYWHERE, Placement

COMMAND = ("python", "-m", "app.worker")

REVISIONS_KEPT = 3


def worker_name(shard: str) -> str:
    """Name of the Deployment, budget and autoscaler of one broker queue."""
    return f"worker-{shard}"


def account_name(queue: QueuePlan) -> str:
    """Name of the ServiceAccount of a queue's pods: one for all its shards, because what they may do is the queue's."""
    return f"worker-{queue.name}"


@dataclass(frozen=True, kw_only=True)
class WorkerManifest:
    """All that one worker Deployment is made of."""

    fleet: str
    queue: QueuePlan
    shard: str
    image: pulumi.Input[str]
    document: pulumi.Input[str]
    results_secret: pulumi.Input[str]
    results: ResultsAddress = IN_CLUSTER
    broker_tls: bool = False
    placement: Placement = ANYWHERE


def container_resources(resources: Resources, extra_limits: dict[str, str] | None = None) -> Manifest:
    """Requests and limits; no CPU limit where the Plan has none."""
    memory = format_size(resources.memory_bytes)
    limits = {"memory": memory, **(extra_limits or {})}
    if resources.cpu_limit_millicores is not None:
        limits["cpu"] = format_cpu(resources.cpu_limit_millicores)
    return {
        "requests": {"cpu": format_cpu(resources.cpu_request_millicores), "memory": memory},
        "limits": limits,
    }


def worker_deployment(worker: WorkerManifest) -> Manifest:
    """The Deployment of one broker queue's workers."""
    queue, name = worker.queue, worker_name(worker.shard)
    pod = ApplicationPod(
        fleet=worker.fleet,
        name=name,
        component="worker",
        queue=queue.name,
        image=worker.image,
        command=COMMAND,
        document=worker.document,
        broker_user="worker",
        broker_tls=worker.broker_tls,
        results_secret=worker.results_secret,
        results=worker.results,
        resources=container_resources(queue.resources, gpu_limits(queue.pod)),
        grace_seconds=queue.worker.grace_seconds,
        probes={
            "startupProbe": health_probe("ready", queue.probes.startup),
            "readinessProbe": health_probe("ready", queue.probes.readiness),
            "livenessProbe": health_probe("live", queue.probes.liveness),
        },
        service_account=account_name(queue),
        ports=({"name": METRICS_PORT_NAME, "containerPort": METRICS_PORT},),
        extras=queue.pod,
        placement=worker.placement,
        run_folder=True,
    )
    described = metadata(worker.fleet, name, "worker", queue=queue.name)
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {**described, "labels": {**described["labels"], PROFILE_LABEL: queue.profile}},
        "spec": {
            "selector": {"matchLabels": selector(name)},
            # A new version proves itself before an old pod goes; the old one then has its whole grace.
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
            "revisionHistoryLimit": REVISIONS_KEPT,
            "template": pod_template(pod),
        },
    }
