"""What AWS refuses because of another resource: a name that is taken, address ranges that overlap, a container that is not empty.

The invariant: only what this process has seen is compared, because a plugin lives as long as one command; so a
refusal is always right, while a conflict between two commands goes unnoticed.

Source: EC2 API reference, "Error codes" (InvalidSubnet.Conflict, InvalidSubnet.Range, InvalidPermission.Duplicate,
DependencyViolation); EKS API reference, DeleteCluster (ResourceInUseException).
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import Final

from sandbox.standins.plugin_server import PluginError
from sandbox.standins.property_values import Properties

SUBNET: Final = "aws:ec2/subnet:Subnet"
VPC: Final = "aws:ec2/vpc:Vpc"
RULES: Final = (
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule",
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
)
_RULE_KEYS: Final = (
    "securityGroupId", "ipProtocol", "fromPort", "toPort", "cidrIpv4", "cidrIpv6", "prefixListId",
    "referencedSecurityGroupId",
)  # fmt: skip

NAMED: Final = frozenset(
    {
        "aws:cloudwatch/eventRule:EventRule",
        "aws:cloudwatch/logGroup:LogGroup",
        "aws:ecr/repository:Repository",
        "aws:eks/accessEntry:AccessEntry",
        "aws:eks/addon:Addon",
        "aws:eks/cluster:Cluster",
        "aws:eks/nodeGroup:NodeGroup",
        "aws:elasticache/replicationGroup:ReplicationGroup",
        "aws:elasticache/subnetGroup:SubnetGroup",
        "aws:iam/instanceProfile:InstanceProfile",
        "aws:iam/role:Role",
        "aws:kms/alias:Alias",
    }
)
"""Types whose id is a name that only one of them can bear."""

INSIDE: Final[dict[str, tuple[str, str]]] = {
    "aws:ec2/internetGateway:InternetGateway": ("vpcId", VPC),
    "aws:ec2/natGateway:NatGateway": ("subnetId", SUBNET),
    "aws:ec2/routeTable:RouteTable": ("vpcId", VPC),
    "aws:ec2/securityGroup:SecurityGroup": ("vpcId", VPC),
    SUBNET: ("vpcId", VPC),
    "aws:ec2/vpcEndpoint:VpcEndpoint": ("vpcId", VPC),
    "aws:eks/nodeGroup:NodeGroup": ("clusterName", "aws:eks/cluster:Cluster"),
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": ("role", "aws:iam/role:Role"),
    "aws:iam/rolePolicy:RolePolicy": ("role", "aws:iam/role:Role"),
}
"""Type -> the input that names the resource it stands in, and that one's type; AWS deletes no container before it."""

DELETION_PROTECTED: Final = frozenset({"aws:eks/cluster:Cluster"})
"""Types that AWS keeps while their `deletionProtection` is on."""


@dataclass(slots=True)
class Neighbours:
    """What this process has made and deleted."""

    ids: set[tuple[str, str]] = field(default_factory=set)
    vpcs: dict[str, str] = field(default_factory=dict)
    subnets: dict[str, list[str]] = field(default_factory=dict)
    rules: set[tuple[object, ...]] = field(default_factory=set)
    gone: set[tuple[str, str]] = field(default_factory=set)

    def add(self, token: str, resource_id: str, inputs: Properties) -> None:
        """Take a new resource in.

        Raises: PluginError when AWS would refuse it.
        """
        if token in NAMED and (token, resource_id) in self.ids:
            raise PluginError(f"{token.rpartition(':')[2]} already exists: {resource_id}")
        if token == VPC:
            self.vpcs[resource_id] = str(inputs.get("cidrBlock") or "")
        if token == SUBNET:
            self._add_subnet(str(inputs.get("vpcId")), str(inputs.get("cidrBlock") or ""))
        if token in RULES:
            rule = (token, *(inputs.get(key) for key in _RULE_KEYS))
            if rule in self.rules:
                raise PluginError("InvalidPermission.Duplicate: the specified rule already exists")
            self.rules.add(rule)
        self.ids.add((token, resource_id))
        self.gone.discard((token, resource_id))

    def _add_subnet(self, vpc: str, cidr: str) -> None:
        if not cidr:
            return
        try:
            wanted = ipaddress.ip_network(cidr)
        except ValueError as error:
            raise PluginError(f"InvalidParameterValue: {error}") from None
        around = self.vpcs.get(vpc)
        if around and not wanted.subnet_of(ipaddress.ip_network(around)):  # type: ignore[arg-type]
            raise PluginError(f"InvalidSubnet.Range: the CIDR {cidr!r} is invalid: it is not inside {around}")
        if not 16 <= wanted.prefixlen <= 28:
            raise PluginError(f"InvalidSubnet.Range: the CIDR {cidr!r} is invalid: a subnet is a /16 to a /28")
        for other in self.subnets.setdefault(vpc, []):
            if wanted.overlaps(ipaddress.ip_network(other)):
                raise PluginError(f"InvalidSubnet.Conflict: the CIDR {cidr!r} conflicts with another subnet ({other})")
        self.subnets[vpc].append(cidr)

    def remove(self, token: str, resource_id: str, state: Properties) -> None:
        """Let a resource go.

        Raises: PluginError when AWS would keep it, or would have kept what it stands in because of it.
        """
        if token in DELETION_PROTECTED and state.get("deletionProtection") is True:
            raise PluginError(
                f"InvalidRequestException: {resource_id} has deletion protection enabled; disable it before the deletion"
            )
        if token in INSIDE:
            name, container = INSIDE[token]
            around = str(state.get(name))
            if (container, around) in self.gone:
                raise PluginError(
                    f"DependencyViolation: {around} was deleted before {resource_id}, which stands in it; AWS would have "
                    "refused that (an order that no input shows needs `depends_on`)"
                )
        self.gone.add((token, resource_id))
        self.ids.discard((token, resource_id))
        if token == SUBNET and state.get("cidrBlock") in (cidrs := self.subnets.get(str(state.get("vpcId")), [])):
            cidrs.remove(str(state["cidrBlock"]))
        if token in RULES:
            self.rules.discard((token, *(state.get(key) for key in _RULE_KEYS)))
