"""The workers of one queue.

Invariant: every broker queue has exactly one Deployment and one autoscaler, both made from the same QueuePlan, so that concurrency, limits and
the scaling formula cannot differ.
"""

from dataclasses import dataclass

import pulumi

from fleet.documents import dump_document, worker_document
from fleet.plan import Plan, QueuePlan
from infra.manifests.autoscaling import scaled_object
from infra.manifests.metadata import config_map, disruption_budget, service_account
from infra.manifests.pods import DOCUMENT_NAME, IN_CLUSTER, ResultsAddress
from infra.manifests.workers import WorkerManifest, account_name, worker_deployment, worker_name
from infra.objects import KubernetesObject
from infra.placement import ANYWHERE, Placement


@dataclass(frozen=True, kw_only=True)
class QueueWorkersArgs:
    """One queue of the catalogue and what its pods run."""

    plan: Plan
    """Plain, because it decides which resources exist; a worker's document also holds the routes of all queues."""

    queue: QueuePlan

    image: pulumi.Input[str]
    """By digest; an input, because the build may not have run yet."""

    results_secret: pulumi.Input[str]
    """Secret with the password of the results store."""

    results: ResultsAddress = IN_CLUSTER

    broker_tls: bool = False
    """Whether the broker speaks TLS, and then nothing else."""

    placement: Placement = ANYWHERE
    """Where the queue's pods run."""


class QueueWorkers(pulumi.ComponentResource):
    """The workers of one queue; the autoscaler, not this component, owns their number."""

    deployment_names: list[str]
    """One for each shard; plain, because the names are fixed."""

    def __init__(self, name: str, args: QueueWorkersArgs, *, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("celery-fleet:workers:QueueWorkers", name, None, opts)
        fleet, queue, shards = args.plan.fleet, args.queue, args.queue.topology.shards
        account = KubernetesObject(
            f"{name}-service-account",
            service_account(fleet, account_name(queue), "worker", queue=queue.name),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.deployment_names = [
            self._add_shard(name if len(shards) == 1 else f"{name}-{index}", shard, args, account)
            for index, shard in enumerate(shards)
        ]
        self.register_outputs({"deployment_names": self.deployment_names})

    def _add_shard(self, name: str, shard: str, args: QueueWorkersArgs, account: pulumi.Resource) -> str:
        fleet, queue, workload = args.plan.fleet, args.queue, worker_name(shard)
        child = pulumi.ResourceOptions(parent=self)
        document = KubernetesObject(
            f"{name}-document",
            config_map(
                fleet,
                workload,
                "worker",
                {DOCUMENT_NAME: dump_document(worker_document(args.plan, queue, shard))},
                queue=queue.name,
            ),
            opts=child,
        )
        KubernetesObject(
            f"{name}-disruption-budget", disruption_budget(fleet, workload, "worker", queue=queue.name), opts=child
        )
        worker = WorkerManifest(
            fleet=fleet,
            queue=queue,
            shard=shard,
            image=args.image,
            document=document.object_name,
            results_secret=args.results_secret,
            results=args.results,
            broker_tls=args.broker_tls,
            placement=args.placement,
        )
        # Pods name their account in plain text, so the order has to be said.
        deployment = KubernetesObject(
            f"{name}-deployment",
            worker_deployment(worker),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[account]),
        )
        # KEDA refuses to scale what is not there.
        KubernetesObject(
            f"{name}-scaled-object",
            scaled_object(fleet, args.plan.topology.vhost, queue, shard, broker_tls=args.broker_tls),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[deployment]),
        )
        return workload
