"""Who may reach whom: told from the recorded policies, against the connections that the recorded pods make."""

from typing import Any

import pulumi
import pytest

from infra.namespace import FleetNamespace, FleetNamespaceArgs
from tests.infra.recording import Recorded, record
from tests.infra.samples import COMPONENTS, OVER_TLS_COMPONENTS, sample_plan

FLEET = "celery-fleet"

# The sentence of the design, spelled out: source -> (target, port).
ALWAYS = {
    ("pods broker", "broker", 4369), ("pods broker", "broker", 25672),
    ("namespace monitoring", "worker", 9464),
    ("web", "results", 6379), ("worker", "results", 6379), ("beat", "results", 6379),
    ("anyone", "web", 8000),
}  # fmt: skip
IN_CLEAR = ALWAYS | {
    ("web", "broker", 5672), ("worker", "broker", 5672), ("beat", "broker", 5672), ("delayed-delivery", "broker", 5672),
    ("namespace keda", "broker", 15672), ("namespace rabbitmq-system", "broker", 15672),
    ("namespace monitoring", "broker", 15692),
}  # fmt: skip
OVER_TLS = ALWAYS | {
    ("web", "broker", 5671), ("worker", "broker", 5671), ("beat", "broker", 5671), ("delayed-delivery", "broker", 5671),
    ("namespace keda", "broker", 15671), ("namespace rabbitmq-system", "broker", 15671),
    ("namespace monitoring", "broker", 15691),
}  # fmt: skip

each_protocol = pytest.mark.parametrize("tls", [pytest.param(False, id="in-clear"), pytest.param(True, id="over-tls")])


def policies(*, tls: bool = False, publishers: bool = False, scale_in: bool = False) -> Recorded:
    """The namespace with its policies."""
    args = FleetNamespaceArgs(fleet=FLEET, broker_tls=tls, publishers=publishers, scale_in=scale_in)
    return record(lambda: FleetNamespace("fleet", args))


def _source(peer: dict[str, Any]) -> str:
    if peer.get("namespaceSelector") == {}:
        assert peer["podSelector"]["matchLabels"] == {"celery-fleet/publishes-to": FLEET}
        return "publishers"
    if "ipBlock" in peer:
        return f"network {peer['ipBlock']['cidr']}"
    if "namespaceSelector" in peer:
        return f"namespace {peer['namespaceSelector']['matchLabels']['kubernetes.io/metadata.name']}"
    labels = peer["podSelector"]["matchLabels"]
    if "app.kubernetes.io/component" in labels:
        assert labels["app.kubernetes.io/part-of"] == FLEET
        return str(labels["app.kubernetes.io/component"])
    return f"pods {labels['app.kubernetes.io/name']}"


def pairs(recorded: Recorded) -> set[tuple[str, str, int]]:
    """Every (source, target, port) that a policy lets through."""
    found = set()
    for policy in recorded.of("NetworkPolicy"):
        spec = policy.inputs["spec"]
        for rule in spec.get("ingress", []):
            (target,) = spec["podSelector"]["matchLabels"].values()
            sources = [_source(peer) for peer in rule["from"]] if "from" in rule else ["anyone"]
            found |= {(source, target, int(port["port"])) for source in sources for port in rule["ports"]}
    return found


def connections(*, tls: bool) -> set[tuple[str, str, int]]:
    """Every (component, target, port) that a pod of the fleet is told to connect to, from its own environment."""
    plan = sample_plan()

    def program() -> None:
        for name, build in (OVER_TLS_COMPONENTS if tls else COMPONENTS).items():
            if name not in {"Platform", "Images"}:
                build(name.lower(), plan)

    found = set()
    for item in record(program).resources:
        template = item.inputs.get("spec", {}).get("template") if item.custom else None
        if not template or "containers" not in template["spec"]:
            continue
        component = template["metadata"]["labels"]["app.kubernetes.io/component"]
        values = {entry["name"]: entry.get("value") for entry in template["spec"]["containers"][0].get("env", [])}
        for target in ("BROKER", "RESULTS"):
            if f"FLEET_{target}_HOST" in values:
                found.add((component, values[f"FLEET_{target}_HOST"], int(values[f"FLEET_{target}_PORT"])))
    return found


@each_protocol
def test_exactly_the_designed_pairs_are_allowed(tls: bool) -> None:
    """No pair is missing and none was added on the way; of a broker that speaks TLS no plain port is open."""
    assert pairs(policies(tls=tls)) == (OVER_TLS if tls else IN_CLEAR)


@each_protocol
def test_other_publishers_reach_the_broker_alone_and_only_where_queues_bind_patterns(tls: bool) -> None:
    """By a label on their pods, in whatever namespace they are."""
    more = pairs(policies(tls=tls, publishers=True)) - pairs(policies(tls=tls))
    assert more == {("publishers", "broker", 5671 if tls else 5672)}


def test_a_scale_in_controller_reaches_workers_and_only_where_there_is_one() -> None:
    """It asks them for their busy slots; broker and results store it does not know."""
    more = pairs(policies(scale_in=True)) - pairs(policies())
    assert more == {("scale-in", "worker", 9464)}


@each_protocol
def test_a_load_balancer_in_front_of_the_broker_reaches_amqp_alone(tls: bool) -> None:
    """By the networks it stands in, which are known when the VPC is."""

    def program() -> None:
        cidrs = (pulumi.Output.from_input("10.0.0.0/16"),)
        FleetNamespace("fleet", FleetNamespaceArgs(fleet=FLEET, broker_tls=tls, broker_cidrs=cidrs))

    more = pairs(record(program)) - pairs(policies(tls=tls))
    assert more == {("network 10.0.0.0/16", "broker", 5671 if tls else 5672)}


@each_protocol
def test_every_connection_that_a_pod_makes_is_allowed(tls: bool) -> None:
    """Whoever adds a connection to a pod adds it to the table, or the pod hangs where policies are enforced."""
    made = connections(tls=tls)
    assert {component for component, target, _ in made if target == "broker"} == {
        "web", "worker", "beat", "delayed-delivery",
    }  # fmt: skip
    assert ("web", "results", 6379) in made
    assert made <= pairs(policies(tls=tls))


def test_what_no_policy_allows_is_refused() -> None:
    """One policy selects every pod and lets nothing in."""
    spec = policies().one("NetworkPolicy", "refuse-by-default").inputs["spec"]
    assert spec == {"podSelector": {}, "policyTypes": ["Ingress"]}


@pytest.mark.parametrize("target", [pytest.param(name, id=name) for name in ("broker", "results", "web")])
def test_policies_exist_before_the_pods_they_bound(target: str) -> None:
    """They are made with the namespace, which everything else waits for."""
    recorded = policies()
    policy = recorded.one("NetworkPolicy", target)
    assert policy.parent == recorded.one("FleetNamespace").urn
    assert recorded.one("Namespace").urn in policy.depends_on


def test_the_namespace_refuses_pods_that_could_touch_their_node() -> None:
    """The restricted standard is enforced, not only warned of."""
    labels = policies().one("Namespace").inputs["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
