"""How a VPC is divided: a public, a private and an intra subnet in every zone.

Invariant: subnets never overlap, and those of a zone stay where they are when a zone is added, because every kind has room for `ZONES_MAX` of them
from the start; a subnet that moved would take the nodes in it along.

    sixteenths of the VPC   0 to 7           8              9             10 to 15
    10.0.0.0/16             private: /20     public: /24    intra: /28    free

Sources: VPC user guide, "VPC CIDR blocks" and "Subnet CIDR blocks" (five addresses of each are AWS's own); EKS user guide, "VPC and subnet
requirements" (two zones, six addresses in each for the control plane); Elastic Load Balancing user guide, "Subnets for your load balancer" (/27
at least); EKS best practices, "Prefix mode for Linux" (nodes take addresses by sixteens, and keep sixteen in reserve).
"""

from dataclasses import dataclass
from ipaddress import IPv4Network

from fleet.errors import FleetError

ZONES_MIN = 2
ZONES_MAX = 6
"""No region has more zones that EKS may use."""

VPC_PREFIXES = range(16, 21)
"""A VPC is a /16 at most; below a /20 a zone has fewer than 250 addresses."""

PRIVATE_PREFIX_DIFFERENCE = 4
"""A private subnet is a sixteenth of the VPC."""

PUBLIC_PREFIX_MAX = 27
INTRA_PREFIX = 28

RESERVED_ADDRESSES = 5
"""Of every subnet: network, router, DNS, one kept by AWS, broadcast."""

ADDRESSES_A_POD = 4
"""A node with eight pods holds two prefixes of sixteen: one in use, one in reserve."""

PRIVATE_NETWORKS = tuple(
    IPv4Network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")
)
"""RFC 1918, and the shared address space of RFC 6598, which AWS routes the same way."""

CIDR_KEY = "celery-fleet:aws.network.cidr"
ZONES_KEY = "celery-fleet:environment.cloud.zones"

PUBLIC_TAGS = {"kubernetes.io/role/elb": "1"}
"""Where the AWS Load Balancer Controller puts load balancers that face the internet."""


def private_tags(cluster: str) -> dict[str, str]:
    """Where the controller puts internal load balancers, and Karpenter the nodes of this cluster."""
    return {"kubernetes.io/role/internal-elb": "1", "karpenter.sh/discovery": cluster}


@dataclass(frozen=True, kw_only=True)
class SubnetPlan:
    """A VPC and its subnets; each tuple has one for each zone, in the same order."""

    vpc: IPv4Network
    public: tuple[IPv4Network, ...]
    """Load balancers and NAT."""
    private: tuple[IPv4Network, ...]
    """Nodes and pods."""
    intra: tuple[IPv4Network, ...]
    """The control plane's interfaces; no way out."""

    @property
    def pods_max(self) -> int:
        """Pods that find an address, over all zones."""
        return _pods_max(self.vpc.prefixlen, len(self.private))


def _pods_max(prefix: int, zones: int) -> int:
    addresses = (1 << 32 - prefix - PRIVATE_PREFIX_DIFFERENCE) - RESERVED_ADDRESSES
    return zones * addresses // ADDRESSES_A_POD


def plan_subnets(cidr: str, zones: int, *, pods: int = 0) -> SubnetPlan:
    """Divides a VPC for a number of zones.

    `pods` is how many may run at a time; 0 asks for no room.
    Raises: FleetError when the network cannot be a VPC, or is too small for the pods.
    """
    if not ZONES_MIN <= zones <= ZONES_MAX:
        raise FleetError(
            ZONES_KEY,
            f"makes a network in {zones} zone(s)",
            f"EKS takes subnets in {ZONES_MIN} zones at least, and no region has more than {ZONES_MAX}: write a number between.",
        )
    vpc = _vpc(cidr)
    if pods > _pods_max(vpc.prefixlen, zones):
        raise FleetError(
            CIDR_KEY,
            f"is {cidr}, with addresses for {_pods_max(vpc.prefixlen, zones)} pods in {zones} zones, and up to {pods} may run",
            _wider(vpc, zones, pods),
        )
    sixteenths = list(vpc.subnets(prefixlen_diff=PRIVATE_PREFIX_DIFFERENCE))
    public = sixteenths[8].subnets(new_prefix=min(vpc.prefixlen + 8, PUBLIC_PREFIX_MAX))
    intra = sixteenths[9].subnets(new_prefix=INTRA_PREFIX)
    return SubnetPlan(
        vpc=vpc,
        private=tuple(sixteenths[:zones]),
        public=tuple(network for network, _ in zip(public, range(zones), strict=False)),
        intra=tuple(network for network, _ in zip(intra, range(zones), strict=False)),
    )


def _vpc(cidr: str) -> IPv4Network:
    try:
        vpc = IPv4Network(cidr, strict=False)
    except ValueError:
        raise FleetError(CIDR_KEY, f"is {cidr!r}, no IPv4 network", "Write one such as 10.0.0.0/16.") from None
    if "/" not in cidr:
        raise FleetError(CIDR_KEY, f"is {cidr!r}, an address without a length", f"Write a network such as {cidr}/16.")
    if str(vpc) != cidr:
        raise FleetError(CIDR_KEY, f"is {cidr!r}, which names an address in {vpc}", f"Write {vpc}.")
    if vpc.prefixlen not in VPC_PREFIXES:
        raise FleetError(
            CIDR_KEY,
            f"is {cidr}, a /{vpc.prefixlen}",
            f"A VPC is a /{VPC_PREFIXES[0]} at most, and nodes in several zones need a /{VPC_PREFIXES[-1]} at least: write one such as 10.0.0.0/16.",
        )
    if not any(vpc.subnet_of(private) for private in PRIVATE_NETWORKS):
        raise FleetError(
            CIDR_KEY,
            f"is {cidr}, addresses of the public internet",
            "Hosts there could no longer be reached: write a network in 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16 or 100.64.0.0/10.",
        )
    return vpc


def _wider(vpc: IPv4Network, zones: int, pods: int) -> str:
    for prefix in reversed(VPC_PREFIXES):
        if _pods_max(prefix, zones) >= pods:
            return f"Pods would stay pending for want of an address: write {vpc.supernet(new_prefix=prefix)}."
    most = _pods_max(VPC_PREFIXES[0], zones)
    return (
        f"The widest VPC, a /{VPC_PREFIXES[0]}, has addresses for {most}: lower the queues' maxima, or run two fleets."
    )
