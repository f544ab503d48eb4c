"""What a fleet costs in a month: each queue's share of its nodes, and what the queues share.

Invariants: worker nodes and shared lines are the total, the queues' parts are never more than the nodes they stand on; idle <= expected <= peak;
more load never costs less.
Prices are those of `fleet.prices`; what is counted and what is not stands in docs/explanation/cost.md.
"""

from collections.abc import Sequence
from typing import Literal

from fleet.cloud import Cloud
from fleet.demand import CostLine, CostPlan, Month, NodesPlan, QueueCost
from fleet.instances import INSTANCE_TYPES
from fleet.nodes import EXPECTED_LOAD_SHARE, pod_size, queue_pods
from fleet.plan import BrokerPlan, QueuePlan
from fleet.prices import CURRENCY, HOURS_A_MONTH, PRICES, PRICES_AS_OF, SPOT_DISCOUNT
from fleet.sizing import SPOT_NOTICE_SECONDS

_GIB = 2**30

FREE_IOPS = 3000
"""Of every gp3 volume."""

NAT_INSTANCE = "t4g.nano"
NAT_INSTANCE_DISK_GB = 8
"""Root volume of Amazon Linux 2023."""

_NOTHING = Month(idle=0.0, expected=0.0, peak=0.0)


def expected_tasks_a_month(queue: QueuePlan) -> float:
    """Tasks in a month at the mean load that is assumed."""
    return EXPECTED_LOAD_SHARE * queue.promise.peak_per_second * HOURS_A_MONTH * 3600


def node_month_usd(instance: str, capacity: str, cloud: Cloud) -> float:
    """One worker node all month, with its root volume."""
    discount = SPOT_DISCOUNT if capacity == "spot" else 0.0
    disk = cloud.node_disk_bytes / _GIB * PRICES["gp3"].usd_a_month
    return (PRICES[instance].usd_a_month * (1 - discount) + disk) * cloud.price_factor


def derive_cost(queues: Sequence[QueuePlan], nodes: NodesPlan, broker: BrokerPlan, cloud: Cloud | None) -> CostPlan:
    """The cost of an environment; nothing where it has no place in a cloud."""
    if cloud is None:
        return _plan(tuple(_free(queue) for queue in queues), _NOTHING, (), None)
    groups = {name: group for group in nodes.workers for name in group.queues}
    costs = tuple(
        queue_cost(queue, groups[queue.name].instance or "", cloud) if queue.name in groups else _free(queue)
        for queue in queues
    )
    return _plan(costs, workers_usd(nodes, cloud), shared_lines(nodes, broker, cloud), cloud)


def workers_usd(nodes: NodesPlan, cloud: Cloud) -> Month:
    """The bill of all worker nodes."""
    bills = [(group.nodes, node_month_usd(group.instance or "", group.capacity, cloud)) for group in nodes.workers]
    return Month(
        idle=sum(count.minimum * price for count, price in bills),
        expected=sum(count.expected * price for count, price in bills),
        peak=sum(count.peak * price for count, price in bills),
    )


def _plan(costs: tuple[QueueCost, ...], workers: Month, lines: tuple[CostLine, ...], cloud: Cloud | None) -> CostPlan:
    shared = sum(line.usd for line in lines)
    return CostPlan(
        currency=CURRENCY,
        region=cloud.region if cloud else None,
        price_factor=cloud.price_factor if cloud else 1.0,
        prices_as_of=PRICES_AS_OF,
        queues=costs,
        taken=Month(
            idle=sum(cost.month.idle for cost in costs),
            expected=sum(cost.month.expected for cost in costs),
            peak=sum(cost.month.peak for cost in costs),
        ),
        workers=workers,
        shared=lines,
        shared_usd=shared,
        total=Month(idle=shared + workers.idle, expected=shared + workers.expected, peak=shared + workers.peak),
    )


