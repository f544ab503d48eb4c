"""What EC2 adds to the parts of a network and to launch templates.

Source: pulumi-aws 7.51, outputs of `aws.ec2` and `aws.vpc`; forms of ids and ARNs from the service authorization
reference, "Actions, resources, and condition keys for Amazon EC2".
"""

from __future__ import annotations

import zlib
from typing import Final

from sandbox.standins.aws.account import ec2_id, hexadecimal
from sandbox.standins.aws.asked import Answer, Answering, Asked
from sandbox.standins.property_values import Properties


def _of_ec2(prefix: str, resource: str, **more: str) -> Answering:
    """An answer with an id, its ARN and the owner; `more` names further outputs that are ids, by their prefix."""

    def answer(asked: Asked) -> Answer:
        made = ec2_id(prefix)
        outputs: Properties = {"arn": asked.arn("ec2", f"{resource}/{made}"), "ownerId": asked.account.number}
        return Answer(made, {**outputs, **{name: ec2_id(other) for name, other in more.items()}})

    return answer


def _subnet(asked: Asked) -> Answer:
    answer = _of_ec2("subnet", "subnet")(asked)
    zone = asked.text("availabilityZone") or f"{asked.account.region}a"
    number = "abcdef".find(zone[-1]) + 1
    zone_id = f"{asked.account.short_region}-az{number}"
    return Answer(
        answer.resource_id,
        {
            **answer.outputs,
            "availabilityZone": zone,
            "availabilityZoneId": zone_id,
            "privateDnsHostnameTypeOnLaunch": "ip-name",
        },
    )


def _eip(asked: Asked) -> Answer:
    made = ec2_id("eipalloc")
    # TEST-NET-2 of RFC 5737: nobody's addresses.
    address = f"198.51.100.{zlib.crc32(made.encode()) % 254 + 1}"
    host = f"ec2-{address.replace('.', '-')}.{asked.account.region}.compute.{asked.account.dns_suffix}"
    outputs: Properties = {
        "allocationId": made,
        "arn": asked.arn("ec2", f"elastic-ip/{made}"),
        "domain": "vpc",
        "networkBorderGroup": asked.account.region,
        "publicDns": host,
        "publicIp": address,
        "publicIpv4Pool": "amazon",
    }
    return Answer(made, outputs)


def _nat_gateway(asked: Asked) -> Answer:
    outputs: Properties = {
        "associationId": ec2_id("eipassoc"),
        "networkInterfaceId": ec2_id("eni"),
        "availabilityMode": "zonal",
        "privateIp": "10.0.0.10",
        "publicIp": "198.51.100.10",
    }
    return Answer(ec2_id("nat"), outputs)


def _route(asked: Asked) -> Answer:
    destination = asked.text("destinationCidrBlock") or asked.text("destinationIpv6CidrBlock")
    destination = destination or asked.text("destinationPrefixListId")
    # The id that the real provider makes up: the table and a hash of the destination.
    made = f"r-{asked.text('routeTableId')}{zlib.crc32(destination.encode())}"
    return Answer(made, {"origin": "CreateRoute", "state": "active"})


def _endpoint(asked: Asked) -> Answer:
    answer = _of_ec2("vpce", "vpc-endpoint")(asked)
    is_gateway = (asked.text("vpcEndpointType") or "Gateway") == "Gateway"
    service = asked.text("serviceName").rpartition(".")[2]
    outputs: Properties = {**answer.outputs, "state": "available", "ipAddressType": "ipv4"}
    outputs["policy"] = '{"Statement":[{"Action":"*","Effect":"Allow","Principal":"*","Resource":"*"}]}'
    if is_gateway:
        outputs["prefixListId"] = f"pl-{hexadecimal(8)}"
        outputs["cidrBlocks"] = ["198.51.100.0/24"]
    else:
        host = f"{answer.resource_id}-{hexadecimal(8)}.{service}.{asked.account.region}.vpce.{asked.account.dns_suffix}"
        outputs["dnsEntries"] = [{"dnsName": host, "hostedZoneId": f"Z{hexadecimal(12).upper()}"}]
        outputs["networkInterfaceIds"] = [ec2_id("eni") for _ in asked.inputs.get("subnetIds") or []]
    return Answer(answer.resource_id, outputs)


def _security_group_rule(asked: Asked) -> Answer:
    made = ec2_id("sgr")
    return Answer(made, {"arn": asked.arn("ec2", f"security-group-rule/{made}"), "securityGroupRuleId": made})


def _security_group(asked: Asked) -> Answer:
    answer = _of_ec2("sg", "security-group")(asked)
    return Answer(answer.resource_id, {**answer.outputs, "description": "Managed by Pulumi", "name": asked.name})


def _launch_template(asked: Asked) -> Answer:
    made = ec2_id("lt")
    arn = asked.arn("ec2", f"launch-template/{made}")
    return Answer(made, {"arn": arn, "defaultVersion": 1, "latestVersion": 1, "name": asked.name})


def _instance(asked: Asked) -> Answer:
    answer = _of_ec2("i", "instance", primaryNetworkInterfaceId="eni")(asked)
    host = f"ip-10-0-0-11.{asked.account.region}.compute.internal"
    more: Properties = {"instanceState": "running", "privateIp": "10.0.0.11", "privateDns": host, "tenancy": "default"}
    return Answer(answer.resource_id, {**answer.outputs, **more})


NETWORK_ANSWERS: Final[dict[str, Answering]] = {
    "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup": _security_group,
    "aws:ec2/eip:Eip": _eip,
    "aws:ec2/eipAssociation:EipAssociation": lambda _: Answer(ec2_id("eipassoc")),
    "aws:ec2/flowLog:FlowLog": _of_ec2("fl", "vpc-flow-log"),
    "aws:ec2/instance:Instance": _instance,
    "aws:ec2/internetGateway:InternetGateway": _of_ec2("igw", "internet-gateway"),
    "aws:ec2/launchTemplate:LaunchTemplate": _launch_template,
    "aws:ec2/natGateway:NatGateway": _nat_gateway,
    "aws:ec2/networkInterface:NetworkInterface": _of_ec2("eni", "network-interface"),
    "aws:ec2/route:Route": _route,
    "aws:ec2/routeTable:RouteTable": _of_ec2("rtb", "route-table"),
    "aws:ec2/routeTableAssociation:RouteTableAssociation": lambda _: Answer(ec2_id("rtbassoc")),
    "aws:ec2/securityGroup:SecurityGroup": _security_group,
    "aws:ec2/subnet:Subnet": _subnet,
    "aws:ec2/vpc:Vpc": _of_ec2(
        "vpc",
        "vpc",
        defaultNetworkAclId="acl",
        defaultRouteTableId="rtb",
        defaultSecurityGroupId="sg",
        dhcpOptionsId="dopt",
        mainRouteTableId="rtb",
    ),
    "aws:ec2/vpcEndpoint:VpcEndpoint": _endpoint,
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": _security_group_rule,
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": _security_group_rule,
}
"""Type -> what EC2 answers to its creation."""
