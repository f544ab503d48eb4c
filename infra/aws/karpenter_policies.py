"""What Karpenter's controller may do, in parts that IAM takes.

Invariant: what it makes carries the cluster's tags, and it changes and ends nothing that does not; it makes no instance profile and passes one role.
Each part stays below the 6,144 characters of a managed policy; a test counts them.
Source: Karpenter 1.14 docs, "Getting Started", cloudformation.yaml, without the rights on instance profiles (the node class names one that exists).
Accounts in EC2's ARNs stay open, because subnets may be shared from another account.
"""

import pulumi

from infra.aws.place import Place
from infra.aws.policies import Statement, allow

STARTED_WITH_A_NODE = (
    "fleet",
    "instance",
    "volume",
    "network-interface",
    "launch-template",
    "spot-instances-request",
)
STARTED_FROM = ("security-group", "subnet", "capacity-reservation", "placement-group")

READ_ACTIONS = (
    "ec2:DescribeCapacityReservations",
    "ec2:DescribeImages",
    "ec2:DescribeInstances",
    "ec2:DescribeInstanceStatus",
    "ec2:DescribeInstanceTypeOfferings",
    "ec2:DescribeInstanceTypes",
    "ec2:DescribeLaunchTemplates",
    "ec2:DescribePlacementGroups",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSpotPriceHistory",
    "ec2:DescribeSubnets",
)


def controller_policies(
    place: Place,
    *,
    cluster_arn: pulumi.Input[str],
    queue_arn: pulumi.Input[str],
    node_role_arn: pulumi.Input[str],
    instance_profile_arn: pulumi.Input[str],
    key_arn: pulumi.Input[str] | None,
) -> dict[str, list[Statement]]:
    """Part -> its statements."""
    return {
        "nodes": _nodes(place),
        "reading": _reading(place, instance_profile_arn),
        "integration": [
            allow("DescribeCluster", ["eks:DescribeCluster"], [cluster_arn]),
            allow(
                "ReadZonalShift",
                ["arc-zonal-shift:GetManagedResource"],
                ["*"],
                condition={"StringEquals": {"arc-zonal-shift:ResourceIdentifier": cluster_arn}},
            ),
            allow("TakeInterruptions", ["sqs:DeleteMessage", "sqs:GetQueueUrl", "sqs:ReceiveMessage"], [queue_arn]),
            allow(
                "PassNodeRole",
                ["iam:PassRole"],
                [node_role_arn],
                condition={"StringEquals": {"iam:PassedToService": ["ec2.amazonaws.com", "ec2.amazonaws.com.cn"]}},
            ),
            _first_spot_node(place),
            *_disks(place, key_arn),
        ],
    }


def _ec2(place: Place, *kinds: str, account: str = "*") -> list[pulumi.Input[str]]:
    return [f"arn:{place.partition}:ec2:{place.region}:{account}:{kind}/*" for kind in kinds]


def _nodes(place: Place) -> list[Statement]:
    owned = f"kubernetes.io/cluster/{place.name}"
    start = ["ec2:RunInstances", "ec2:CreateFleet"]
    made = _ec2(place, *STARTED_WITH_A_NODE)
    of_cluster = {
        "StringEquals": {f"aws:ResourceTag/{owned}": "owned"},
        "StringLike": {"aws:ResourceTag/karpenter.sh/nodepool": "*"},
    }
    for_cluster = {f"aws:RequestTag/{owned}": "owned", "aws:RequestTag/eks:eks-cluster-name": place.name}
    of_a_pool = {"aws:RequestTag/karpenter.sh/nodepool": "*"}
    return [
        allow("StartFrom", start, [*_ec2(place, "image", "snapshot", account=""), *_ec2(place, *STARTED_FROM)]),
        allow("StartFromTemplate", start, _ec2(place, "launch-template"), condition=of_cluster),
        allow(
            "StartWithTags",
            [*start, "ec2:CreateLaunchTemplate"],
            made,
            condition={"StringEquals": for_cluster, "StringLike": of_a_pool},
        ),
        allow(
            "TagWhatIsMade",
            ["ec2:CreateTags"],
            made,
            condition={
                "StringEquals": {
                    **for_cluster,
                    "ec2:CreateAction": ["RunInstances", "CreateFleet", "CreateLaunchTemplate"],
                },
                "StringLike": of_a_pool,
            },
        ),
        allow(
            "TagNodes",
            ["ec2:CreateTags"],
            _ec2(place, "instance"),
            condition={
                **of_cluster,
                "StringEqualsIfExists": {"aws:RequestTag/eks:eks-cluster-name": place.name},
                "ForAllValues:StringEquals": {
                    "aws:TagKeys": ["eks:eks-cluster-name", "karpenter.sh/nodeclaim", "Name"]
                },
            },
        ),
        allow(
            "End",
            ["ec2:TerminateInstances", "ec2:DeleteLaunchTemplate"],
            _ec2(place, "instance", "launch-template"),
            condition=of_cluster,
        ),
    ]


def _reading(place: Place, instance_profile_arn: pulumi.Input[str]) -> list[Statement]:
    """What has no resources to name, or AWS's own."""
    return [
        allow(
            "ReadRegion",
            READ_ACTIONS,
            ["*"],
            condition={"StringEquals": {"aws:RequestedRegion": place.region}},
        ),
        allow(
            "ReadImages", ["ssm:GetParameter"], [f"arn:{place.partition}:ssm:{place.region}::parameter/aws/service/*"]
        ),
        allow("ReadPrices", ["pricing:GetProducts"], ["*"]),
        allow("ListProfiles", ["iam:ListInstanceProfiles"], ["*"]),
        allow("ReadProfile", ["iam:GetInstanceProfile"], [instance_profile_arn]),
    ]


def _first_spot_node(place: Place) -> Statement:
    """An account that never had a spot instance gets EC2's own role for them with the first; without it every pool would quietly stay on-demand.

    Source: Karpenter 1.14 docs, "Troubleshooting", section "Missing Service Linked Role"; karpenter-provider-aws#7998; eksctl#6102.
    """
    role = "role/aws-service-role/spot.amazonaws.com/AWSServiceRoleForEC2Spot"
    return allow(
        "MakeSpotRole",
        ["iam:CreateServiceLinkedRole"],
        [place.arn("iam", role, regional=False)],
        condition={"StringEquals": {"iam:AWSServiceName": "spot.amazonaws.com"}},
    )


def _disks(place: Place, key_arn: pulumi.Input[str] | None) -> list[Statement]:
    """Disks under a key of one's own, by way of EC2 alone (EBS user guide, "Requirements for Amazon EBS encryption")."""
    if key_arn is None:
        return []
    by_ec2 = {"kms:ViaService": f"ec2.{place.region}.amazonaws.com"}
    return [
        allow(
            "UseDiskKey",
            [
                "kms:Decrypt",
                "kms:DescribeKey",
                "kms:GenerateDataKeyWithoutPlaintext",
                "kms:ReEncryptFrom",
                "kms:ReEncryptTo",
            ],
            [key_arn],
            condition={"StringEquals": by_ec2},
        ),
        allow(
            "LendDiskKey",
            ["kms:CreateGrant"],
            [key_arn],
            condition={"StringEquals": by_ec2, "Bool": {"kms:GrantIsForAWSResource": "true"}},
        ),
    ]
