"""Everything derived from a catalogue for one environment, frozen.

One object feeds the workers, the infrastructure and the command line, so the concurrency in a worker and in its autoscaler cannot differ,
and a queue cannot exist without a worker.
"""

import math
from typing import Literal

from fleet.demand import BrokerDemand, CostPlan, NodesPlan
from fleet.errors import Finding
from fleet.probes import ProbePlan
from fleet.records import Reason, Record
from fleet.scale_in import ScaleInPlan
from fleet.scaling import AutoscalingPlan
from fleet.sizing import Resources, WorkerPlan
from fleet.topology import FleetTopology, QueueTopology
from fleet.web import WebPlan

WAL_MAX_BYTES = 512 * 2**20
"""RabbitMQ's default size of a quorum queue's write-ahead log (RabbitMQ 4.3 docs, Quorum Queues, "Resource Use")."""

DISK_RESERVE_SHARE = 0.25
"""Share of a broker's volume that stays free at most."""


class Promise(Record, frozen=True, kw_only=True):
    """What the user knows about a queue and promises for it, after the environment's load factor."""

    mean_seconds: float
    p99_seconds: float
    limit_seconds: float
    peak_per_second: float
    """Arrivals a second at peak on the whole queue, all shards together."""
    burst_per_second: float
    """Arrivals a second in the worst burst that is planned for, all shards together."""
    burst_seconds: float
    """How long it lasts."""
    wait_seconds: float
    """Promised wait between enqueue and start."""
    percentile: float
    """Share of tasks, in percent, for which the wait is promised."""


class SecretKey(Record, frozen=True, kw_only=True):
    """One key of a Secret that exists in the fleet's namespace."""

    secret: str
    key: str


class Volume(Record, frozen=True, kw_only=True):
    """A volume mounted into the workers of a queue."""

    name: str
    mount_path: str
    read_only: bool = True
    secret: str | None = None
    config_map: str | None = None
    claim: str | None = None
    empty_dir_bytes: int | None = None


class Toleration(Record, frozen=True, kw_only=True):
    """A Kubernetes toleration, as Kubernetes spells it."""

    key: str | None = None
    operator: Literal["Equal", "Exists"] = "Equal"
    value: str | None = None
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None


class PodExtras(Record, frozen=True, kw_only=True):
    """What a queue's pods carry beside the derived: passed through as the user wrote it."""

    env: dict[str, str] = {}
    secrets: dict[str, SecretKey] = {}
    """Environment variable -> key of a Secret."""
    volumes: tuple[Volume, ...] = ()
    node_selector: dict[str, str] = {}
    tolerations: tuple[Toleration, ...] = ()
    gpu: int = 0
    """`nvidia.com/gpu` a pod."""


class Downstream(Record, frozen=True, kw_only=True):
    """What a queue's tasks use and that takes only so many at once."""

    name: str
    limit: int
    """Tasks at once, of all queues that name it."""


class QueuePlan(Record, frozen=True, kw_only=True):
    """One queue, whole: what the broker, the workers, their pods and their autoscaler get."""

    name: str
    """Queue name, a DNS label."""
    tasks: tuple[str, ...]
    """Task names or glob patterns routed to this queue."""
    profile: Literal["io", "cpu"]
    capacity: Literal["on-demand", "spot"]
    idempotent: bool
    promise: Promise
    topology: QueueTopology
    worker: WorkerPlan
    resources: Resources
    probes: ProbePlan
    autoscaling: AutoscalingPlan
    """Of each shard's Deployment: the shards share the load evenly."""
    pod: PodExtras = PodExtras()
    priorities: dict[str, int] = {}
    """Task name or pattern -> message priority, where it is not the default."""
    downstream: Downstream | None = None
    aws_policies: tuple[str, ...] = ()
    """IAM policies of the tasks, by name in the environment's account or by ARN; none means no role."""


class BrokerPlan(Record, frozen=True, kw_only=True):
    """The size of the RabbitMQ cluster."""

    nodes: int
    cpu_millicores: int
    memory_bytes: int
    """Request and limit of each node."""
    storage_bytes: int

    @property
    def wal_max_bytes(self) -> int:
        """Size of a quorum queue's write-ahead log before it is rolled: RabbitMQ wants three to four times as much memory free.

        An eighth of the memory, `WAL_MAX_BYTES` at most.
        """
        return min(WAL_MAX_BYTES, self.memory_bytes // 8)

    @property
    def disk_free_bytes(self) -> int:
        """Free disk below which publishers are blocked: as much as the memory, `DISK_RESERVE_SHARE` of a small volume at most.

        A write-ahead log that fills the disk stops the node (RabbitMQ docs, Production Checklist, "Disk Space").
        """
        return min(self.memory_bytes, math.floor(self.storage_bytes * DISK_RESERVE_SHARE))


class Plan(Record, frozen=True, kw_only=True):
    """A fleet in one environment."""

    fleet: str
    """Name of the fleet: its namespace and vhost."""
    environment: str
    application: str
    """The Celery application as `module:attribute`."""
    topology: FleetTopology
    broker: BrokerPlan
    web: WebPlan
    queues: tuple[QueuePlan, ...]
    nodes: NodesPlan
    demand: BrokerDemand
    cost: CostPlan
    scale_in: ScaleInPlan = ScaleInPlan()
    reasons: tuple[Reason, ...] = ()
    """Why each number is what it is (`fleet.reasons`); empty where nobody asked."""
    notes: tuple[Finding, ...] = ()
    """What works, but not as one may expect; each at its place in the catalogue."""

    @property
    def counted_queues(self) -> tuple[str, ...]:
        """The broker queues whose messages people may want counted: what workers consume, dead letters, and what nothing routes."""
        of_queues = [
            name for queue in self.queues for name in (*queue.topology.shards, queue.topology.dead_letter_queue)
        ]
        return (*of_queues, self.topology.unrouted)
