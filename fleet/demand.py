"""What a whole fleet asks of its surroundings, as records of the Plan: nodes, the broker, money.

Records alone: the arithmetic is in `fleet.nodes`, `fleet.broker_sizing` and `fleet.cost`, which a worker that reads its document never imports.
"""

from typing import Literal

from fleet.records import Record


class Levels(Record, frozen=True, kw_only=True):
    """One quantity at four levels of load, each at least the one before."""

    minimum: float
    """Nothing to do: every queue at its minimum of pods."""
    expected: float
    """The mean of a month."""
    peak: float
    """Every queue at its declared peak at once."""
    maximum: float
    """Every autoscaler at its maximum."""


class NodeGroup(Record, frozen=True, kw_only=True):
    """Nodes of one type and capacity that workers run on."""

    capacity: Literal["on-demand", "spot"]
    instance: str | None
    """None for the node of a cluster that is not counted here."""
    queues: tuple[str, ...]
    cpu_millicores_free: int | None
    """Of each node, daemons taken off; None where it is not known."""
    memory_bytes_free: int
    pods_free: int | None
    pods: Levels
    cpu_millicores: Levels
    """Requests of all pods."""
    memory_bytes: Levels
    nodes: Levels
    zones: tuple[Levels, ...]
    """Nodes in each zone."""


class FixedNodes(Record, frozen=True, kw_only=True):
    """Nodes whose number no load changes."""

    purpose: Literal["system", "broker"]
    instance: str
    zones: tuple[int, ...]
    """Nodes in each zone."""

    @property
    def count(self) -> int:
        """In all zones together."""
        return sum(self.zones)


class NodesPlan(Record, frozen=True, kw_only=True):
    """The nodes of one environment."""

    workers: tuple[NodeGroup, ...]
    fixed: tuple[FixedNodes, ...]
    elsewhere: tuple[str, ...] = ()
    """Queues whose pods need nodes that are not counted here: they ask for GPUs."""


class BrokerDemand(Record, frozen=True, kw_only=True):
    """What the load asks of the broker, of each RabbitMQ node where it says so."""

    connections: int
    """With every queue at its maximum of pods."""
    connections_capacity: int
    channels: int
    queues: int
    """Quorum queues in the vhost, the delayed-delivery tree and dead letters included."""
    backlog_messages: int
    """What an outage of all workers leaves at peak load."""
    memory_bytes: int
    """Needed by each node."""
    disk_bytes: int
    """Needed by each node."""
    messages_per_second: float
    """Published at peak, all queues together."""
    busiest_queue_per_second: float
    """Published at peak or in a burst to the busiest broker queue."""
    management_requests_per_second: float
    """KEDA's and the HPA's reads of queue lengths."""


class Month(Record, frozen=True, kw_only=True):
    """USD for a month."""

    idle: float
    """Every queue at its minimum all month."""
    expected: float
    """At the mean load that is assumed."""
    peak: float
    """At peak load all month."""


class QueueCost(Record, frozen=True, kw_only=True):
    """What one queue's workers cost: its share of the nodes that they run on."""

    queue: str
    capacity: Literal["on-demand", "spot"]
    instance: str | None
    """None where the nodes are not counted."""
    node_usd: float
    """One such node all month."""
    month: Month
    per_thousand_tasks: float
    """USD, in the expected month."""
    spot: Literal["used", "possible", "excluded"]
    """`possible`: tasks may run twice or are done within the notice of a spot node, but the catalogue asks for on-demand."""
    spot_saving: float
    """USD in the expected month: what spot saves, or would save."""


class CostLine(Record, frozen=True, kw_only=True):
    """One thing that the queues share."""

    item: str
    """Key of the price table."""
    what: str
    """In words."""
    quantity: float
    each: float
    """USD a month for one, in the region."""
    usd: float


class CostPlan(Record, frozen=True, kw_only=True):
    """What one environment costs in a month."""

    currency: str
    region: str | None
    """None where nothing is paid for."""
    price_factor: float
    prices_as_of: str
    queues: tuple[QueueCost, ...]
    taken: Month
    """The queues' parts together."""
    workers: Month
    """All worker nodes: what the queues take, and what stays empty."""
    shared: tuple[CostLine, ...]
    shared_usd: float
    total: Month


class PromiseCost(Record, frozen=True, kw_only=True):
    """What a queue costs under another promise."""

    queue: str
    wait_seconds: float
    """The promise that is stated."""
    half: Month
    """With a wait half as long."""
    stated: Month
    twice: Month
    """With a wait twice as long."""


class CostAnswer(Record, frozen=True, kw_only=True):
    """All that `fleet cost` says."""

    environment: str
    cost: CostPlan
    promises: tuple[PromiseCost, ...]
