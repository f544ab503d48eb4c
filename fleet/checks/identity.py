"""What a queue's tasks may do in AWS: said where there is no AWS to do it in."""

from collections.abc import Iterator

from fleet.catalogue import QueueSpec
from fleet.environment import Environment
from fleet.errors import Finding, Severity
from fleet.source import Source


def check_aws_policies(name: str, spec: QueueSpec, environment: Environment, source: Source) -> Iterator[Finding]:
    """A note, no error, where the environment has no place in AWS: the catalogue is the same everywhere, and works here too."""
    if spec.aws_policies and environment.cloud is None:
        yield source.finding(
            ("queues", name, "aws_policies"),
            f"has no effect in {environment.name}, which has no place in AWS",
            "Its tasks get no AWS credentials here, and fail where they need some."
            " Give them what they need by `pod.env` and `pod.secrets`, or let them do without.",
            severity=Severity.NOTE,
        )
