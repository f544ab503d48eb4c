"""The VPC: what is in it, what leads out, what is closed."""

import json
from functools import cache
from typing import Any

import pytest

from fleet.cloud import Nat
from fleet.errors import FleetError
from infra.aws.network import ExistingNetwork, Network, NetworkArgs, zone_name
from tests.infra.aws.samples import PLACE
from tests.infra.recording import Recorded, Registration, record


@cache
def network(nat: Nat = "single", *, zones: int = 3, flow_logs: bool = False) -> Recorded:
    return record(lambda: Network("net", NetworkArgs(place=PLACE, zones=zones, nat=nat, flow_logs=flow_logs)))


def named(recorded: Recorded, name: str) -> Registration:
    return next(item for item in recorded.resources if item.name == name)


def subnets(recorded: Recorded, kind: str) -> list[dict[str, Any]]:
    return [item.inputs for item in recorded.of("Subnet") if item.name.startswith(f"net-{kind}-")]


def default_routes(recorded: Recorded) -> dict[str, dict[str, Any]]:
    """Name of the route table -> where everything else goes."""
    tables = {f"{item.name}-id": item.name for item in recorded.of("RouteTable")}
    return {
        tables[item.inputs["routeTableId"]]: {
            key: value for key, value in item.inputs.items() if key not in {"routeTableId", "destinationCidrBlock"}
        }
        for item in recorded.of("Route")
        if item.inputs["destinationCidrBlock"] == "0.0.0.0/0"
    }


def test_the_vpc_gives_names_and_its_default_security_group_lets_nothing_through() -> None:
    """Nodes register by name; whoever forgets a security group gets one that is closed."""
    recorded = network()
    vpc = named(recorded, "net-vpc")
    assert vpc.inputs["enableDnsHostnames"] is True
    assert vpc.inputs["enableDnsSupport"] is True
    assert vpc.protect
    default = named(recorded, "net-default-security-group").inputs
    assert (default["vpcId"], default["ingress"], default["egress"]) == ("net-vpc-id", [], [])


def test_every_zone_has_a_subnet_of_each_kind() -> None:
    """In the order of the zones, which is the order of every list that the component offers."""
    recorded = network()
    for kind, first in (("public", "10.0.128.0/24"), ("private", "10.0.0.0/20"), ("intra", "10.0.144.0/28")):
        found = subnets(recorded, kind)
        assert [item["availabilityZone"] for item in found] == ["us-east-1a", "us-east-1b", "us-east-1c"]
        assert found[0]["cidrBlock"] == first
    said = recorded.outputs[recorded.resources[0].urn][0]
    assert said["private_subnet_ids"] == ["subnet-netprivate0", "subnet-netprivate1", "subnet-netprivate2"]
    assert said["intra_subnet_ids"] == ["subnet-netintra0", "subnet-netintra1", "subnet-netintra2"]


def test_no_subnet_hands_out_public_addresses_or_moves_to_another_zone() -> None:
    """Also where AWS opens a zone that comes first in the list."""
    found = network().of("Subnet")
    assert len(found) == 9
    assert not any(item.inputs["mapPublicIpOnLaunch"] for item in found)
    assert {item.ignore_changes for item in found} == {("availabilityZone",)}


def test_load_balancers_and_karpenter_find_their_subnets() -> None:
    """By the tags that they look for; the control plane's subnets carry none of them."""
    recorded = network()
    role, internal, discovery = "kubernetes.io/role/elb", "kubernetes.io/role/internal-elb", "karpenter.sh/discovery"
    looked_for = {
        kind: [{key: tags[key] for key in (role, internal, discovery) if key in tags} for tags in found]
        for kind in ("public", "private", "intra")
        if (found := [item["tags"] for item in subnets(recorded, kind)])
    }
    assert looked_for == {
        "public": [{role: "1"}] * 3,
        "private": [{internal: "1", discovery: "celery-fleet-prod"}] * 3,
        "intra": [{}] * 3,
    }


