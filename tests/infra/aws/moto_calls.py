"""Which call of the AWS API makes each resource type that moto plays faithfully, and what the call answers.

Invariant: a type stands in `CALLS` or, with the reason, in `NOT_REPLAYED`; one that stands in neither fails the replay. boto3 checks the
names of what is sent, moto what AWS would refuse.
Source: moto 5.2 (`docs.getmoto.org`, "Implemented Services"), pulumi-aws 7.51 for the names of inputs and outputs.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.infra.aws_answers import ACCOUNT, REGION

Inputs = Mapping[str, Any]
Sent = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Call:
    """One operation, and how inputs become what it takes."""

    service: str
    operation: str
    names: Mapping[str, str] = field(default_factory=dict)
    """Input -> parameter; an input that is not given is not sent, one that stands in neither this nor `also` is not either."""
    also: Callable[[Inputs], Sent] = lambda _: {}
    """Parameters that are no input of their own."""
    outputs: Mapping[str, str] = field(default_factory=dict)
    """Output -> path in the answer (`Vpc.VpcId`); `id` is the resource's identity."""

    unsaid: Callable[[Sent], Mapping[str, str]] = lambda _: {}
    """Outputs that the answer leaves out, told from what was sent."""
    then: Callable[[Inputs, str], tuple[str, Sent] | None] = lambda _, __: None
    """Inputs and new identity -> a further call that the provider makes."""

    def sent(self, inputs: Inputs) -> Sent:
        """The parameters of the call."""
        return {**{to: inputs[name] for name, to in self.names.items() if name in inputs}, **self.also(inputs)}


def _capital(*names: str) -> dict[str, str]:
    """AWS writes what the provider writes, with a capital first."""
    return {name: name[0].upper() + name[1:] for name in names}


