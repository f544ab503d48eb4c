"""What an environment runs on in AWS: region, zones, the instances of each kind of node, and what is used beside them.

The values stand in `Pulumi.<environment>.yaml` under `celery-fleet:environment`, key `cloud`; what is not stated there comes from the table below.
The network, the cluster and the node groups are built from the same record that the cost is counted from.
"""

from typing import Literal

from fleet.prices import BASE_REGION
from fleet.records import Record

Nat = Literal["none", "instance", "single", "per_zone"]
"""How nodes reach what is outside the network: AWS's own services alone, by private endpoints; the internet by an instance of one's own, by one
gateway, or by one in each zone."""

PRIVATE_SERVICES = (
    "autoscaling",
    "ec2",
    "ecr.api",
    "ecr.dkr",
    "eks",
    "eks-auth",
    "elasticloadbalancing",
    "kms",
    "logs",
    "sqs",
    "ssm",
    "sts",
)
"""What nodes, the CNI and the controllers ask of AWS: each has an endpoint in every zone where there is no NAT."""

NETWORK_ZONES_MIN = 2
"""Zones of a network: the control plane takes subnets in two at least, and so does an Application Load Balancer (EKS user guide, "VPC and subnet
requirements"; Elastic Load Balancing user guide, "Subnets for your load balancer")."""

_GIB = 2**30


class Usage(Record, frozen=True, kw_only=True):
    """What is used in a month and depends on traffic, not on the catalogue: assumptions, stated to be corrected by the first bill."""

    load_balancer_units: float
    """Mean load balancer capacity units."""
    nat_gb: float
    """Through the NAT gateways: images, calls to services outside."""
    cross_zone_gb: float
    """Between zones: every message is replicated to two others."""
    logs_gb: float
    snapshots_gb: float
    registry_gb: float
    kms_keys: int
    secrets: int


class Cloud(Record, frozen=True, kw_only=True):
    """One environment's place in AWS, whole."""

    region: str
    price_factor: float
    """On every price of us-east-1."""
    zones: int
    """Availability zones that nodes and brokers are spread over; the network has two at least."""
    system_instance: str
    system_nodes: int
    """Nodes of what every cluster needs: DNS, operators, KEDA, Karpenter, the web layer."""
    broker_instance: str
    """Each RabbitMQ node has a node of its own."""
    worker_instances: tuple[str, ...]
    """Types that workers may run on: of the smallest that hold a pod, the one on which it costs least."""
    node_disk_bytes: int
    """Root volume of each node."""
    broker_iops: int
    """Of each broker's volume; 3000 are free."""
    nat: Nat
    """A gateway in each zone is for the loss of a zone: by traffic alone it pays only above 5.5 TB a month."""
    results_instance: str
    """ElastiCache node type, without `cache.`."""
    results_nodes: int
    usage: Usage

    @property
    def network_zones(self) -> int:
        """Zones of the network, also where nodes stand in one alone."""
        return max(NETWORK_ZONES_MIN, self.zones)

    @property
    def nat_gateways(self) -> int:
        """NAT gateways, each with a public address."""
        return {"none": 0, "instance": 0, "single": 1, "per_zone": self.network_zones}[self.nat]

    @property
    def private_endpoints(self) -> int:
        """Interfaces of private endpoints, over all zones."""
        return len(PRIVATE_SERVICES) * self.network_zones if self.nat == "none" else 0


_WORKER_INSTANCES = ("c7g.xlarge", "m7g.xlarge", "r7g.xlarge", "c7g.2xlarge", "c7g.4xlarge")
"""Four cores with 8, 16 and 32 GiB: enough for several pods, and little for an idle fleet. Larger ones for pods of more slots than cores."""

CLOUDS: dict[str, Cloud] = {
    "dev": Cloud(
        region=BASE_REGION, price_factor=1.0, zones=1, system_instance="t4g.large", system_nodes=1, broker_instance="t4g.large",
        worker_instances=_WORKER_INSTANCES, node_disk_bytes=30 * _GIB, broker_iops=3000, nat="single",
        results_instance="t4g.micro", results_nodes=1,
        usage=Usage(
            load_balancer_units=0.2, nat_gb=20, cross_zone_gb=30, logs_gb=8, snapshots_gb=0, registry_gb=10, kms_keys=1, secrets=2
        ),
    ),
    "staging": Cloud(
        region=BASE_REGION, price_factor=1.0, zones=3, system_instance="m7g.large", system_nodes=2, broker_instance="m7g.large",
        worker_instances=_WORKER_INSTANCES, node_disk_bytes=50 * _GIB, broker_iops=3000, nat="single",
        results_instance="t4g.small", results_nodes=2,
        usage=Usage(
            load_balancer_units=0.2, nat_gb=100, cross_zone_gb=200, logs_gb=20, snapshots_gb=20, registry_gb=20, kms_keys=1, secrets=2
        ),
    ),
    "prod": Cloud(
        region=BASE_REGION, price_factor=1.0, zones=3, system_instance="m7g.large", system_nodes=3, broker_instance="r7g.xlarge",
        worker_instances=_WORKER_INSTANCES, node_disk_bytes=50 * _GIB, broker_iops=4000, nat="per_zone",
        results_instance="m7g.large", results_nodes=2,
        usage=Usage(
            load_balancer_units=2, nat_gb=1000, cross_zone_gb=2000, logs_gb=150, snapshots_gb=300, registry_gb=50, kms_keys=3, secrets=10
        ),
    ),
}  # fmt: skip
"""Environment -> its place; another name starts from `dev`, and `local` has none."""


def default_cloud(name: str) -> Cloud | None:
    """The place of an environment that states nothing; None for `local`."""
    return None if name == "local" else CLOUDS.get(name, CLOUDS["dev"])
