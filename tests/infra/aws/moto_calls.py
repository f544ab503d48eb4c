"""Which call of the AWS API makes each resource type that moto plays faithfully, and what the call answers.

Invariant: a type stands in `CALLS` or, with the reason, in `NOT_REPLAYED`; one that stands in neither fails the replay. boto3 checks the
names of what is sent, moto what AWS would refuse.
Source: moto 5.2 (`docs.getmoto.org`, "Implemented Services"), pulumi-aws 7.51 for the names of inputs and outputs.
"""

from collections.abc import Mapping
from typing import Any

from tests.infra.aws.moto_call import Call, Inputs, Sent, capital, pairs
from tests.infra.aws.moto_network import NETWORK_CALLS
from tests.infra.aws_answers import ACCOUNT, REGION


def _role_name(inputs: Inputs) -> Sent:
    return {"RoleName": inputs["role"].rsplit("/", 1)[-1]}


def _repository(inputs: Inputs) -> Sent:
    sent: Sent = {"tags": pairs(inputs.get("tags", {}))}
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


CALLS: Mapping[str, Call] = {
    **NETWORK_CALLS,
    "aws:iam/role:Role": Call(
        service="iam", operation="create_role",
        names=capital("path", "permissionsBoundary", "maxSessionDuration", "description") | {"assumeRolePolicy": "AssumeRolePolicyDocument"},
        outputs={"id": "Role.RoleName", "name": "Role.RoleName", "arn": "Role.Arn"},
        also=lambda inputs: {"Tags": pairs(inputs.get("tags", {}))},
    ),
    "aws:iam/rolePolicy:RolePolicy": Call(
        service="iam", operation="put_role_policy", names={"policy": "PolicyDocument"}, also=_role_name
    ),
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": Call(
        service="iam", operation="attach_role_policy", names=capital("policyArn"), also=_role_name
    ),
    "aws:iam/policy:Policy": Call(
        service="iam", operation="create_policy", names=capital("path", "description") | {"policy": "PolicyDocument"},
        outputs={"id": "Policy.Arn", "arn": "Policy.Arn"}, also=lambda inputs: {"Tags": pairs(inputs.get("tags", {}))},
    ),
    "aws:iam/instanceProfile:InstanceProfile": Call(
        service="iam", operation="create_instance_profile", names=capital("path"),
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
        service="kms", operation="create_key", names=capital("policy", "description"), also=_kms_key,
        outputs={"id": "KeyMetadata.KeyId", "keyId": "KeyMetadata.KeyId", "arn": "KeyMetadata.Arn"},
    ),
    "aws:kms/alias:Alias": Call(service="kms", operation="create_alias", names=capital("targetKeyId") | {"name": "AliasName"}),
    "aws:sqs/queue:Queue": Call(
        service="sqs", operation="create_queue", names={"name": "QueueName"}, also=_queue, outputs={"id": "QueueUrl", "url": "QueueUrl"},
        unsaid=lambda sent: {"arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{sent['QueueName']}"},
    ),
    "aws:sqs/queuePolicy:QueuePolicy": Call(
        service="sqs", operation="set_queue_attributes", names={"queueUrl": "QueueUrl"}, also=_queue_policy
    ),
    "aws:cloudwatch/eventRule:EventRule": Call(
        service="events", operation="put_rule", names=capital("eventPattern", "description", "scheduleExpression"),
        also=lambda inputs: {"Tags": pairs(inputs.get("tags", {}))}, outputs={"arn": "RuleArn"},
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