def _pairs(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def _ec2(operation: str, kind: str, names: Mapping[str, str], outputs: Mapping[str, str], **more: Any) -> Call:
    """A call of EC2, which takes tags by the kind of what is made."""

    def also(inputs: Inputs) -> Sent:
        tags = _pairs(inputs.get("tags", {}))
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
        rule = {to: inputs[name] for name, to in _capital("ipProtocol", "fromPort", "toPort").items() if name in inputs}
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
        to: inputs[name] for name, to in _capital("imageId", "instanceType", "userData").items() if name in inputs
    }
    if "metadataOptions" in inputs:
        data["MetadataOptions"] = {key[0].upper() + key[1:]: value for key, value in inputs["metadataOptions"].items()}
    if "blockDeviceMappings" in inputs:
        data["BlockDeviceMappings"] = [_block_device(item) for item in inputs["blockDeviceMappings"]]
    if "tagSpecifications" in inputs:
        data["TagSpecifications"] = [
            {"ResourceType": item["resourceType"], "Tags": _pairs(item["tags"])} for item in inputs["tagSpecifications"]
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


def _role_name(inputs: Inputs) -> Sent:
    return {"RoleName": inputs["role"].rsplit("/", 1)[-1]}


def _repository(inputs: Inputs) -> Sent:
    sent: Sent = {"tags": _pairs(inputs.get("tags", {}))}
    for item in inputs.get("encryptionConfigurations", [])[:1]:
        sent["encryptionConfiguration"] = dict(item)
    if filters := inputs.get("imageTagMutabilityExclusionFilters"):
        sent["imageTagMutabilityExclusionFilters"] = [dict(item) for item in filters]
    return sent


def _kms_key(inputs: Inputs) -> Sent:
    return {"Tags": [{"TagKey": key, "TagValue": value} for key, value in inputs.get("tags", {}).items()]}


def _queue(inputs: Inputs) -> Sent:
    names = {
        "messageRetentionSeconds": "MessageRetentionPeriod", "sqsManagedSseEnabled": "SqsManagedSseEnabled", "kmsMasterKeyId": "KmsMasterKeyId",
        "visibilityTimeoutSeconds": "VisibilityTimeout", "policy": "Policy",
    }  # fmt: skip
    attributes = {to: _attribute(inputs[name]) for name, to in names.items() if name in inputs}
    return {"Attributes": attributes, "tags": inputs.get("tags", {})}


def _attribute(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _queue_policy(inputs: Inputs) -> Sent:
    return {"Attributes": {"Policy": inputs["policy"]}}


def _target(inputs: Inputs) -> Sent:
    return {"Targets": [{"Id": inputs.get("targetId", "target"), "Arn": inputs["arn"]}]}


def _flow_log(inputs: Inputs) -> Sent:
    return {"ResourceIds": [inputs["vpcId"]], "ResourceType": "VPC"}


CALLS: Mapping[str, Call] = {
    "aws:ec2/vpc:Vpc": _ec2("create_vpc", "vpc", _capital("cidrBlock"), {"id": "Vpc.VpcId"}),
    "aws:ec2/internetGateway:InternetGateway": _ec2(
        "create_internet_gateway", "internet-gateway", {}, {"id": "InternetGateway.InternetGatewayId"}, then=_attach,
    ),
    "aws:ec2/subnet:Subnet": _ec2(
        "create_subnet", "subnet", _capital("vpcId", "cidrBlock", "availabilityZone"), {"id": "Subnet.SubnetId", "arn": "Subnet.SubnetArn"}
    ),
    "aws:ec2/routeTable:RouteTable": _ec2("create_route_table", "route-table", _capital("vpcId"), {"id": "RouteTable.RouteTableId"}),
    "aws:ec2/route:Route": Call(
        service="ec2", operation="create_route",
        names=_capital("routeTableId", "destinationCidrBlock", "destinationIpv6CidrBlock", "gatewayId", "natGatewayId", "networkInterfaceId"),
    ),
    "aws:ec2/routeTableAssociation:RouteTableAssociation": Call(
        service="ec2", operation="associate_route_table", names=_capital("routeTableId", "subnetId"), outputs={"id": "AssociationId"}
    ),
    "aws:ec2/eip:Eip": _ec2("allocate_address", "elastic-ip", _capital("domain"), {"id": "AllocationId", "allocationId": "AllocationId"}),
    "aws:ec2/natGateway:NatGateway": _ec2(
        "create_nat_gateway", "natgateway", _capital("subnetId", "allocationId"), {"id": "NatGateway.NatGatewayId"}
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
        _capital("vpcId", "serviceName", "vpcEndpointType", "routeTableIds", "subnetIds", "securityGroupIds", "privateDnsEnabled")
        | {"policy": "PolicyDocument"},
        {"id": "VpcEndpoint.VpcEndpointId"},
    ),
    "aws:ec2/vpcEndpointRouteTableAssociation:VpcEndpointRouteTableAssociation": Call(
        service="ec2", operation="modify_vpc_endpoint", names=_capital("vpcEndpointId"), also=_endpoint_route_table
    ),
    "aws:ec2/flowLog:FlowLog": _ec2(
        "create_flow_logs", "vpc-flow-log",
        _capital("trafficType", "logDestination", "logDestinationType", "logFormat") | {"iamRoleArn": "DeliverLogsPermissionArn"},
        {"id": "FlowLogIds.0"}, also=_flow_log,
    ),
    "aws:ec2/launchTemplate:LaunchTemplate": _ec2(
        "create_launch_template", "launch-template", {}, {"id": "LaunchTemplate.LaunchTemplateId"}, also=_launch_template
    ),
    "aws:iam/role:Role": Call(
        service="iam", operation="create_role",
        names=_capital("path", "permissionsBoundary", "maxSessionDuration", "description") | {"assumeRolePolicy": "AssumeRolePolicyDocument"},
        outputs={"id": "Role.RoleName", "name": "Role.RoleName", "arn": "Role.Arn"},
        also=lambda inputs: {"Tags": _pairs(inputs.get("tags", {}))},
    ),
    "aws:iam/rolePolicy:RolePolicy": Call(
        service="iam", operation="put_role_policy", names={"policy": "PolicyDocument"}, also=_role_name
    ),
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": Call(
        service="iam", operation="attach_role_policy", names=_capital("policyArn"), also=_role_name
    ),
    "aws:iam/policy:Policy": Call(
        service="iam", operation="create_policy", names=_capital("path", "description") | {"policy": "PolicyDocument"},
        outputs={"id": "Policy.Arn", "arn": "Policy.Arn"}, also=lambda inputs: {"Tags": _pairs(inputs.get("tags", {}))},
    ),
    "aws:iam/instanceProfile:InstanceProfile": Call(
        service="iam", operation="create_instance_profile", names=_capital("path"),
        outputs={"id": "InstanceProfile.InstanceProfileName", "arn": "InstanceProfile.Arn"},
    ),
    "aws:iam/openIdConnectProvider:OpenIdConnectProvider": Call(
        service="iam", operation="create_open_id_connect_provider", names={"url": "Url", "clientIdLists": "ClientIDList"},
        outputs={"id": "OpenIDConnectProviderArn", "arn": "OpenIDConnectProviderArn"},
    ),
    "aws:ecr/repository:Repository": Call(
        service="ecr", operation="create_repository",
        names={name: name for name in ("imageTagMutability", "imageScanningConfiguration")} | {"name": "repositoryName"}, also=_repository,
        outputs={"id": "repository.repositoryName", "arn": "repository.repositoryArn", "repositoryUrl": "repository.repositoryUri"},
    ),
    "aws:ecr/lifecyclePolicy:LifecyclePolicy": Call(
        service="ecr", operation="put_lifecycle_policy", names={"repository": "repositoryName", "policy": "lifecyclePolicyText"}
    ),
    "aws:ecr/repositoryPolicy:RepositoryPolicy": Call(
        service="ecr", operation="set_repository_policy", names={"repository": "repositoryName", "policy": "policyText"}
    ),
    "aws:kms/key:Key": Call(
        service="kms", operation="create_key", names=_capital("policy", "description"), also=_kms_key,
        outputs={"id": "KeyMetadata.KeyId", "keyId": "KeyMetadata.KeyId", "arn": "KeyMetadata.Arn"},
    ),
    "aws:kms/alias:Alias": Call(service="kms", operation="create_alias", names=_capital("targetKeyId") | {"name": "AliasName"}),
    "aws:sqs/queue:Queue": Call(
        service="sqs", operation="create_queue", names={"name": "QueueName"}, also=_queue, outputs={"id": "QueueUrl", "url": "QueueUrl"},
        unsaid=lambda sent: {"arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{sent['QueueName']}"},
    ),
    "aws:sqs/queuePolicy:QueuePolicy": Call(
        service="sqs", operation="set_queue_attributes", names={"queueUrl": "QueueUrl"}, also=_queue_policy
    ),
    "aws:cloudwatch/eventRule:EventRule": Call(
        service="events", operation="put_rule", names=_capital("eventPattern", "description", "scheduleExpression"),
        also=lambda inputs: {"Tags": _pairs(inputs.get("tags", {}))}, outputs={"arn": "RuleArn"},
    ),
    "aws:cloudwatch/eventTarget:EventTarget": Call(
        service="events", operation="put_targets", names={"rule": "Rule"}, also=_target
    ),
    "aws:cloudwatch/logGroup:LogGroup": Call(
        service="logs", operation="create_log_group", names={"name": "logGroupName", "kmsKeyId": "kmsKeyId"},
        also=lambda inputs: {"tags": inputs.get("tags", {})},
        unsaid=lambda sent: {"arn": f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{sent['logGroupName']}"},
    ),
    "aws:elasticache/subnetGroup:SubnetGroup": Call(
        service="elasticache", operation="create_cache_subnet_group", names={"subnetIds": "SubnetIds"},
        also=lambda inputs: {"CacheSubnetGroupDescription": inputs.get("description", "")}, outputs={"id": "CacheSubnetGroup.CacheSubnetGroupName"},
    ),
}  # fmt: skip

NAMED = {
    "aws:ec2/securityGroup:SecurityGroup": "GroupName",
    "aws:ec2/launchTemplate:LaunchTemplate": "LaunchTemplateName",
    "aws:iam/role:Role": "RoleName",
    "aws:iam/rolePolicy:RolePolicy": "PolicyName",
    "aws:iam/policy:Policy": "PolicyName",
    "aws:iam/instanceProfile:InstanceProfile": "InstanceProfileName",
    "aws:cloudwatch/eventRule:EventRule": "Name",
    "aws:cloudwatch/logGroup:LogGroup": "logGroupName",
    "aws:elasticache/subnetGroup:SubnetGroup": "CacheSubnetGroupName",
}
"""Type -> parameter for its name, which the provider makes up from the resource's own where none is given."""

NOT_REPLAYED = {
    "aws:eks/": "moto has no add-ons, access entries or Pod Identity, and takes subnets that are not there",
    "aws:elasticache/": "moto takes any replication group",
    "aws:ec2/instance:": "its image is one of AWS's own, which moto does not know",
    "aws:ec2/defaultSecurityGroup:": "the provider adopts what came with the VPC and makes nothing",
    "aws:ec2/defaultRouteTable:": "the provider adopts what came with the VPC and makes nothing",
    "aws:ec2/defaultNetworkAcl:": "the provider adopts what came with the VPC and makes nothing",
}
"""Beginning of a type -> why nothing is sent for it."""
