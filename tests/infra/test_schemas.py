"""Every custom resource against the schema of its upstream definition, where those are at hand."""

import pytest

from infra.manifests.topology import DeletionPolicy
from infra.topology import BrokerTopology, BrokerTopologyArgs, QueueTopology, QueueTopologyArgs
from infra.workers import QueueWorkers, QueueWorkersArgs
from tests.infra.definitions import DEFINITIONS, schema_errors
from tests.infra.recording import Registration, record
from tests.infra.samples import COMPONENTS, IMAGE, full_plan, sample_plan

pytestmark = [
    pytest.mark.scan,
    pytest.mark.skipif(not DEFINITIONS.is_dir(), reason=f"needs upstream's CustomResourceDefinitions in {DEFINITIONS}"),
]

GROUPS = ("kubernetes:rabbitmq.com/", "kubernetes:keda.sh/", "kubernetes:cert-manager.io/")


def _custom_resources(environment: str) -> list[Registration]:
    plan = sample_plan(environment)

    def program() -> None:
        for name, build in COMPONENTS.items():
            build(name.lower(), plan)

    return [item for item in record(program).resources if item.typ.startswith(GROUPS)]


@pytest.mark.parametrize(
    "environment", [pytest.param("local", id="one-broker-node"), pytest.param("prod", id="three-broker-nodes")]
)
def test_custom_resources_satisfy_their_definitions(environment: str) -> None:
    """No field is misspelt, missing or of the wrong type."""
    found = {item.name: errors for item in _custom_resources(environment) if (errors := schema_errors(item.inputs))}
    assert found == {}


@pytest.mark.parametrize("environment", ["local", "prod"])
def test_every_field_of_the_catalogue_satisfies_them_too(environment: str) -> None:
    """Those that the repository's own catalogue does not use."""
    plan = full_plan(environment)

    def program() -> None:
        BrokerTopology(
            "topology",
            BrokerTopologyArgs(
                fleet=plan.fleet, topology=plan.topology, counted=plan.counted_queues, deletion=DeletionPolicy.RETAIN
            ),
        )
        for queue in plan.queues:
            QueueTopology(
                f"queue-{queue.name}",
                QueueTopologyArgs(
                    fleet=plan.fleet, topology=plan.topology, queue=queue, deletion=DeletionPolicy.RETAIN
                ),
            )
            QueueWorkers(
                f"workers-{queue.name}",
                QueueWorkersArgs(plan=plan, queue=queue, image=IMAGE, results_secret="results-1"),
            )

    made = [item for item in record(program).resources if item.typ.startswith(GROUPS)]
    assert {item.name: errors for item in made if (errors := schema_errors(item.inputs))} == {}


def test_the_check_sees_what_it_is_for() -> None:
    """A field that the definition does not know is an error, and a missing one is."""
    item = next(item for item in _custom_resources("local") if item.kind == "Policy")
    item.inputs["spec"]["no-such-field"] = 1
    del item.inputs["spec"]["pattern"]
    assert len(schema_errors(item.inputs)) == 2


def test_all_kinds_are_covered() -> None:
    """Each kind that a fleet uses is checked above."""
    assert {item.kind for item in _custom_resources("prod")} == {
        "Binding", "Certificate", "ClusterIssuer", "Exchange", "Permission", "Policy", "Queue", "RabbitmqCluster", "ScaledObject",
        "TriggerAuthentication", "User", "Vhost",
    }  # fmt: skip
