"""Which nodes the pods of a fleet are sent to: by default nowhere in particular, on EKS to the group that is made for them."""

from collections.abc import Callable
from typing import Any

import pulumi
import pytest

from fleet.documents import delayed_delivery_document, producer_document, web_document
from fleet.plan import Plan, PodExtras, QueuePlan, Toleration
from infra.beat import Beat, BeatArgs
from infra.broker import Broker, BrokerArgs
from infra.delayed import DelayedDelivery, DelayedDeliveryArgs
from infra.placement import Compute, Placement, Placements, eks_placements
from infra.web import Web, WebArgs
from infra.workers import QueueWorkers, QueueWorkersArgs
from tests.infra.definitions import DEFINITIONS, schema_errors
from tests.infra.recording import Recorded, record
from tests.infra.samples import IMAGE, queue_of, sample_plan

Make = Callable[[Plan, Placements], pulumi.ComponentResource]

SYSTEM_TOLERATION = {"key": "CriticalAddonsOnly", "operator": "Equal", "value": "true", "effect": "NoSchedule"}
BROKER_TOLERATION = {"key": "dedicated", "operator": "Equal", "value": "rabbitmq", "effect": "NoSchedule"}
WORKERS_TOLERATION = {"key": "workload", "operator": "Equal", "value": "celery", "effect": "NoSchedule"}


def with_pod(queue: QueuePlan, extras: PodExtras) -> QueuePlan:
    fields = {field: getattr(queue, field) for field in queue.__struct_fields__}
    return QueuePlan(**{**fields, "pod": extras})


def workers(plan: Plan, placements: Placements, queue: QueuePlan) -> QueueWorkers:
    return QueueWorkers(
        "workers",
        QueueWorkersArgs(
            plan=plan, queue=queue, image=IMAGE, results_secret="results-1", placement=placements.workers(queue)
        ),
    )


SYSTEM_PODS: dict[str, Make] = {
    "web": lambda plan, placements: Web(
        "web",
        WebArgs(
            document=web_document(plan),
            image=IMAGE,
            results_secret="results-1",
            plan=plan.web,
            placement=placements.system,
        ),
    ),
    "beat": lambda plan, placements: Beat(
        "beat",
        BeatArgs(
            document=producer_document(plan), image=IMAGE, results_secret="results-1", placement=placements.system
        ),
    ),
    "delayed-delivery": lambda plan, placements: DelayedDelivery(
        "delayed",
        DelayedDeliveryArgs(document=delayed_delivery_document(plan), image=IMAGE, placement=placements.system),
    ),
}


def template_of(recorded: Recorded) -> dict[str, Any]:
    """The only pod template of a run."""
    (template,) = (item.inputs["spec"]["template"] for item in recorded.resources if item.kind in ("Deployment", "Job"))
    found: dict[str, Any] = template
    return found


def worker_template(queue: str | QueuePlan, placements: Placements) -> dict[str, Any]:
    plan = sample_plan("prod")
    found = queue_of(plan, queue) if isinstance(queue, str) else queue
    return template_of(record(lambda: workers(plan, placements, found)))


@pytest.mark.parametrize("make", [pytest.param(make, id=name) for name, make in SYSTEM_PODS.items()])
def test_what_serves_all_queues_runs_on_system_nodes(make: Make) -> None:
    """Web layer, beat and the delayed-delivery Job stand beside the operators, where no queue takes their room."""
    plan = sample_plan("prod")
    pod = template_of(record(lambda: make(plan, eks_placements("karpenter"))))["spec"]
    assert pod["nodeSelector"] == {"celery-fleet/nodes": "system"}
    assert pod["tolerations"] == [SYSTEM_TOLERATION]


@pytest.mark.parametrize("make", [pytest.param(make, id=name) for name, make in SYSTEM_PODS.items()])
def test_on_a_cluster_of_ones_own_the_scheduler_decides(make: Make) -> None:
    """Its nodes carry no label of ours."""
    plan = sample_plan("prod")
    template = template_of(record(lambda: make(plan, Placements())))
    assert not {"nodeSelector", "tolerations"} & template["spec"].keys()
    assert "annotations" not in template["metadata"]