def queue_cost(queue: QueuePlan, instance: str, cloud: Cloud) -> QueueCost:
    """What a queue's pods take of the nodes they run on, by the larger of their CPU and their memory."""
    on_demand, spot = (node_month_usd(instance, capacity, cloud) for capacity in ("on-demand", "spot"))
    price = spot if queue.capacity == "spot" else on_demand
    nodes = len(queue.topology.shards) * INSTANCE_TYPES[instance].share_of(*pod_size(queue))
    pods = queue_pods(queue)
    use = _use_of_spot(queue)
    expected = pods.expected * nodes * price
    return QueueCost(
        queue=queue.name,
        capacity=queue.capacity,
        instance=instance,
        node_usd=price,
        month=Month(idle=pods.minimum * nodes * price, expected=expected, peak=pods.peak * nodes * price),
        per_thousand_tasks=expected / expected_tasks_a_month(queue) * 1000,
        spot=use,
        spot_saving=0.0 if use == "excluded" else pods.expected * nodes * (on_demand - spot),
    )


def pod_hour_usd(queue: QueuePlan, cost: QueueCost) -> float | None:
    """What one pod of a queue takes of its node in an hour; None where its nodes are not counted."""
    if cost.instance is None:
        return None
    return INSTANCE_TYPES[cost.instance].share_of(*pod_size(queue)) * cost.node_usd / HOURS_A_MONTH


def _use_of_spot(queue: QueuePlan) -> Literal["used", "possible", "excluded"]:
    if queue.capacity == "spot":
        return "used"
    return "possible" if queue.idempotent or queue.worker.hard_limit_seconds <= SPOT_NOTICE_SECONDS else "excluded"


def _free(queue: QueuePlan) -> QueueCost:
    return QueueCost(
        queue=queue.name, capacity=queue.capacity, instance=None, node_usd=0.0, month=_NOTHING, per_thousand_tasks=0.0,
        spot="excluded", spot_saving=0.0,
    )  # fmt: skip


def shared_lines(nodes: NodesPlan, broker: BrokerPlan, cloud: Cloud) -> tuple[CostLine, ...]:
    """What the environment pays for whatever its queues do."""
    usage = cloud.usage
    fixed = {group.purpose: group for group in nodes.fixed}
    nat_instances = 1 if cloud.nat == "instance" else 0
    # The load balancer has an address in each zone of the network.
    addresses = cloud.nat_gateways + nat_instances + cloud.network_zones
    root_gb = sum(group.count for group in nodes.fixed) * cloud.node_disk_bytes / _GIB
    rows: tuple[tuple[str, str, float], ...] = (
        ("eks-control-plane", "EKS control plane, standard support", 1),
        (cloud.system_instance, "system nodes", fixed["system"].count),
        (cloud.broker_instance, "broker nodes", fixed["broker"].count),
        ("gp3", "root volumes of system and broker nodes, GB", root_gb),
        ("gp3", "broker volumes, GB", broker.nodes * broker.storage_bytes / _GIB),
        ("gp3-iops", "broker volumes, IOPS above 3000", broker.nodes * (cloud.broker_iops - FREE_IOPS)),
        ("snapshot", "snapshots, GB", usage.snapshots_gb),
        (f"valkey.{cloud.results_instance}", "results store, nodes", cloud.results_nodes),
        (NAT_INSTANCE, "NAT instance", nat_instances),
        ("gp3", "its root volume, GB", nat_instances * NAT_INSTANCE_DISK_GB),
        ("nat-gateway", "NAT gateways", cloud.nat_gateways),
        ("nat-data", "through NAT gateways, GB", usage.nat_gb if cloud.nat_gateways else 0),
        ("interface-endpoint", "private endpoints, in each zone", cloud.private_endpoints),
        ("load-balancer", "load balancer of the web layer", 1),
        ("load-balancer-unit", "its capacity units", usage.load_balancer_units),
        ("public-ipv4", "public addresses of NAT and load balancer", addresses),
        ("cross-zone-data", "between zones, GB", usage.cross_zone_gb if cloud.zones > 1 else 0),
        ("logs", "logs, GB", usage.logs_gb),
        ("ecr", "images, GB", usage.registry_gb),
        ("kms-key", "encryption keys", usage.kms_keys),
        ("secret", "secrets", usage.secrets),
    )
    return tuple(_line(item, what, quantity, cloud) for item, what, quantity in rows if quantity)


def _line(item: str, what: str, quantity: float, cloud: Cloud) -> CostLine:
    each = PRICES[item].usd_a_month * cloud.price_factor
    return CostLine(item=item, what=what, quantity=quantity, each=each, usd=quantity * each)