@pytest.mark.parametrize(
    ("nat", "ways", "kinds"),
    [
        pytest.param("none", [], set(), id="without NAT nothing leads out"),
        pytest.param(
            "single", [{"natGatewayId": "net-nat-0-id"}] * 3, {"NatGateway"}, id="one gateway serves all zones"
        ),
        pytest.param(
            "per_zone",
            [{"natGatewayId": "net-nat-0-id"}, {"natGatewayId": "net-nat-1-id"}, {"natGatewayId": "net-nat-2-id"}],
            {"NatGateway"},
            id="each zone keeps its way out when another is lost",
        ),
        pytest.param(
            "instance",
            [{"networkInterfaceId": "net-nat-interface-id"}] * 3,
            {"Instance"},
            id="routes lead to an interface that outlives the instance",
        ),
    ],
)
def test_private_subnets_leave_by_the_nat_that_was_chosen(
    nat: Nat, ways: list[dict[str, str]], kinds: set[str]
) -> None:
    """Public subnets leave by the internet gateway, the control plane's not at all."""
    recorded = network(nat)
    routes = default_routes(recorded)
    assert routes.pop("net-public-routes") == {"gatewayId": "net-internet-id"}
    assert routes == {f"net-private-{zone}-routes": way for zone, way in enumerate(ways)}
    assert {item.kind for item in recorded.resources} & {"NatGateway", "Instance"} == kinds


def test_gateways_stand_in_the_public_subnet_of_their_zone() -> None:
    """Traffic of a zone crosses no other."""
    found = network("per_zone").of("NatGateway")
    assert [item.inputs["subnetId"] for item in found] == [
        "subnet-netpublic0",
        "subnet-netpublic1",
        "subnet-netpublic2",
    ]
    assert [item.inputs["allocationId"] for item in found] == [f"net-nat-{zone}-address-id" for zone in range(3)]


def test_every_subnet_has_the_route_table_of_its_kind() -> None:
    """None falls back to the VPC's main table."""
    found = {item.inputs["subnetId"]: item.inputs["routeTableId"] for item in network().of("RouteTableAssociation")}
    assert found == {
        **{f"subnet-netpublic{zone}": "net-public-routes-id" for zone in range(3)},
        **{f"subnet-netprivate{zone}": f"net-private-{zone}-routes-id" for zone in range(3)},
        **{f"subnet-netintra{zone}": "net-intra-routes-id" for zone in range(3)},
    }


def test_the_nat_instance_forwards_and_gives_nothing_away() -> None:
    """No check of source and destination, no role, tokens for its metadata, an encrypted disk, and only the VPC comes in."""
    recorded = network("instance")
    interface = named(recorded, "net-nat-interface").inputs
    assert interface["sourceDestCheck"] is False
    assert interface["securityGroups"] == ["net-nat-security-group-id"]
    instance = named(recorded, "net-nat")
    assert instance.inputs["primaryNetworkInterface"] == {"networkInterfaceId": "net-nat-interface-id"}
    assert instance.inputs["instanceType"] == "t4g.nano"
    assert instance.inputs["metadataOptions"] == {
        "httpEndpoint": "enabled", "httpTokens": "required", "httpPutResponseHopLimit": 1,
    }  # fmt: skip
    assert instance.inputs["rootBlockDevice"]["encrypted"] is True
    assert "iamInstanceProfile" not in instance.inputs
    ingress = [item.inputs for item in recorded.of("SecurityGroupIngressRule")]
    assert [(rule["securityGroupId"], rule["cidrIpv4"]) for rule in ingress] == [
        ("net-nat-security-group-id", "10.0.0.0/16")
    ]


def test_the_nat_instance_starts_with_its_address_and_survives_new_images() -> None:
    """Its script needs the internet; a new image of the month does not cut everybody off."""
    recorded = network("instance")
    instance = named(recorded, "net-nat")
    before = {recorded.by_urn()[urn].name for urn in instance.depends_on if urn in recorded.by_urn()}
    assert {"net-nat-address", "net-public-default", "net-nat-to-anywhere"} <= before
    assert instance.ignore_changes == ("ami",)
    assert instance.delete_before_replace
    assert named(recorded, "net-nat-address").inputs["networkInterface"] == "net-nat-interface-id"


def test_the_nat_instance_translates_what_leaves_the_vpc() -> None:
    """And nothing that stays in it; the rules are there again after a restart."""
    script = named(network("instance"), "net-nat").inputs["userData"]
    assert "ip saddr 10.0.0.0/16 ip daddr != 10.0.0.0/16 masquerade" in script
    assert "net.ipv4.ip_forward = 1" in script
    assert "systemctl enable --now nftables" in script


@pytest.mark.parametrize("nat", ["none", "instance", "single", "per_zone"])
def test_s3_is_always_reached_without_nat(nat: Nat) -> None:
    """The layers of every image come from there, and the endpoint is free."""
    found = [item.inputs for item in network(nat).of("VpcEndpoint") if item.inputs["vpcEndpointType"] == "Gateway"]
    assert [item["serviceName"] for item in found] == ["com.amazonaws.us-east-1.s3"]
    assert found[0]["routeTableIds"] == [
        "net-private-0-routes-id", "net-private-1-routes-id", "net-private-2-routes-id", "net-intra-routes-id",
    ]  # fmt: skip


