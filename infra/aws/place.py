"""Where in AWS a stack's resources stand, and what every one of them has in common.

Invariant: whatever AWS can tag carries `Place.tags`, whatever holds state is protected, or kept, where the place says so, and every role has the place's
path and permissions boundary; components take these from here and from nowhere else.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pulumi


@dataclass(frozen=True, kw_only=True)
class Place:
    """One stack's place in an account."""

    name: str
    """In front of every name in the account, and the cluster's name: `celery-fleet-prod`."""
    region: str
    account: pulumi.Input[str]
    """Number of the account."""
    partition: str = "aws"
    """First part of an ARN; `aws-cn` and `aws-us-gov` differ."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """On everything that AWS can tag, also on what controllers make inside the cluster."""
    protect: bool = False
    """Whether what holds state has to be told twice to go."""
    keep: bool = False
    """Whether what nobody could make again stays in the account when its resource goes: keys, logs, the brokers' volumes, a last snapshot. A destroy
    takes the protection off first, and should not take these along."""
    role_path: str = "/"
    permissions_boundary: str | None = None
    """ARN of a policy that no role of the stack exceeds."""

    def arn(self, service: str, resource: str, *, regional: bool = True) -> pulumi.Output[str]:
        """The ARN of a resource of this account: `arn("sqs", "queue-1")`."""
        region = self.region if regional else ""
        return pulumi.Output.concat(f"arn:{self.partition}:{service}:{region}:", self.account, f":{resource}")

    def tagged(self, name: str, **more: str) -> dict[str, str]:
        """The tags of one resource, its name as the console shows it among them."""
        return {**self.tags, "Name": name, **more}
