"""What `fleet diff` says of objects is what the components register."""

import copy
from pathlib import Path
from typing import Any

import pytest

from fleet.objects import Identity, plan_objects
from fleet.plan import Plan
from fleet.topology import INGRESS_EXCHANGE
from infra.manifests.metadata import QUEUE_LABEL
from infra.manifests.topology import DeletionPolicy
from infra.namespace import FleetNamespace, FleetNamespaceArgs
from infra.placement import Placement, Placements
from infra.topology import QueueTopology, QueueTopologyArgs
from infra.workers import QueueWorkers, QueueWorkersArgs
from tests.fleet.strategies import Raw, load_from, sample_queue
from tests.infra.recording import record
from tests.infra.samples import COMPONENTS, IMAGE

pytestmark = pytest.mark.scan

BASE: Raw = {
    "application": "shop.celery:app",
    "queues": {
        "mail": sample_queue(tasks=["shop.mail.*"]),
        "money": sample_queue(tasks=["shop.money.*"], shards=2, replicas={"max": 40}),
    },
}
PLACEMENTS = Placements(spot=Placement(node_selector={"capacity": "spot"}))


def _program(plan: Plan) -> None:
    scale_in = bool(plan.scale_in.queues)
    publishers = plan.topology.ingress is not None
    FleetNamespace("fleet", FleetNamespaceArgs(fleet=plan.fleet, publishers=publishers, scale_in=scale_in))
    controller = ("ScaleIn",) if scale_in else ()
    for shared in ("Broker", "BrokerTopology", "DelayedDelivery", "Web", "Beat", *controller):
        COMPONENTS[shared](shared.lower(), plan)
    for queue in plan.queues:
        QueueTopology(
            f"topology-{queue.name}",
            QueueTopologyArgs(fleet=plan.fleet, topology=plan.topology, queue=queue, deletion=DeletionPolicy.RETAIN),
        )
        QueueWorkers(
            f"workers-{queue.name}",
            QueueWorkersArgs(
                plan=plan,
                queue=queue,
                image=IMAGE,
                results_secret="results-1",
                placement=PLACEMENTS.workers(queue),
            ),
        )


def registered(plan: Plan) -> dict[Identity, Any]:
    """Every object -> what it is registered with; pods also roll with the ConfigMap that they mount, whose name then changes."""
    found: dict[Identity, Any] = {}
    documents: dict[str, Any] = {}
    for item in record(lambda: _program(plan)).resources:
        if not item.custom or "labels" not in item.inputs.get("metadata", {}):
            continue
        labels = item.inputs["metadata"]["labels"]
        name = labels["app.kubernetes.io/name"]
        if item.kind == "Job":
            # Its name ends in the hash of its document, so that another document is another Job.
            name = name.rpartition("-")[0]
        if item.kind == "Binding" and item.inputs["spec"]["source"] == INGRESS_EXCHANGE:
            name = f"{labels[QUEUE_LABEL]} by {item.inputs['spec']['routingKey']}"
        found[Identity(queue=labels.get(QUEUE_LABEL, ""), kind=item.kind, name=name)] = item.inputs
        if item.kind == "ConfigMap":
            documents[name] = item.inputs["data"]
    return {
        identity: (inputs, documents.get(identity.name) if identity.kind in ("Deployment", "Job") else None)
        for identity, inputs in found.items()
    }


def differences(before: dict[Identity, Any], after: dict[Identity, Any]) -> set[Identity]:
    return {item for item in before.keys() | after.keys() if before.get(item) != after.get(item)}


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> tuple[Plan, dict[Identity, Any]]:
    """The plan of the base and what it registers."""
    plan = load_from(BASE, tmp_path_factory.mktemp("base"))
    return plan, registered(plan)


def _changed(queue: str, **fields: Any) -> Raw:
    raw = copy.deepcopy(BASE)
    raw["queues"][queue] |= fields
    return raw


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(_changed("mail", load={"peak": "100/s"}), id="load"),
        pytest.param(_changed("money", load={"peak": "40/s"}), id="load-below-a-stated-maximum"),
        pytest.param(_changed("mail", runtime={"mean": "1s", "p99": "4s", "limit": "2h"}), id="limit"),
        pytest.param(_changed("mail", memory="200Mi"), id="memory"),
        pytest.param(_changed("mail", concurrency=2), id="concurrency"),
        pytest.param(_changed("money", tasks=["shop.money.*", "shop.bank.*"]), id="routes"),
        pytest.param(_changed("money", priority={"shop.money.pay": 9}), id="priorities"),
        pytest.param(_changed("mail", shards=3), id="shards"),
        pytest.param(_changed("money", shards=1), id="no-shards-any-more"),
        pytest.param(_changed("mail", binds=["mail.#", "post.*"]), id="the-first-publishers-that-are-not-celery"),
        pytest.param(_changed("mail", dead_letter={"keep": "3d"}), id="dead-letters"),
        pytest.param(_changed("mail", dead_letter={"failed": True}), id="failed-tasks-are-kept"),
        pytest.param(_changed("mail", capacity="spot"), id="capacity"),
        pytest.param(
            _changed("mail", capacity="spot", idempotent=True, runtime={"mean": "1s", "p99": "4s", "limit": "10m"}),
            id="the-first-queue-that-a-scale-in-may-interrupt",
        ),
        pytest.param(_changed("mail", pod={"env": {"A": "b"}}), id="environment-of-the-pods"),
        pytest.param(_changed("mail", replicas={"min": 2}), id="minimum"),
        pytest.param(_changed("mail", idempotent=True), id="nothing-that-an-object-holds"),
        pytest.param(
            {**BASE, "queues": {**BASE["queues"], "post": sample_queue(tasks=["shop.post.*"])}}, id="a-new-queue"
        ),
        pytest.param({**BASE, "queues": {"money": BASE["queues"]["money"]}}, id="a-queue-less"),
    ],
)
def test_the_objects_that_change_are_those_that_are_registered_anew(
    raw: Raw, before: tuple[Plan, dict[Identity, Any]], tmp_path: Path
) -> None:
    """No object is forgotten, and none is named for nothing."""
    plan, objects = before
    after = load_from(raw, tmp_path)
    assert differences(plan_objects(plan), plan_objects(after)) == differences(objects, registered(after))