def test_without_nat_nodes_reach_aws_by_endpoints() -> None:
    """Otherwise none would ever join; with NAT they would only cost."""
    found = [item.inputs for item in network("none").of("VpcEndpoint") if item.inputs["vpcEndpointType"] == "Interface"]
    services = {item["serviceName"].removeprefix("com.amazonaws.us-east-1.") for item in found}
    assert {"ec2", "ecr.api", "ecr.dkr", "eks", "eks-auth", "sts"} <= services
    assert all(item["privateDnsEnabled"] for item in found)
    rules = [item.inputs for item in network("none").of("SecurityGroupIngressRule")]
    assert [(rule["cidrIpv4"], rule["fromPort"], rule["toPort"]) for rule in rules] == [("10.0.0.0/16", 443, 443)]
    assert [item.inputs["vpcEndpointType"] for item in network("single").of("VpcEndpoint")] == ["Gateway"]


def test_flow_logs_are_kept_encrypted_for_as_long_as_asked() -> None:
    """And only where they were asked for."""
    recorded = record(lambda: Network("net", NetworkArgs(place=PLACE, zones=2, flow_logs=True, log_retention_days=90)))
    group = named(recorded, "net-flow-logs-group")
    assert group.inputs["retentionInDays"] == 90
    assert group.inputs["kmsKeyId"] == "arn:aws:kms:us-east-1:123456789012:net-flow-logs-key"
    assert group.retain_on_delete
    log = named(recorded, "net-flow-logs").inputs
    assert (log["vpcId"], log["trafficType"]) == ("net-vpc-id", "ALL")
    assert log["logDestination"] == "arn:aws:logs:us-east-1:123456789012:log-group:net-flow-logs-group"
    assert network().of("FlowLog") == []


def test_the_role_of_flow_logs_is_taken_by_flow_logs_of_this_account_alone() -> None:
    """And writes to their log group alone."""
    recorded = network(flow_logs=True)
    trust = json.loads(named(recorded, "net-flow-logs-role").inputs["assumeRolePolicy"])["Statement"][0]
    assert trust["Principal"] == {"Service": "vpc-flow-logs.amazonaws.com"}
    assert trust["Condition"]["StringEquals"] == {"aws:SourceAccount": "123456789012"}
    policy = json.loads(named(recorded, "net-flow-logs-role-policy").inputs["policy"])["Statement"]
    writing = next(statement for statement in policy if "logs:PutLogEvents" in statement["Action"])
    assert writing["Resource"] == ["arn:aws:logs:us-east-1:123456789012:log-group:net-flow-logs-group:*"]


EXISTING = ExistingNetwork(
    vpc_id="vpc-1",
    cidr="10.9.0.0/16",
    private_subnet_ids=("subnet-a", "subnet-b"),
    public_subnet_ids=("subnet-c", "subnet-d"),
)


def test_a_vpc_that_is_there_is_left_as_it_is() -> None:
    """Nothing is made, nothing tagged; the control plane goes where the nodes are when it has no subnets of its own."""
    args = NetworkArgs(place=PLACE, zones=2, nat="none", flow_logs=True, existing=EXISTING)
    recorded = record(lambda: Network("net", args))
    assert [item.name for item in recorded.resources] == ["net"]
    assert recorded.outputs[recorded.resources[0].urn] == [
        {
            "vpc_id": "vpc-1",
            "cidr": "10.9.0.0/16",
            "private_subnet_ids": ["subnet-a", "subnet-b"],
            "public_subnet_ids": ["subnet-c", "subnet-d"],
            "intra_subnet_ids": ["subnet-a", "subnet-b"],
        }
    ]


def test_a_vpc_with_too_few_subnets_is_refused() -> None:
    """Brokers have a node group in every zone."""
    with pytest.raises(FleetError) as refused:
        record(lambda: Network("net", NetworkArgs(place=PLACE, zones=3, existing=EXISTING)))
    assert refused.value.where == "celery-fleet:aws.network.existing.privateSubnetIds"


def test_a_region_with_too_few_zones_is_refused() -> None:
    """The fix says how many there are."""
    with pytest.raises(FleetError) as refused:
        zone_name(["us-west-1a", "us-west-1c"], index=2, region="us-west-1")
    assert "Write 2" in refused.value.fix
