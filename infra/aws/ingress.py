"""The role of the AWS Load Balancer Controller, which makes the load balancers that Ingresses and Services ask for.

Invariant: it changes and deletes only what carries its cluster's tag, and opens ports only in the cluster's VPC; what it may read is named action by
action. It is the policy that its project ships, narrowed to one account, region and cluster, without the statements of add-ons that stay off (Shield,
WAF Classic, Cognito) and of outposts.
Source: aws-load-balancer-controller 3.5, docs/install/iam_policy.json and docs/deploy/installation.md (condition on the VPC for the rules of security
groups); EC2 user guide, "Example policies to control access the Amazon EC2 API", section on security groups; Service Authorization Reference,
"Elastic Load Balancing V2" and "Amazon EC2" (resource types).
"""

from dataclasses import dataclass

import pulumi

from infra.aws.identity import PodRole, PodRoleArgs, controller_role
from infra.aws.place import Place
from infra.aws.policies import Condition, Statement, allow

NAMESPACE = "kube-system"
SERVICE_ACCOUNT = "aws-load-balancer-controller"

CLUSTER_TAG = "elbv2.k8s.aws/cluster"
"""On everything that the controller makes; its value is the cluster's name."""

READS = (
    "ec2:DescribeAccountAttributes", "ec2:DescribeAddresses", "ec2:DescribeAvailabilityZones", "ec2:DescribeInstances",
    "ec2:DescribeInternetGateways", "ec2:DescribeIpamPools", "ec2:DescribeNetworkInterfaces", "ec2:DescribeRouteTables",
    "ec2:DescribeSecurityGroups", "ec2:DescribeSubnets", "ec2:DescribeTags", "ec2:DescribeVpcPeeringConnections",
    "ec2:DescribeVpcs",
    "elasticloadbalancing:DescribeCapacityReservation", "elasticloadbalancing:DescribeListenerAttributes",
    "elasticloadbalancing:DescribeListenerCertificates", "elasticloadbalancing:DescribeListeners",
    "elasticloadbalancing:DescribeLoadBalancerAttributes", "elasticloadbalancing:DescribeLoadBalancers",
    "elasticloadbalancing:DescribeRules", "elasticloadbalancing:DescribeSSLPolicies", "elasticloadbalancing:DescribeTags",
    "elasticloadbalancing:DescribeTargetGroupAttributes", "elasticloadbalancing:DescribeTargetGroups",
    "elasticloadbalancing:DescribeTargetHealth", "elasticloadbalancing:DescribeTrustStores",
    "acm:ListCertificates",
)  # fmt: skip
"""None of them can be limited to a resource."""


@dataclass(frozen=True, kw_only=True)
class LoadBalancerControllerArgs:
    """The cluster that it serves."""

    place: Place
    cluster_name: pulumi.Input[str]
    cluster_arn: pulumi.Input[str]
    vpc_id: pulumi.Input[str]


