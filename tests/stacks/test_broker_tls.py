"""A stack whose broker speaks TLS, whole: on EKS unless it is switched off, elsewhere where it is switched on."""

from functools import cache
from typing import Any

import pytest

from fleet.errors import CatalogueError
from tests.infra.recording import Recorded
from tests.stacks.programs import EKS_STACKS, SERVED, Stage, before, eks_graph, loaded, named, run_eks, run_stack

ON = {"celery-fleet:broker": '{"tls": true, "issuer": "mine"}'}
CERT_MANAGER = "cert-manager.io/v1"


@cache
def switched_on() -> Recorded:
    """A cluster of one's own, whose operator believes the issuer that is named."""
    return run_stack(ON)


def spoken_to(recorded: Recorded) -> set[Any]:
    """How every pod of the fleet is told to speak to the broker."""
    found = set()
    for item in recorded.manifests():
        if item["kind"] in {"Deployment", "Job"}:
            container = item["spec"]["template"]["spec"]["containers"][0]
            told = {variable["name"]: variable.get("value") for variable in container["env"]}
            found.add((told["FLEET_BROKER_PORT"], told.get("FLEET_BROKER_TLS")))
    return found


def hosts(recorded: Recorded) -> set[str]:
    """Where KEDA asks."""
    triggers = [trigger for item in recorded.of("ScaledObject") for trigger in item.inputs["spec"]["triggers"]]
    return {trigger["metadata"]["host"] for trigger in triggers if trigger["type"] == "rabbitmq"}


def broker_policy_ports(recorded: Recorded) -> set[int]:
    """The ports of the broker that some policy opens."""
    ingress = recorded.one("NetworkPolicy", "broker").inputs["spec"]["ingress"]
    return {port["port"] for rule in ingress for port in rule["ports"]}


def test_every_client_speaks_as_the_broker_does() -> None:
    """One that was forgotten would never connect."""
    recorded = switched_on()
    assert recorded.one("RabbitmqCluster").inputs["spec"]["tls"]["disableNonTLSListeners"] is True
    assert spoken_to(recorded) == {("5671", "true")}
    assert hosts(recorded) == {"https://broker.celery-fleet.svc:15671"}
    assert broker_policy_ports(recorded) == {5671, 15671, 15691, 4369, 25672}


def test_without_the_key_all_of_it_is_in_clear() -> None:
    """On a cluster of one's own, where nothing may be there to sign."""
    recorded = run_stack()
    assert "tls" not in recorded.one("RabbitmqCluster").inputs["spec"]
    assert recorded.of("Certificate") == []
    assert spoken_to(recorded) == {("5672", None)}
    assert hosts(recorded) == {"http://broker.celery-fleet.svc:15672"}
    assert broker_policy_ports(recorded) == {5672, 15672, 15692, 4369, 25672}


def test_nothing_is_made_for_an_operator_that_exists() -> None:
    """It believes whom its owner told it to; the broker's certificate is all."""
    recorded = switched_on()
    assert recorded.of("ClusterIssuer") == []
    assert recorded.one("Certificate").inputs["spec"]["issuerRef"]["name"] == "mine"


@pytest.mark.scan
@pytest.mark.parametrize("stack", EKS_STACKS)
def test_on_eks_the_broker_speaks_tls_by_itself(stack: str) -> None:
    """The stack installs cert-manager and the operator, so it makes the authority and has it believed first."""
    recorded = eks_graph(stack)
    assert spoken_to(recorded) == {("5671", "true")}
    assert recorded.one("Certificate", "broker-tls").inputs["spec"]["issuerRef"]["name"] == "celery-fleet-broker"
    operator = before(recorded, named(recorded, "platform-rabbitmqTopologyOperator"))
    assert {"platform-authority-issuer", "platform-authority-trusted", "platform-certManager"} <= operator
    assert "broker-certificate" in before(recorded, named(recorded, "broker-cluster"))
    assert "platform-authority-issuer" in before(recorded, named(recorded, "broker-certificate"))


@pytest.mark.scan
def test_on_eks_it_can_be_switched_off() -> None:
    """With all that is only there for it."""
    recorded = run_eks("dev", broker={"tls": False})
    assert spoken_to(recorded) == {("5672", None)}
    assert [*recorded.of("Certificate"), *recorded.of("ClusterIssuer")] == []


@pytest.mark.scan
def test_the_load_balancer_in_front_of_the_broker_hands_tls_on() -> None:
    """To the port that the nodes have open, and the policy lets it through."""
    recorded = run_eks("dev", aws={"brokerLoadBalancer": True})
    [service] = [item for item in recorded.manifests() if item["metadata"]["name"] == "broker-balancer"]
    assert service["spec"]["ports"] == [{"name": "amqps", "port": 5671, "targetPort": 5671}]


def test_a_cluster_without_cert_manager_is_told_of_in_time() -> None:
    """A Certificate that nobody knows would stop the deployment halfway."""
    stage = Stage(served={group: kinds for group, kinds in SERVED.items() if group != CERT_MANAGER})
    with pytest.raises(CatalogueError) as raised:
        loaded(ON, stage=stage)
    [finding] = raised.value.findings
    assert finding.path == "celery-fleet:platform.certManager"
    assert "Certificate" in finding.problem
    loaded({}, stage=stage)
