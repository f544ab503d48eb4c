"""The VPC of a stack, or one that is there already.

Invariant: nodes and pods have no public address, and what is not asked for is closed: the default security group has no rule. The number of zones
decides what is made and no zone's name does, so a preview needs no account. The VPC's default network ACL and main route table are left alone;
no subnet uses the latter. Sources: EKS user guide, "VPC and subnet requirements" (DNS names on, zones without EKS); VPC user guide, "Default
security groups for your VPCs".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from ipaddress import IPv4Network

import pulumi
import pulumi_aws as aws

from fleet.cloud import Nat
from fleet.errors import FleetError
from infra.aws.endpoints import create_private_endpoints, create_s3_endpoint
from infra.aws.flow_logs import create_flow_logs
from infra.aws.nat import WayOut, nat_gateway, nat_instance
from infra.aws.place import Place
from infra.aws.subnets import PUBLIC_TAGS, ZONES_KEY, plan_subnets, private_tags

EXCLUDED_ZONE_IDS = ("use1-az3", "usw1-az2", "cac1-az3")
"""Of three regions: EKS makes no control plane there."""

ANYWHERE = "0.0.0.0/0"


@dataclass(frozen=True, kw_only=True)
class ExistingNetwork:
    """A VPC that is there already, with DNS names and DNS resolution on; its subnets are listed in the order of their zones.

    Its owner tags them: public ones `kubernetes.io/role/elb`, private ones `kubernetes.io/role/internal-elb` (both `1`) and
    `karpenter.sh/discovery` (the cluster's name).
    """

    vpc_id: str
    cidr: str
    private_subnet_ids: tuple[str, ...]
    public_subnet_ids: tuple[str, ...] = ()
    intra_subnet_ids: tuple[str, ...] = ()
    """Where the control plane's interfaces stand; without any, the private ones."""


@dataclass(frozen=True, kw_only=True)
class NetworkArgs:
    """What the network is for."""

    place: Place
    zones: int
    cidr: str = "10.0.0.0/16"
    nat: Nat = "single"
    pods: int = 0
    """Pods that may run at a time, over all zones; the private subnets have to hold them. 0 asks for no room."""
    flow_logs: bool = False
    log_retention_days: int = 30
    """Of the flow logs."""
    existing: ExistingNetwork | None = None
    """Given, nothing is made and nothing of it is changed."""


class Network(pulumi.ComponentResource):
    """What cluster, nodes and load balancers stand in; each list of subnets has one for each zone, in the same order.

    Whatever starts nodes depends on the whole component: without its routes they cannot join, and without them they cannot leave.
    """

    vpc_id: pulumi.Output[str]
    cidr: str
    public_subnet_ids: list[pulumi.Output[str]]
    private_subnet_ids: list[pulumi.Output[str]]
    intra_subnet_ids: list[pulumi.Output[str]]

    def __init__(self, name: str, args: NetworkArgs, *, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("celery-fleet:aws:Network", name, None, opts)
        if args.existing is None:
            self._build(name, args)
        else:
            self._take(args.existing, args.zones)
        self.register_outputs(
            {
                "vpc_id": self.vpc_id,
                "cidr": self.cidr,
                "public_subnet_ids": self.public_subnet_ids,
                "private_subnet_ids": self.private_subnet_ids,
                "intra_subnet_ids": self.intra_subnet_ids,
            }
        )

    def _take(self, network: ExistingNetwork, zones: int) -> None:
        check_existing(network, zones)
        self.vpc_id, self.cidr = pulumi.Output.from_input(network.vpc_id), network.cidr
        self.public_subnet_ids = [pulumi.Output.from_input(subnet) for subnet in network.public_subnet_ids]
        self.private_subnet_ids = [pulumi.Output.from_input(subnet) for subnet in network.private_subnet_ids]
        intra = network.intra_subnet_ids or network.private_subnet_ids
        self.intra_subnet_ids = [pulumi.Output.from_input(subnet) for subnet in intra]

    def _build(self, name: str, args: NetworkArgs) -> None:
        place, child = args.place, pulumi.ResourceOptions(parent=self)
        plan = plan_subnets(args.cidr, args.zones, pods=args.pods)
        vpc = aws.ec2.Vpc(
            f"{name}-vpc",
            cidr_block=args.cidr,
            enable_dns_hostnames=True,
            enable_dns_support=True,
            tags=place.tagged(place.name),
            opts=pulumi.ResourceOptions(parent=self, protect=place.protect),
        )
        aws.ec2.DefaultSecurityGroup(
            f"{name}-default-security-group",
            vpc_id=vpc.id,
            ingress=[],
            egress=[],
            tags=place.tagged(f"{place.name}-default"),
            opts=child,
        )
        public = self._subnets(name, "public", place, vpc, networks=plan.public, tags=PUBLIC_TAGS)
        private = self._subnets(name, "private", place, vpc, networks=plan.private, tags=private_tags(place.name))
        intra = self._subnets(name, "intra", place, vpc, networks=plan.intra, tags={})

        internet = aws.ec2.InternetGateway(f"{name}-internet", vpc_id=vpc.id, tags=place.tagged(place.name), opts=child)
        public_table = self._table(name, "public", place, vpc, public)
        route = aws.ec2.Route(
            f"{name}-public-default",
            route_table_id=public_table.id,
            destination_cidr_block=ANYWHERE,
            gateway_id=internet.id,
            opts=child,
        )
        ways_out = self._ways_out(name, args, vpc, public, after=[internet, route])
        # A table for each zone also where all lead the same way: another kind of NAT then changes routes and nothing else.
        private_tables = [
            self._table(name, f"private-{index}", place, vpc, [subnet]) for index, subnet in enumerate(private)
        ]
        for index, (table, way) in enumerate(zip(private_tables, ways_out, strict=False)):
            aws.ec2.Route(
                f"{name}-private-{index}-default",
                route_table_id=table.id,
                destination_cidr_block=ANYWHERE,
                nat_gateway_id=way.gateway_id,
                network_interface_id=way.interface_id,
                opts=child,
            )
        intra_table = self._table(name, "intra", place, vpc, intra)
        create_s3_endpoint(f"{name}-s3", place, vpc.id, [*private_tables, intra_table], parent=self)
        if args.nat == "none":
            create_private_endpoints(f"{name}-endpoint", place, vpc.id, args.cidr, private, parent=self)
        if args.flow_logs:
            create_flow_logs(f"{name}-flow-logs", place, vpc.id, retention_days=args.log_retention_days, parent=self)
        self.vpc_id, self.cidr = vpc.id, args.cidr
        self.public_subnet_ids = [subnet.id for subnet in public]
        self.private_subnet_ids = [subnet.id for subnet in private]
        self.intra_subnet_ids = [subnet.id for subnet in intra]

    def _subnets(
        self,
        name: str,
        kind: str,
        place: Place,
        vpc: aws.ec2.Vpc,
        *,
        networks: Sequence[IPv4Network],
        tags: Mapping[str, str],
    ) -> list[aws.ec2.Subnet]:
        zones = aws.get_availability_zones_output(
            state="available",
            exclude_zone_ids=list(EXCLUDED_ZONE_IDS),
            filters=[aws.GetAvailabilityZonesFilterArgs(name="opt-in-status", values=["opt-in-not-required"])],
            opts=pulumi.InvokeOutputOptions(parent=self),
        )
        return [
            aws.ec2.Subnet(
                f"{name}-{kind}-{index}",
                vpc_id=vpc.id,
                cidr_block=str(network),
                availability_zone=zones.names.apply(partial(_zone, index=index, region=place.region)),
                map_public_ip_on_launch=False,
                tags=place.tagged(f"{place.name}-{kind}-{index}", **tags),
                # The list of zones changes when AWS opens one; a subnet stays in the zone that it was made in.
                opts=pulumi.ResourceOptions(parent=self, ignore_changes=["availabilityZone"]),
            )
            for index, network in enumerate(networks)
        ]

    def _table(
        self, name: str, kind: str, place: Place, vpc: aws.ec2.Vpc, subnets: Sequence[aws.ec2.Subnet]
    ) -> aws.ec2.RouteTable:
        child = pulumi.ResourceOptions(parent=self)
        table = aws.ec2.RouteTable(
            f"{name}-{kind}-routes", vpc_id=vpc.id, tags=place.tagged(f"{place.name}-{kind}"), opts=child
        )
        for index, subnet in enumerate(subnets):
            aws.ec2.RouteTableAssociation(
                f"{name}-{kind}-routes-{index}", route_table_id=table.id, subnet_id=subnet.id, opts=child
            )
        return table

    def _ways_out(
        self,
        name: str,
        args: NetworkArgs,
        vpc: aws.ec2.Vpc,
        public: Sequence[aws.ec2.Subnet],
        *,
        after: list[pulumi.Resource],
    ) -> list[WayOut]:
        """For each zone what leads out of it; empty without NAT."""
        match args.nat:
            case "none":
                return []
            case "instance":
                way = nat_instance(f"{name}-nat", args.place, vpc.id, public[0].id, args.cidr, parent=self, after=after)
                return [way] * args.zones
            case "single":
                return [nat_gateway(f"{name}-nat-0", args.place, public[0].id, parent=self, after=after)] * args.zones
            case "per_zone":
                return [
                    nat_gateway(f"{name}-nat-{index}", args.place, subnet.id, parent=self, after=after)
                    for index, subnet in enumerate(public)
                ]


def zone_name(names: Sequence[str], *, index: int, region: str) -> str:
    """The zone of the subnets with this index.

    Raises: FleetError where the region has not that many zones that EKS takes.
    """
    if index >= len(names):
        raise FleetError(
            ZONES_KEY,
            f"asks for more zones than {region} has for EKS ({', '.join(names)})",
            f"Write {len(names)}, or choose another region.",
        )
    return names[index]


def _zone(names: Sequence[str], *, index: int, region: str) -> str:
    """The same inside `apply`, where an error meets Pulumi and not the program: this one it shows without a traceback."""
    try:
        return zone_name(names, index=index, region=region)
    except FleetError as error:
        raise pulumi.RunError(str(error)) from None


def check_existing(network: ExistingNetwork, zones: int) -> None:
    """Every kind of subnet that there is has to have one for each zone.

    Raises: FleetError otherwise.
    """
    for key, ids in (
        ("privateSubnetIds", network.private_subnet_ids),
        ("publicSubnetIds", network.public_subnet_ids),
        ("intraSubnetIds", network.intra_subnet_ids),
    ):
        if len(ids) != zones and (ids or key == "privateSubnetIds"):
            raise FleetError(
                f"celery-fleet:aws.network.existing.{key}",
                f"names {len(ids)} subnet(s), for {zones} zones",
                "Name one subnet for each zone, in the same order in every list, or set environment.cloud.zones.",
            )