class LoadBalancerController(pulumi.ComponentResource):
    """The account's side of the controller; its chart comes after it, and goes before it."""

    controller: PodRole

    def __init__(
        self, name: str, args: LoadBalancerControllerArgs, *, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("celery-fleet:aws:LoadBalancerController", name, None, opts)
        self.controller = controller_role(
            name,
            PodRoleArgs(
                place=args.place,
                cluster_name=args.cluster_name,
                cluster_arn=args.cluster_arn,
                namespace=NAMESPACE,
                service_account=SERVICE_ACCOUNT,
            ),
            {
                "network": network_statements(args.place, cluster_name=args.cluster_name, vpc_id=args.vpc_id),
                "balancers": balancer_statements(args.place, cluster_name=args.cluster_name),
            },
            called=SERVICE_ACCOUNT,
            parent=self,
        )
        self.register_outputs({"role_arn": self.controller.role_arn})


def _made_with_tag(cluster_name: pulumi.Input[str]) -> Condition:
    """What is made is tagged in the same call."""
    return {"StringEquals": {f"aws:RequestTag/{CLUSTER_TAG}": cluster_name}}


def _has_tag(cluster_name: pulumi.Input[str]) -> Condition:
    """What is changed has the tag already."""
    return {"StringEquals": {f"aws:ResourceTag/{CLUSTER_TAG}": cluster_name}}


def _retags(cluster_name: pulumi.Input[str]) -> Condition:
    """Tags change on what has the cluster's, and that one stays."""
    return {**_has_tag(cluster_name), "Null": {f"aws:RequestTag/{CLUSTER_TAG}": "true"}}


def network_statements(
    place: Place, *, cluster_name: pulumi.Input[str], vpc_id: pulumi.Input[str]
) -> tuple[Statement, ...]:
    """What the controller reads, and its security groups."""
    groups = place.arn("ec2", "security-group/*")
    vpc = pulumi.Output.concat(place.arn("ec2", "vpc/"), vpc_id)
    rules = ["ec2:AuthorizeSecurityGroupIngress", "ec2:RevokeSecurityGroupIngress"]
    created: Condition = {**_made_with_tag(cluster_name)}
    created = {"StringEquals": {**created["StringEquals"], "ec2:CreateAction": "CreateSecurityGroup"}}
    return (
        allow("Read", READS, ["*"]),
        allow("ReadCertificates", ["acm:DescribeCertificate"], [place.arn("acm", "certificate/*")]),
        # Those of the nodes have no tag of the controller's: targets have to let the load balancer in.
        allow("OpenPortsInTheVpc", rules, [groups], condition={"ArnEquals": {"ec2:Vpc": vpc}}),
        allow("ReadGroupsOfTheVpc", ["ec2:GetSecurityGroupsForVpc"], [vpc]),
        allow("CreateGroups", ["ec2:CreateSecurityGroup"], [groups], condition=_made_with_tag(cluster_name)),
        allow("CreateGroupsInTheVpc", ["ec2:CreateSecurityGroup"], [vpc]),
        allow("TagNewGroups", ["ec2:CreateTags"], [groups], condition=created),
        allow("TagGroups", ["ec2:CreateTags", "ec2:DeleteTags"], [groups], condition=_retags(cluster_name)),
        allow("DeleteGroups", ["ec2:DeleteSecurityGroup"], [groups], condition=_has_tag(cluster_name)),
    )


def balancer_statements(place: Place, *, cluster_name: pulumi.Input[str]) -> tuple[Statement, ...]:
    """Load balancers, their listeners and target groups, and the web ACL in front of one."""
    balancers = [_elb(place, "loadbalancer/app/*/*"), _elb(place, "loadbalancer/net/*/*")]
    targets = [_elb(place, "targetgroup/*/*")]
    listeners = [_elb(place, "listener/app/*/*/*"), _elb(place, "listener/net/*/*/*")]
    rules = [_elb(place, "listener-rule/app/*/*/*"), _elb(place, "listener-rule/net/*/*/*")]
    made, has = _made_with_tag(cluster_name), _has_tag(cluster_name)
    tagged_at_once: Condition = {
        "StringEquals": {
            **made["StringEquals"],
            "elasticloadbalancing:CreateAction": ["CreateTargetGroup", "CreateLoadBalancer"],
        }
    }
    linked = "role/aws-service-role/elasticloadbalancing.amazonaws.com/AWSServiceRoleForElasticLoadBalancing"
    return (
        allow(
            "FirstLoadBalancerOfTheAccount",
            ["iam:CreateServiceLinkedRole"],
            [place.arn("iam", linked, regional=False)],
            condition={"StringEquals": {"iam:AWSServiceName": "elasticloadbalancing.amazonaws.com"}},
        ),
        allow("Create", _actions("CreateLoadBalancer", "CreateTargetGroup"), [*balancers, *targets], condition=made),
        allow("TagNew", _actions("AddTags"), [*balancers, *targets], condition=tagged_at_once),
        allow("Tag", _actions("AddTags", "RemoveTags"), [*balancers, *targets], condition=_retags(cluster_name)),
        allow("TagListeners", _actions("AddTags", "RemoveTags"), [*listeners, *rules]),
        allow(
            "Change",
            _actions(
                "DeleteLoadBalancer",
                "DeleteTargetGroup",
                "ModifyCapacityReservation",
                "ModifyIpPools",
                "ModifyListenerAttributes",
                "ModifyLoadBalancerAttributes",
                "ModifyTargetGroup",
                "ModifyTargetGroupAttributes",
                "SetIpAddressType",
                "SetSecurityGroups",
                "SetSubnets",
            ),
            [*balancers, *targets, *listeners],
            condition=has,
        ),
        allow("Targets", _actions("RegisterTargets", "DeregisterTargets"), targets, condition=has),
        # Not by tag, as upstream: what an older version made has listeners and rules without one.
        allow(
            "Listeners",
            _actions(
                "AddListenerCertificates",
                "CreateListener",
                "CreateRule",
                "DeleteListener",
                "DeleteRule",
                "ModifyListener",
                "ModifyRule",
                "RemoveListenerCertificates",
                "SetRulePriorities",
                "SetWebAcl",
            ),
            [*balancers, *listeners, *rules],
        ),
        allow(
            "WebAcl",
            [
                f"wafv2:{action}"
                for action in ("AssociateWebACL", "DisassociateWebACL", "GetWebACL", "GetWebACLForResource")
            ],
            [balancers[0], place.arn("wafv2", "regional/webacl/*/*")],
        ),
    )


def _actions(*names: str) -> list[str]:
    return [f"elasticloadbalancing:{name}" for name in names]


def _elb(place: Place, resource: str) -> pulumi.Output[str]:
    return place.arn("elasticloadbalancing", resource)
