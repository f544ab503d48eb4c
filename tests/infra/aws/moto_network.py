"""The calls that make networks and what stands in them."""

from collections.abc import Mapping
from typing import Any

from tests.infra.aws.moto_call import Call, Inputs, Sent, capital, pairs


def _ec2(operation: str, kind: str, names: Mapping[str, str], outputs: Mapping[str, str], **more: Any) -> Call:
    """A call of EC2, which takes tags by the kind of what is made."""

    def also(inputs: Inputs) -> Sent:
        tags = pairs(inputs.get("tags", {}))
        found = {"TagSpecifications": [{"ResourceType": kind, "Tags": tags}]} if tags else {}
        return {**found, **(more["also"](inputs) if "also" in more else {})}

    then = more.get("then", lambda _, __: None)
    return Call(service="ec2", operation=operation, names=names, outputs=outputs, also=also, then=then)


def _attach(inputs: Inputs, identity: str) -> tuple[str, Sent] | None:
    if "vpcId" not in inputs:
        return None
    return "attach_internet_gateway", {"InternetGatewayId": identity, "VpcId": inputs["vpcId"]}


def _nothing_out(_: Inputs, identity: str) -> tuple[str, Sent]:
    """A new group lets everything out; the provider takes that rule away."""
    everything = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    return "revoke_security_group_egress", {"GroupId": identity, "IpPermissions": [everything]}


def _rule(operation: str) -> Call:
    def also(inputs: Inputs) -> Sent:
        rule = {to: inputs[name] for name, to in capital("ipProtocol", "fromPort", "toPort").items() if name in inputs}
        if "referencedSecurityGroupId" in inputs:
            rule["UserIdGroupPairs"] = [{"GroupId": inputs["referencedSecurityGroupId"]}]
        if "cidrIpv4" in inputs:
            rule["IpRanges"] = [{"CidrIp": inputs["cidrIpv4"]}]
        if "cidrIpv6" in inputs:
            rule["Ipv6Ranges"] = [{"CidrIpv6": inputs["cidrIpv6"]}]
        if "prefixListId" in inputs:
            rule["PrefixListIds"] = [{"PrefixListId": inputs["prefixListId"]}]
        return {"IpPermissions": [rule]}

    outputs = {"id": "SecurityGroupRules.0.SecurityGroupRuleId"}
    return Call(service="ec2", operation=operation, names={"securityGroupId": "GroupId"}, also=also, outputs=outputs)


def _launch_template(inputs: Inputs) -> Sent:
    data: Sent = {
        to: inputs[name] for name, to in capital("imageId", "instanceType", "userData").items() if name in inputs
    }
    if "metadataOptions" in inputs:
        data["MetadataOptions"] = {key[0].upper() + key[1:]: value for key, value in inputs["metadataOptions"].items()}
    if "blockDeviceMappings" in inputs:
        data["BlockDeviceMappings"] = [_block_device(item) for item in inputs["blockDeviceMappings"]]
    if "tagSpecifications" in inputs:
        data["TagSpecifications"] = [
            {"ResourceType": item["resourceType"], "Tags": pairs(item["tags"])} for item in inputs["tagSpecifications"]
        ]
    return {"LaunchTemplateData": data}


def _block_device(item: Inputs) -> Sent:
    ebs = {key[0].upper() + key[1:]: value for key, value in item["ebs"].items()}
    # The provider takes both of these as text.
    for name in ("Encrypted", "DeleteOnTermination"):
        if name in ebs:
            ebs[name] = str(ebs[name]).lower() == "true"
    return {"DeviceName": item["deviceName"], "Ebs": ebs}


def _endpoint_route_table(inputs: Inputs) -> Sent:
    return {"AddRouteTableIds": [inputs["routeTableId"]]}


def _flow_log(inputs: Inputs) -> Sent:
    return {"ResourceIds": [inputs["vpcId"]], "ResourceType": "VPC"}


NETWORK_CALLS: Mapping[str, Call] = {
    "aws:ec2/vpc:Vpc": _ec2("create_vpc", "vpc", capital("cidrBlock"), {"id": "Vpc.VpcId"}),
    "aws:ec2/internetGateway:InternetGateway": _ec2(
        "create_internet_gateway", "internet-gateway", {}, {"id": "InternetGateway.InternetGatewayId"}, then=_attach,
    ),
    "aws:ec2/subnet:Subnet": _ec2(
        "create_subnet", "subnet", capital("vpcId", "cidrBlock", "availabilityZone"), {"id": "Subnet.SubnetId", "arn": "Subnet.SubnetArn"}
    ),
    "aws:ec2/routeTable:RouteTable": _ec2("create_route_table", "route-table", capital("vpcId"), {"id": "RouteTable.RouteTableId"}),
    "aws:ec2/route:Route": Call(
        service="ec2", operation="create_route",
        names=capital("routeTableId", "destinationCidrBlock", "destinationIpv6CidrBlock", "gatewayId", "natGatewayId", "networkInterfaceId"),
    ),
    "aws:ec2/routeTableAssociation:RouteTableAssociation": Call(
        service="ec2", operation="associate_route_table", names=capital("routeTableId", "subnetId"), outputs={"id": "AssociationId"}
    ),
    "aws:ec2/eip:Eip": _ec2("allocate_address", "elastic-ip", capital("domain"), {"id": "AllocationId", "allocationId": "AllocationId"}),
    "aws:ec2/natGateway:NatGateway": _ec2(
        "create_nat_gateway", "natgateway", capital("subnetId", "allocationId"), {"id": "NatGateway.NatGatewayId"}
    ),
    "aws:ec2/securityGroup:SecurityGroup": _ec2(
        "create_security_group", "security-group", {"vpcId": "VpcId", "description": "Description"}, {"id": "GroupId", "arn": "SecurityGroupArn"},
        then=_nothing_out,
    ),
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": _rule("authorize_security_group_ingress"),
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": _rule("authorize_security_group_egress"),
    "aws:ec2/networkInterface:NetworkInterface": _ec2(
        "create_network_interface", "network-interface", {"subnetId": "SubnetId", "securityGroups": "Groups"},
        {"id": "NetworkInterface.NetworkInterfaceId"},
    ),
    "aws:ec2/vpcEndpoint:VpcEndpoint": _ec2(
        "create_vpc_endpoint", "vpc-endpoint",
        capital("vpcId", "serviceName", "vpcEndpointType", "routeTableIds", "subnetIds", "securityGroupIds", "privateDnsEnabled")
        | {"policy": "PolicyDocument"},
        {"id": "VpcEndpoint.VpcEndpointId"},
    ),
    "aws:ec2/vpcEndpointRouteTableAssociation:VpcEndpointRouteTableAssociation": Call(
        service="ec2", operation="modify_vpc_endpoint", names=capital("vpcEndpointId"), also=_endpoint_route_table
    ),
    "aws:ec2/flowLog:FlowLog": _ec2(
        "create_flow_logs", "vpc-flow-log",
        capital("trafficType", "logDestination", "logDestinationType", "logFormat") | {"iamRoleArn": "DeliverLogsPermissionArn"},
        {"id": "FlowLogIds.0"}, also=_flow_log,
    ),
    "aws:ec2/launchTemplate:LaunchTemplate": _ec2(
        "create_launch_template", "launch-template", {}, {"id": "LaunchTemplate.LaunchTemplateId"}, also=_launch_template
    ),
}  # fmt: skip
