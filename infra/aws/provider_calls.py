"""What the provider calls in AWS to create, read, change and delete each type of resource that a stack consists of.

Invariant: every type that a stack registers has a row (a test compares them), and actions are named one by one.
Sources: Service Authorization Reference; pulumi-aws 7.51 and the Terraform AWS provider that it bridges.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Part = Literal["network", "cluster", "identity", "data"]


@dataclass(frozen=True, kw_only=True)
class Calls:
    """What one type of resource needs."""

    part: Part
    reads: tuple[str, ...] = ()
    """Actions that know no resource, or that list: on `*`."""
    acts: tuple[str, ...] = ()
    """Actions on the stack's own resources."""


def _ec2(kind: str, *acts: str, reads: Sequence[str] = ()) -> Calls:
    """Creating and deleting one kind, and `acts` beside; the provider reads a kind by `Describe<kind>s`."""
    return Calls(
        part="network",
        reads=tuple(f"ec2:{read}" for read in (*reads, f"Describe{kind}s")),
        acts=(f"ec2:Create{kind}", f"ec2:Delete{kind}", *(f"ec2:{act}" for act in acts)),
    )


_ROLE_READS = ("iam:GetRole", "iam:ListRolePolicies", "iam:ListAttachedRolePolicies", "iam:ListInstanceProfilesForRole")

