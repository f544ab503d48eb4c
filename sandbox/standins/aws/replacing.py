"""Which inputs of which types cannot change in place, and what a change of inputs means.

The invariant: a program that is tried here plans the same replacements as on AWS; a type without an entry is changed in
place, except for the name it was made under.

Source: terraform-provider-aws 6 `internal/service/*/*.go` (the attributes with `ForceNew` or a `RequiresReplace` plan
modifier); deletion first where the name stays from pulumi-terraform-bridge v3
`pkg/tfbridge/provider.go` (nameRequiresDeleteBeforeReplace).
"""

from __future__ import annotations

import json
from typing import Final

from sandbox.standins.aws.allowed_values import IAM_DOCUMENTS, JSON_DOCUMENTS
from sandbox.standins.aws.checking import DEFAULTS_KEY
from sandbox.standins.diffing import Differences, Pattern, differences, parse_path
from sandbox.standins.property_values import Properties, Value

REPLACING: Final[dict[str, str]] = {
    "aws:cloudwatch/eventRule:EventRule": "name namePrefix eventBusName",
    "aws:cloudwatch/eventTarget:EventTarget": "rule targetId eventBusName",
    "aws:cloudwatch/logGroup:LogGroup": "name namePrefix logGroupClass",
    "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup": "vpcId",
    "aws:ec2/eip:Eip": "domain publicIpv4Pool networkBorderGroup",
    "aws:ec2/flowLog:FlowLog": (
        "vpcId subnetId eniId trafficType logDestination logDestinationType iamRoleArn logFormat maxAggregationInterval"
    ),
    "aws:ec2/instance:Instance": "ami subnetId privateIp keyName availabilityZone associatePublicIpAddress",
    "aws:ec2/launchTemplate:LaunchTemplate": "name namePrefix",
    "aws:ec2/natGateway:NatGateway": "subnetId allocationId connectivityType privateIp availabilityMode vpcId",
    "aws:ec2/networkInterface:NetworkInterface": "subnetId interfaceType",
    "aws:ec2/route:Route": "routeTableId destinationCidrBlock destinationIpv6CidrBlock destinationPrefixListId",
    "aws:ec2/routeTable:RouteTable": "vpcId",
    "aws:ec2/routeTableAssociation:RouteTableAssociation": "subnetId gatewayId",
    "aws:ec2/securityGroup:SecurityGroup": "name namePrefix description vpcId",
    "aws:ec2/subnet:Subnet": "vpcId cidrBlock availabilityZone availabilityZoneId ipv6Native outpostArn",
    "aws:ec2/vpc:Vpc": "cidrBlock ipv4IpamPoolId ipv4NetmaskLength",
    "aws:ec2/vpcEndpoint:VpcEndpoint": "vpcId serviceName vpcEndpointType serviceRegion",
    "aws:ecr/lifecyclePolicy:LifecyclePolicy": "repository",
    "aws:ecr/repository:Repository": "name encryptionConfigurations",
    "aws:ecr/repositoryPolicy:RepositoryPolicy": "repository",
    "aws:eks/accessEntry:AccessEntry": "clusterName principalArn type",
    "aws:eks/accessPolicyAssociation:AccessPolicyAssociation": "clusterName principalArn policyArn accessScope",
    "aws:eks/addon:Addon": "clusterName addonName",
    "aws:eks/cluster:Cluster": (
        "name roleArn bootstrapSelfManagedAddons accessConfig.bootstrapClusterCreatorAdminPermissions "
        "kubernetesNetworkConfig.ipFamily kubernetesNetworkConfig.serviceIpv4Cidr"
    ),
    "aws:eks/nodeGroup:NodeGroup": (
        "clusterName nodeGroupName nodeGroupNamePrefix nodeRoleArn subnetIds amiType capacityType diskSize "
        "instanceTypes remoteAccess launchTemplate.id launchTemplate.name"
    ),
    "aws:eks/podIdentityAssociation:PodIdentityAssociation": "clusterName namespace serviceAccount",
    "aws:elasticache/parameterGroup:ParameterGroup": "name family description",
    "aws:elasticache/replicationGroup:ReplicationGroup": (
        "replicationGroupId atRestEncryptionEnabled kmsKeyId subnetGroupName port networkType dataTieringEnabled "
        "snapshotArns snapshotName"
    ),
    "aws:elasticache/subnetGroup:SubnetGroup": "name",
    "aws:iam/instanceProfile:InstanceProfile": "name namePrefix path",
    "aws:iam/openIdConnectProvider:OpenIdConnectProvider": "url",
    "aws:iam/policy:Policy": "name namePrefix path description",
    "aws:iam/role:Role": "name namePrefix path",
    "aws:iam/rolePolicy:RolePolicy": "name namePrefix role",
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": "role policyArn",
    "aws:kms/alias:Alias": "name namePrefix",
    "aws:kms/key:Key": "customerMasterKeySpec keyUsage multiRegion",
    "aws:sns/topic:Topic": "name namePrefix fifoTopic",
    "aws:sqs/queue:Queue": "name namePrefix fifoQueue",
    "aws:sqs/queuePolicy:QueuePolicy": "queueUrl",
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": "securityGroupId",
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": "securityGroupId",
}
"""Type -> paths, one beside the other."""

REMOVAL_REPLACES: Final[dict[str, str]] = {"aws:eks/cluster:Cluster": "encryptionConfig"}
"""Type -> an input whose removal replaces though its change does not: encryption cannot be taken back."""

NAME_PROPERTIES: Final = ("name", "nodeGroupName", "replicationGroupId")


def compare(token: str, old: Properties, new: Properties) -> Differences:
    """How the new inputs differ from the old ones, with the changes that replace the resource marked."""
    patterns = [_pattern(path) for path in REPLACING.get(token, "name").split()]
    removal = REMOVAL_REPLACES.get(token)
    if removal and removal in old and removal not in new:
        patterns.append((removal,))
    patterns.append(("region",))
    return differences(_comparable(token, old), _comparable(token, new), tuple(patterns))


def deletes_first(old: Properties, new: Properties) -> bool:
    """Whether the old resource has to go before the new one can come: both bear the same name, and a person chose it."""
    filled_in = new.get(DEFAULTS_KEY) or []
    return any(
        new.get(name) is not None and new.get(name) == old.get(name) and name not in filled_in
        for name in NAME_PROPERTIES
    )


def _pattern(path: str) -> Pattern:
    return tuple("*" if isinstance(part, int) else part for part in parse_path(path))


def _comparable(token: str, inputs: Properties) -> Properties:
    """The inputs without the provider's own notes, documents by what they say and not by how they are written."""
    documents = {table[token] for table in (IAM_DOCUMENTS, JSON_DOCUMENTS) if token in table}
    return {
        key: _normalized(value) if key in documents else value
        for key, value in inputs.items()
        if key != DEFAULTS_KEY and value is not None
    }


def _normalized(value: Value) -> Value:
    if not isinstance(value, str):
        return value
    try:
        return json.dumps(json.loads(value), sort_keys=True)
    except ValueError:
        return value
