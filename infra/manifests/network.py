"""Who may talk to whom in a fleet's namespace, as one table.

Invariant: what is not in `rules` is refused on its way in. Ways out are open: tasks call the services of their users, which the fleet does not
know. Ports: RabbitMQ 4.3 docs, "Networking"; of a broker that speaks TLS its TLS ports alone.
"""

from dataclasses import dataclass

import pulumi

from fleet.metrics import METRICS_PORT
from infra.manifests.metadata import Component, Manifest, metadata, selector
from infra.manifests.pods import RESULTS_PORT
from infra.manifests.tls import broker_ports
from infra.manifests.web import CONTAINER_PORT

BETWEEN_BROKER_NODES_PORTS = (4369, 25672)

NAMESPACE_LABEL = "kubernetes.io/metadata.name"
COMPONENT_LABEL = "app.kubernetes.io/component"
PUBLISHER_LABEL = "celery-fleet/publishes-to"
"""On the pods, in any namespace, of publishers that are not Celery; its value is the fleet's name."""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """Peers that may reach some ports of some pods."""

    target: str
    """Name label of the pods that are reached."""
    by_component: bool = False
    """Whether the target is a component, whose pods have names of their own."""
    ports: tuple[int, ...]
    components: tuple[Component, ...] = ()
    """Components of the fleet that may; their pods carry the label."""
    namespaces: tuple[str, ...] = ()
    """Namespaces whose pods may."""
    itself: bool = False
    """Whether the target's own pods may."""
    publishers: bool = False
    """Whether pods with the fleet's publisher label may, whatever their namespace."""
    cidrs: tuple[pulumi.Input[str], ...] = ()
    """Networks that may: of load balancers, which are no pods."""
    anyone: bool = False
    """Whether everything may that reaches the cluster's network, load balancers included."""


def rules(
    *,
    broker_tls: bool = False,
    publishers: bool = False,
    broker_cidrs: tuple[pulumi.Input[str], ...] = (),
    scale_in: bool = False,
) -> tuple[Rule, ...]:
    """The table.

    `publishers`: some queue binds patterns on the ingress exchange. `broker_cidrs`: networks of a load balancer in front of the broker.
    `scale_in`: there is a controller that asks workers for their busy slots.
    """
    broker = broker_ports(tls=broker_tls)
    found = [
        Rule(target="broker", ports=(broker.amqp,), components=("web", "worker", "beat", "delayed-delivery")),
        Rule(target="broker", ports=(broker.management,), namespaces=("keda", "rabbitmq-system")),
        Rule(target="broker", ports=(broker.prometheus,), namespaces=("monitoring",)),
        Rule(target="broker", ports=BETWEEN_BROKER_NODES_PORTS, itself=True),
        Rule(target="worker", by_component=True, ports=(METRICS_PORT,), namespaces=("monitoring",)),
        Rule(target="results", ports=(RESULTS_PORT,), components=("web", "worker", "beat")),
        Rule(target="web", ports=(CONTAINER_PORT,), anyone=True),
    ]
    if publishers:
        found.append(Rule(target="broker", ports=(broker.amqp,), publishers=True))
    if broker_cidrs:
        found.append(Rule(target="broker", ports=(broker.amqp,), cidrs=broker_cidrs))
    if scale_in:
        found.append(Rule(target="worker", by_component=True, ports=(METRICS_PORT,), components=("scale-in",)))
    return tuple(found)


def _peers(rule: Rule, fleet: str) -> list[Manifest]:
    peers: list[Manifest] = [
        {"podSelector": {"matchLabels": {"app.kubernetes.io/part-of": fleet, COMPONENT_LABEL: component}}}
        for component in rule.components
    ]
    peers += [{"namespaceSelector": {"matchLabels": {NAMESPACE_LABEL: name}}} for name in rule.namespaces]
    peers += [{"ipBlock": {"cidr": cidr}} for cidr in rule.cidrs]
    if rule.publishers:
        peers.append({"namespaceSelector": {}, "podSelector": {"matchLabels": {PUBLISHER_LABEL: fleet}}})
    if rule.itself:
        peers.append({"podSelector": {"matchLabels": selector(rule.target)}})
    return peers


def _ingress(rule: Rule, fleet: str) -> Manifest:
    found: Manifest = {"ports": [{"protocol": "TCP", "port": port} for port in rule.ports]}
    # Without `from` everyone may.
    return found if rule.anyone else {"from": _peers(rule, fleet), **found}


def _policy(fleet: str, name: str, spec: Manifest) -> Manifest:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata(fleet, name, "fleet"),
        "spec": {**spec, "policyTypes": ["Ingress"]},
    }


def network_policies(fleet: str, table: tuple[Rule, ...]) -> dict[str, Manifest]:
    """Name -> policy: one that refuses everything, and one for each workload that may be reached."""
    found = {"refuse-by-default": _policy(fleet, "refuse-by-default", {"podSelector": {}})}
    for target, by_component in dict.fromkeys((rule.target, rule.by_component) for rule in table):
        ingress = [_ingress(rule, fleet) for rule in table if rule.target == target]
        pods = {COMPONENT_LABEL: target} if by_component else selector(target)
        found[target] = _policy(fleet, target, {"podSelector": {"matchLabels": pods}, "ingress": ingress})
    return found