CALLS: Mapping[str, Calls] = {
    "aws:ec2/vpc:Vpc": _ec2(
        "Vpc", "ModifyVpcAttribute", "CreateTags", "DeleteTags",
        reads=("DescribeVpcAttribute", "DescribeNetworkAcls", "DescribeTags"),
    ),
    "aws:ec2/subnet:Subnet": _ec2("Subnet", "ModifySubnetAttribute", reads=("DescribeNetworkInterfaces",)),
    "aws:ec2/internetGateway:InternetGateway": _ec2(
        "InternetGateway", "AttachInternetGateway", "DetachInternetGateway"
    ),
    "aws:ec2/eip:Eip": Calls(
        part="network",
        reads=("ec2:DescribeAddresses", "ec2:DescribeAddressesAttribute"),
        acts=("ec2:AllocateAddress", "ec2:ReleaseAddress", "ec2:AssociateAddress", "ec2:DisassociateAddress"),
    ),
    "aws:ec2/natGateway:NatGateway": _ec2("NatGateway"),
    "aws:ec2/networkInterface:NetworkInterface": _ec2("NetworkInterface", "ModifyNetworkInterfaceAttribute"),
    "aws:ec2/instance:Instance": Calls(
        part="network",
        reads=(
            "ec2:DescribeInstances", "ec2:DescribeInstanceTypes", "ec2:DescribeInstanceAttribute", "ec2:DescribeVolumes",
            "ec2:DescribeInstanceCreditSpecifications", "ec2:DescribeTags", "ec2:DescribeImages", "ssm:GetParameter",
        ),
        acts=("ec2:RunInstances", "ec2:TerminateInstances", "ec2:ModifyInstanceAttribute", "ec2:ModifyInstanceMetadataOptions"),
    ),
    "aws:ec2/routeTable:RouteTable": _ec2("RouteTable"),
    "aws:ec2/route:Route": Calls(
        part="network", reads=("ec2:DescribeRouteTables",), acts=("ec2:CreateRoute", "ec2:ReplaceRoute", "ec2:DeleteRoute")
    ),
    "aws:ec2/routeTableAssociation:RouteTableAssociation": Calls(
        part="network",
        reads=("ec2:DescribeRouteTables",),
        acts=("ec2:AssociateRouteTable", "ec2:ReplaceRouteTableAssociation", "ec2:DisassociateRouteTable"),
    ),
    "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup": Calls(
        part="network",
        reads=("ec2:DescribeSecurityGroups", "ec2:DescribeSecurityGroupRules"),
        acts=("ec2:RevokeSecurityGroupIngress", "ec2:RevokeSecurityGroupEgress"),
    ),
    "aws:ec2/securityGroup:SecurityGroup": _ec2(
        "SecurityGroup", "AuthorizeSecurityGroupIngress", "AuthorizeSecurityGroupEgress", "RevokeSecurityGroupIngress",
        "RevokeSecurityGroupEgress",
    ),
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": Calls(
        part="network",
        reads=("ec2:DescribeSecurityGroupRules",),
        acts=("ec2:AuthorizeSecurityGroupIngress", "ec2:ModifySecurityGroupRules", "ec2:RevokeSecurityGroupIngress"),
    ),
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": Calls(
        part="network",
        reads=("ec2:DescribeSecurityGroupRules",),
        acts=("ec2:AuthorizeSecurityGroupEgress", "ec2:ModifySecurityGroupRules", "ec2:RevokeSecurityGroupEgress"),
    ),
    "aws:ec2/vpcEndpoint:VpcEndpoint": Calls(
        part="network",
        reads=("ec2:DescribeVpcEndpoints", "ec2:DescribePrefixLists", "ec2:DescribeVpcEndpointServices"),
        acts=("ec2:CreateVpcEndpoint", "ec2:ModifyVpcEndpoint", "ec2:DeleteVpcEndpoints"),
    ),
    "aws:ec2/flowLog:FlowLog": Calls(
        part="network", reads=("ec2:DescribeFlowLogs",), acts=("ec2:CreateFlowLogs", "ec2:DeleteFlowLogs")
    ),
    "aws:ec2/launchTemplate:LaunchTemplate": Calls(
        part="cluster",
        reads=("ec2:DescribeLaunchTemplates", "ec2:DescribeLaunchTemplateVersions"),
        acts=(
            "ec2:CreateLaunchTemplate", "ec2:CreateLaunchTemplateVersion", "ec2:ModifyLaunchTemplate", "ec2:DeleteLaunchTemplate",
            # EKS creates a group's instances with the rights of whoever makes the group (EKS user guide, "Launch template support").
            "ec2:RunInstances",
        ),
    ),
    "aws:eks/cluster:Cluster": Calls(
        part="cluster",
        reads=("eks:DescribeClusterVersions",),
        acts=(
            "eks:CreateCluster", "eks:DescribeCluster", "eks:DeleteCluster", "eks:UpdateClusterConfig", "eks:UpdateClusterVersion",
            "eks:DescribeUpdate", "eks:ListTagsForResource", "eks:TagResource", "eks:UntagResource",
        ),
    ),
    "aws:eks/addon:Addon": Calls(
        part="cluster",
        reads=("eks:DescribeAddonVersions", "eks:DescribeAddonConfiguration"),
        acts=("eks:CreateAddon", "eks:DescribeAddon", "eks:UpdateAddon", "eks:DeleteAddon", "eks:ListAddons"),
    ),
    "aws:eks/nodeGroup:NodeGroup": Calls(
        part="cluster",
        acts=(
            "eks:CreateNodegroup", "eks:DescribeNodegroup", "eks:UpdateNodegroupConfig", "eks:UpdateNodegroupVersion",
            "eks:DeleteNodegroup", "eks:ListNodegroups",
        ),
    ),
    "aws:eks/accessEntry:AccessEntry": Calls(
        part="cluster",
        acts=("eks:CreateAccessEntry", "eks:DescribeAccessEntry", "eks:UpdateAccessEntry", "eks:DeleteAccessEntry"),
    ),
    "aws:eks/accessPolicyAssociation:AccessPolicyAssociation": Calls(
        part="cluster",
        acts=("eks:AssociateAccessPolicy", "eks:ListAssociatedAccessPolicies", "eks:DisassociateAccessPolicy"),
    ),
    "aws:eks/podIdentityAssociation:PodIdentityAssociation": Calls(
        part="cluster",
        acts=(
            "eks:CreatePodIdentityAssociation", "eks:DescribePodIdentityAssociation", "eks:UpdatePodIdentityAssociation",
            "eks:DeletePodIdentityAssociation", "eks:ListPodIdentityAssociations",
        ),
    ),
    "aws:iam/role:Role": Calls(
        part="identity",
        acts=(
            *_ROLE_READS, "iam:CreateRole", "iam:DeleteRole", "iam:UpdateRole", "iam:UpdateRoleDescription",
            "iam:UpdateAssumeRolePolicy", "iam:PutRolePermissionsBoundary", "iam:DeleteRolePermissionsBoundary", "iam:TagRole", "iam:UntagRole",
        ),
    ),
    "aws:iam/rolePolicy:RolePolicy": Calls(
        part="identity", acts=("iam:PutRolePolicy", "iam:GetRolePolicy", "iam:DeleteRolePolicy")
    ),
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": Calls(
        part="identity", acts=("iam:AttachRolePolicy", "iam:DetachRolePolicy", "iam:ListAttachedRolePolicies")
    ),
    "aws:iam/policy:Policy": Calls(
        part="identity",
        acts=(
            "iam:CreatePolicy", "iam:GetPolicy", "iam:GetPolicyVersion", "iam:ListPolicyVersions", "iam:CreatePolicyVersion",
            "iam:DeletePolicyVersion", "iam:DeletePolicy", "iam:TagPolicy", "iam:UntagPolicy",
        ),
    ),
    "aws:iam/instanceProfile:InstanceProfile": Calls(
        part="identity",
        acts=(
            "iam:CreateInstanceProfile", "iam:GetInstanceProfile", "iam:DeleteInstanceProfile", "iam:AddRoleToInstanceProfile",
            "iam:RemoveRoleFromInstanceProfile", "iam:TagInstanceProfile", "iam:UntagInstanceProfile",
        ),
    ),
    "aws:iam/openIdConnectProvider:OpenIdConnectProvider": Calls(
        part="identity",
        acts=(
            "iam:CreateOpenIDConnectProvider", "iam:GetOpenIDConnectProvider", "iam:DeleteOpenIDConnectProvider",
            "iam:UpdateOpenIDConnectProviderThumbprint", "iam:TagOpenIDConnectProvider", "iam:UntagOpenIDConnectProvider",
        ),
    ),
    "aws:kms/key:Key": Calls(
        part="data",
        reads=("kms:CreateKey", "kms:ListAliases"),
        acts=(
            "kms:DescribeKey", "kms:GetKeyPolicy", "kms:PutKeyPolicy", "kms:GetKeyRotationStatus", "kms:EnableKeyRotation",
            "kms:DisableKeyRotation", "kms:ListResourceTags", "kms:TagResource", "kms:UntagResource", "kms:UpdateKeyDescription",
            "kms:ScheduleKeyDeletion",
            # A service that encrypts with the key asks for a grant with the rights of whoever makes its resource, and gives it back as whoever deletes it
            # (ECR user guide, "Encryption at rest").
            "kms:CreateGrant", "kms:RetireGrant", "kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey", "kms:GenerateDataKeyWithoutPlaintext",
        ),
    ),
    "aws:kms/alias:Alias": Calls(
        part="data", reads=("kms:ListAliases",), acts=("kms:CreateAlias", "kms:UpdateAlias", "kms:DeleteAlias")
    ),
    "aws:cloudwatch/logGroup:LogGroup": Calls(
        part="data",
        reads=("logs:DescribeLogGroups",),
        acts=(
            "logs:CreateLogGroup", "logs:DeleteLogGroup", "logs:PutRetentionPolicy", "logs:DeleteRetentionPolicy",
            "logs:AssociateKmsKey", "logs:DisassociateKmsKey", "logs:ListTagsForResource", "logs:TagResource", "logs:UntagResource",
        ),
    ),
    "aws:cloudwatch/eventRule:EventRule": Calls(
        part="data",
        acts=(
            "events:PutRule", "events:DescribeRule", "events:DeleteRule", "events:EnableRule", "events:DisableRule",
            "events:ListTagsForResource", "events:TagResource", "events:UntagResource",
        ),
    ),
    "aws:cloudwatch/eventTarget:EventTarget": Calls(
        part="data", acts=("events:PutTargets", "events:ListTargetsByRule", "events:RemoveTargets")
    ),
    "aws:sqs/queue:Queue": Calls(
        part="data",
        acts=(
            "sqs:CreateQueue", "sqs:GetQueueAttributes", "sqs:GetQueueUrl", "sqs:SetQueueAttributes", "sqs:DeleteQueue",
            "sqs:ListQueueTags", "sqs:TagQueue", "sqs:UntagQueue",
        ),
    ),
    "aws:sqs/queuePolicy:QueuePolicy": Calls(part="data", acts=("sqs:GetQueueAttributes", "sqs:SetQueueAttributes")),
    "aws:ecr/repository:Repository": Calls(
        part="data",
        reads=("ecr:GetAuthorizationToken",),
        acts=(
            "ecr:CreateRepository", "ecr:DescribeRepositories", "ecr:DeleteRepository", "ecr:PutImageTagMutability",
            "ecr:PutImageScanningConfiguration", "ecr:ListTagsForResource", "ecr:TagResource", "ecr:UntagResource",
            # What `pulumi up` pushes.
            "ecr:BatchCheckLayerAvailability", "ecr:InitiateLayerUpload", "ecr:UploadLayerPart", "ecr:CompleteLayerUpload", "ecr:PutImage",
            "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer",
        ),
    ),
    "aws:ecr/lifecyclePolicy:LifecyclePolicy": Calls(
        part="data", acts=("ecr:PutLifecyclePolicy", "ecr:GetLifecyclePolicy", "ecr:DeleteLifecyclePolicy")
    ),
    "aws:elasticache/subnetGroup:SubnetGroup": Calls(
        part="data",
        acts=(
            "elasticache:CreateCacheSubnetGroup", "elasticache:DescribeCacheSubnetGroups", "elasticache:ModifyCacheSubnetGroup",
            "elasticache:DeleteCacheSubnetGroup", "elasticache:ListTagsForResource", "elasticache:AddTagsToResource",
            "elasticache:RemoveTagsFromResource",
        ),
    ),
    "aws:elasticache/parameterGroup:ParameterGroup": Calls(
        part="data",
        acts=(
            "elasticache:CreateCacheParameterGroup", "elasticache:DescribeCacheParameterGroups", "elasticache:DescribeCacheParameters",
            "elasticache:ModifyCacheParameterGroup", "elasticache:ResetCacheParameterGroup", "elasticache:DeleteCacheParameterGroup",
        ),
    ),
    "aws:elasticache/replicationGroup:ReplicationGroup": Calls(
        part="data",
        acts=(
            "elasticache:CreateReplicationGroup", "elasticache:DescribeReplicationGroups", "elasticache:DescribeCacheClusters",
            "elasticache:ModifyReplicationGroup", "elasticache:DeleteReplicationGroup", "elasticache:IncreaseReplicaCount",
            "elasticache:DecreaseReplicaCount", "elasticache:CreateSnapshot",
        ),
    ),
}  # fmt: skip
"""Type of resource -> what the provider calls for it."""
