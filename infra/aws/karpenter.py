"""What Karpenter needs in the account: a role for its controller, one for its nodes, and word of nodes that are about to go.

Invariant: whatever AWS announces of a node (spot notice, rebalancing, health, a state change, a capacity reservation's end) reaches the queue that
the controller reads, and nothing else can write to it.
Source: Karpenter 1.14 docs, "Getting Started", cloudformation.yaml, and "Disruption", section "Interruption"; EventBridge user guide, "Using
resource-based policies", section on SQS.
"""

import json
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.aws.identity import PodRole, PodRoleArgs, controller_role
from infra.aws.karpenter_policies import controller_policies
from infra.aws.node_role import NodeEntry, NodeRole, NodeRoleArgs
from infra.aws.place import Place
from infra.aws.policies import document
from infra.aws.roles import role_name

NAMESPACE = "kube-system"
SERVICE_ACCOUNT = "karpenter"

RETENTION_SECONDS = 300
"""A notice that is older tells of a node that is gone."""

EVENTS = {
    "health": {"source": ["aws.health"], "detail-type": ["AWS Health Event"]},
    "spot": {"source": ["aws.ec2"], "detail-type": ["EC2 Spot Instance Interruption Warning"]},
    "rebalance": {"source": ["aws.ec2"], "detail-type": ["EC2 Instance Rebalance Recommendation"]},
    "state": {"source": ["aws.ec2"], "detail-type": ["EC2 Instance State-change Notification"]},
    "reservation": {"source": ["aws.ec2"], "detail-type": ["EC2 Capacity Reservation Instance Interruption Warning"]},
}
"""Rule -> pattern of the events that it hands on."""


@dataclass(frozen=True, kw_only=True)
class KarpenterArgs:
    """The cluster that it serves."""

    place: Place
    cluster_name: pulumi.Input[str]
    cluster_arn: pulumi.Input[str]
    key_arn: pulumi.Input[str] | None = None
    """KMS key of the nodes' disks; None takes the account's own for EBS. A key of one's own has to let the service-linked role of EC2 Spot use it
    and create grants (EC2 user guide, "Launch permissions for Spot Instances with encrypted AMIs")."""
    sessions: bool = False
    """Whether people may open a shell on a node by Systems Manager."""


class Karpenter(pulumi.ComponentResource):
    """The account's side of Karpenter. Its chart and its node pools come after it, and go before it: without it the controller can end no node."""

    queue_name: pulumi.Output[str]
    node_role_name: pulumi.Output[str]
    instance_profile_name: pulumi.Output[str]
    controller: PodRole

    def __init__(self, name: str, args: KarpenterArgs, *, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("celery-fleet:aws:Karpenter", name, None, opts)
        place, child = args.place, pulumi.ResourceOptions(parent=self)
        queue = self._queue(name, place)
        node_role = NodeRole(
            f"{name}-node",
            NodeRoleArgs(
                place=place,
                cluster_name=args.cluster_name,
                purpose="karpenter-node",
                entry=NodeEntry.EC2_LINUX,
                sessions=args.sessions,
            ),
            opts=child,
        )
        profile = aws.iam.InstanceProfile(
            f"{name}-node-profile",
            name=role_name(place, "karpenter-node"),
            path=place.role_path,
            role=node_role.role_name,
            tags=place.tagged(role_name(place, "karpenter-node")),
            opts=child,
        )
        self.controller = controller_role(
            name,
            PodRoleArgs(
                place=place,
                cluster_name=args.cluster_name,
                cluster_arn=args.cluster_arn,
                namespace=NAMESPACE,
                service_account=SERVICE_ACCOUNT,
            ),
            controller_policies(
                place,
                cluster_arn=args.cluster_arn,
                queue_arn=queue.arn,
                node_role_arn=node_role.role_arn,
                instance_profile_arn=profile.arn,
                key_arn=args.key_arn,
            ),
            called="karpenter",
            parent=self,
        )
        self.queue_name = queue.name
        self.node_role_name = node_role.role_name
        self.instance_profile_name = profile.name
        self.register_outputs(
            {
                "queue_name": self.queue_name,
                "node_role_name": self.node_role_name,
                "instance_profile_name": self.instance_profile_name,
            }
        )

    def _queue(self, name: str, place: Place) -> aws.sqs.Queue:
        child, called = pulumi.ResourceOptions(parent=self), f"{place.name}-karpenter"
        queue = aws.sqs.Queue(
            f"{name}-queue",
            name=called,
            message_retention_seconds=RETENTION_SECONDS,
            sqs_managed_sse_enabled=True,
            tags=place.tagged(called),
            opts=child,
        )
        rules = [
            aws.cloudwatch.EventRule(
                f"{name}-{event}",
                # As long as a role's name may be; by this name the deployer's own policy knows it.
                name=role_name(place, f"karpenter-{event}"),
                description=f"To Karpenter of {place.name}: {', '.join(pattern['detail-type'])}",
                event_pattern=json.dumps(pattern),
                tags=place.tagged(f"{called}-{event}"),
                opts=child,
            )
            for event, pattern in EVENTS.items()
        ]
        allowed = aws.sqs.QueuePolicy(
            f"{name}-queue-policy",
            queue_url=queue.url,
            policy=document(
                {
                    "Sid": "TakeEvents",
                    "Effect": "Allow",
                    "Principal": {"Service": "events.amazonaws.com"},
                    "Action": "sqs:SendMessage",
                    "Resource": queue.arn,
                    "Condition": {"ArnEquals": {"aws:SourceArn": [rule.arn for rule in rules]}},
                },
                {
                    "Sid": "RefusePlainText",
                    "Effect": "Deny",
                    "Principal": "*",
                    "Action": "sqs:*",
                    "Resource": queue.arn,
                    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                },
            ),
            opts=child,
        )
        for event, rule in zip(EVENTS, rules, strict=True):
            # What a target may not deliver is lost, so the permission comes first.
            aws.cloudwatch.EventTarget(
                f"{name}-{event}-target",
                rule=rule.name,
                arn=queue.arn,
                opts=pulumi.ResourceOptions(parent=self, depends_on=[allowed]),
            )
        return queue
