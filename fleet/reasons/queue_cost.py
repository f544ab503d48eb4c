"""What a queue's workers cost: what a pod takes of a node, and how many pods there are."""

from collections.abc import Iterator

from fleet.cloud import Cloud
from fleet.cost import queue_cost
from fleet.nodes import EXPECTED_LOAD_SHARE, counted, pod_size, queue_pods, worker_instance
from fleet.prices import HOURS_A_MONTH, PRICES, SPOT_DISCOUNT
from fleet.reasons.rules import Number
from fleet.reasons.sources import COST, EKS_NODES
from fleet.reasons.sources import PRICES as PRICE_TABLE
from fleet.reasons.subject import Subject
from fleet.records import Reason
from fleet.units import format_mebibytes, format_number

_NODE = Number(path="cost.node", means="USD a month for one node that the queue's pods run on")
NODE = _NODE.computed(
    "({price} x {hours} x (1 - {spot_discount}) + {disk} x {gp3}) x {factor}",
    "the instance with its root volume; spot is counted 60 % below on-demand",
    PRICE_TABLE,
)

_SHARE = Number(path="cost.share", means="Part of a node that one pod takes")
SHARE = _SHARE.computed(
    "max({cpu_request} / {of_cpu}, {memory_request} / {of_memory}, 1 / {pods})",
    "the largest of its parts, of what the kubelet and the daemons leave",
    EKS_NODES,
)

_IDLE = Number(path="cost.idle", means="USD a month with the queue at its minimum")
IDLE = _IDLE.computed("{pods} x {shards} x {share} x {node}", "pods that stay when there is nothing to do", COST)

_EXPECTED = Number(path="cost.expected", means="USD a month at the mean load")
EXPECTED = _EXPECTED.computed(
    "max({minimum}, {load} x {peak}) x {shards} x {share} x {node}",
    "the catalogue knows the peak alone; its mean is assumed to be this part of it",
    COST,
)

_PEAK = Number(path="cost.peak", means="USD a month with the queue at its peak all the time")
PEAK = _PEAK.computed("{pods} x {shards} x {share} x {node}", "what an hour at peak costs, times the month", COST)


def explain(subject: Subject) -> Iterator[Reason]:
    """A pod's share, the node's price, and the month at each level; nothing where nothing is paid for."""
    cloud = subject.environment.cloud
    if cloud is not None and counted(subject.plan):
        yield from _explain(subject, cloud)


def _explain(subject: Subject, cloud: Cloud) -> Iterator[Reason]:
    queue = subject.plan
    instance, (cpu_millicores, memory_bytes) = worker_instance(queue, cloud), pod_size(queue)
    cost, pods = queue_cost(queue, instance.name, cloud), queue_pods(queue)
    share = format_number(instance.share_of(cpu_millicores, memory_bytes))
    node = format_number(cost.node_usd)
    yield subject.reason(
        NODE,
        node,
        price=PRICES[instance.name].usd,
        hours=HOURS_A_MONTH,
        spot_discount=SPOT_DISCOUNT if queue.capacity == "spot" else 0,
        disk=cloud.node_disk_bytes / 2**30,
        gp3=PRICES["gp3"].usd,
        factor=cloud.price_factor,
    )
    yield subject.reason(
        SHARE,
        share,
        cpu_request=f"{cpu_millicores}m",
        of_cpu=f"{instance.free_cpu_millicores}m",
        memory_request=format_mebibytes(memory_bytes),
        of_memory=format_mebibytes(instance.free_memory_bytes),
        pods=instance.free_pods,
    )
    factors: dict[str, str | float] = {"shards": len(queue.topology.shards), "share": share, "node": node}
    yield subject.reason(IDLE, format_number(cost.month.idle), pods=pods.minimum, **factors)
    yield subject.reason(
        EXPECTED,
        format_number(cost.month.expected),
        minimum=pods.minimum,
        load=EXPECTED_LOAD_SHARE,
        peak=pods.peak,
        **factors,
    )
    yield subject.reason(PEAK, format_number(cost.month.peak), pods=pods.peak, **factors)