@pytest.mark.parametrize(
    ("queue", "capacity"),
    [
        pytest.param("high", "on-demand", id="on-demand-queue"),
        pytest.param("thumbnails", "spot", id="spot-queue"),
        pytest.param("reports", "on-demand", id="queue-of-long-tasks"),
    ],
)
@pytest.mark.parametrize("compute", ["karpenter", "mng", "auto"])
def test_workers_run_on_nodes_of_their_capacity(queue: str, capacity: str, compute: Compute) -> None:
    """The same labels, whoever makes the nodes."""
    pod = worker_template(queue, eks_placements(compute))["spec"]
    assert pod["nodeSelector"] == {"celery-fleet/nodes": "workers", "celery-fleet/capacity": capacity}
    assert pod["tolerations"] == [WORKERS_TOLERATION]


@pytest.mark.parametrize(
    ("queue", "selector"),
    [pytest.param("thumbnails", {"capacity": "spot"}, id="spot-queue"), pytest.param("high", None, id="any-other")],
)
def test_spot_nodes_of_ones_own_are_for_spot_queues(queue: str, selector: dict[str, str] | None) -> None:
    """Where a stack names spot nodes, the queues that may use them do."""
    placements = Placements(spot=Placement(node_selector={"capacity": "spot"}))
    assert worker_template(queue, placements)["spec"].get("nodeSelector") == selector


@pytest.mark.parametrize(
    ("queue", "compute", "annotations"),
    [
        pytest.param("reports", "karpenter", {"karpenter.sh/do-not-disrupt": "600s"}, id="long-tasks-for-their-limit"),
        pytest.param("reports", "auto", {"karpenter.sh/do-not-disrupt": "600s"}, id="auto-mode-is-karpenter-too"),
        pytest.param("reports", "mng", None, id="managed-groups-take-nothing-away"),
        pytest.param("thumbnails", "karpenter", None, id="short-tasks-may-move"),
    ],
)
def test_a_node_stays_while_a_long_task_may_run(
    queue: str, compute: Compute, annotations: dict[str, str] | None
) -> None:
    """For a time from the pod's start on: for ever would pin every node under an autoscaled queue."""
    template = worker_template(queue, eks_placements(compute))
    assert template["metadata"].get("annotations") == annotations


def test_a_queues_own_word_comes_on_top() -> None:
    """Another label of the node, and a toleration more."""
    extras = PodExtras(node_selector={"disk": "fast"}, tolerations=(Toleration(key="gpu", operator="Exists"),))
    queue = with_pod(queue_of(sample_plan("prod"), "high"), extras)
    pod = worker_template(queue, eks_placements("karpenter"))["spec"]
    assert pod["nodeSelector"] == {
        "celery-fleet/nodes": "workers",
        "celery-fleet/capacity": "on-demand",
        "disk": "fast",
    }
    assert pod["tolerations"] == [WORKERS_TOLERATION, {"key": "gpu", "operator": "Exists"}]


def test_a_queue_with_gpus_goes_where_the_catalogue_says() -> None:
    """None of the nodes that are made here has one."""
    queue = with_pod(queue_of(sample_plan("prod"), "high"), PodExtras(gpu=1, node_selector={"accelerator": "t4"}))
    pod = worker_template(queue, eks_placements("karpenter"))["spec"]
    assert pod["nodeSelector"] == {"accelerator": "t4"}
    assert "tolerations" not in pod


@pytest.mark.parametrize(("environment", "apart"), [("dev", False), ("prod", True)])
def test_brokers_have_nodes_of_their_own(environment: str, apart: bool) -> None:
    """The kind knows no node selector, so their label is an affinity; three brokers also stay apart from each other."""
    plan = sample_plan(environment)
    args = BrokerArgs(fleet=plan.fleet, plan=plan.broker, placement=eks_placements("mng").broker)
    cluster = record(lambda: Broker("broker", args)).one("RabbitmqCluster").inputs
    affinity = cluster["spec"]["affinity"]
    assert affinity["nodeAffinity"] == {
        "requiredDuringSchedulingIgnoredDuringExecution": {
            "nodeSelectorTerms": [
                {"matchExpressions": [{"key": "celery-fleet/nodes", "operator": "In", "values": ["broker"]}]}
            ]
        }
    }
    assert ("podAntiAffinity" in affinity) is apart
    assert cluster["spec"]["tolerations"] == [BROKER_TOLERATION]
    if DEFINITIONS.is_dir():
        assert schema_errors(cluster) == []


def test_a_broker_elsewhere_says_nothing_of_nodes() -> None:
    """A single one has neither affinity nor toleration."""
    plan = sample_plan("dev")
    spec = record(lambda: Broker("broker", BrokerArgs(fleet=plan.fleet, plan=plan.broker))).one("RabbitmqCluster")
    assert not {"affinity", "tolerations", "override"} & spec.inputs["spec"].keys()
