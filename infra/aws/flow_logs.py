"""The log of a VPC's traffic.

It goes to CloudWatch Logs, although S3 is cheaper for many gigabytes: it is kept and searched like the control plane's logs, and leaves no bucket
behind that has to be emptied before the stack can go. Sources: VPC user guide, "Publish flow logs to CloudWatch Logs" (trust, permissions) and
"Cross-service confused deputy prevention" (its conditions).
"""

import pulumi
import pulumi_aws as aws

from infra.aws.keys import create_key, logs_statement
from infra.aws.place import Place
from infra.aws.policies import Condition, allow, document, service_trust
from infra.aws.roles import create_role

AGGREGATION_SECONDS = 600
"""The longer of the two that there are; the shorter writes up to ten times as much."""


def create_flow_logs(
    name: str, place: Place, vpc_id: pulumi.Input[str], *, retention_days: int, parent: pulumi.Resource
) -> aws.ec2.FlowLog:
    """Logs all traffic of a VPC for a component."""
    child, title = pulumi.ResourceOptions(parent=parent), f"{place.name}-flow-logs"
    key = create_key(
        f"{name}-key",
        place,
        alias=title,
        description=f"Flow logs of the network of {place.name}",
        statements=[logs_statement(place, "*")],
        parent=parent,
    )
    group = aws.cloudwatch.LogGroup(
        f"{name}-group",
        retention_in_days=retention_days,
        kms_key_id=key.arn,
        tags=place.tagged(title),
        opts=pulumi.ResourceOptions(parent=parent, protect=place.protect, retain_on_delete=place.keep),
    )
    own: Condition = {
        "StringEquals": {"aws:SourceAccount": place.account},
        "ArnLike": {"aws:SourceArn": place.arn("ec2", "vpc-flow-log/*")},
    }
    trust = service_trust("vpc-flow-logs.amazonaws.com", condition=own)
    role = create_role(f"{name}-role", place, "flow-logs", trust=trust, parent=parent)
    policy = aws.iam.RolePolicy(
        f"{name}-role-policy",
        role=role.name,
        policy=document(
            allow(
                "Write",
                ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"],
                [pulumi.Output.concat(group.arn, ":*")],
            ),
            allow("Find", ["logs:DescribeLogGroups"], [place.arn("logs", "log-group:*")]),
        ),
        opts=child,
    )
    return aws.ec2.FlowLog(
        name,
        vpc_id=vpc_id,
        traffic_type="ALL",
        log_destination_type="cloud-watch-logs",
        log_destination=group.arn,
        iam_role_arn=role.arn,
        max_aggregation_interval=AGGREGATION_SECONDS,
        tags=place.tagged(title),
        opts=pulumi.ResourceOptions(parent=parent, depends_on=[policy]),
    )
