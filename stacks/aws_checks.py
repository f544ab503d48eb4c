"""What the settings of an EKS stack may not say together, and what is worth knowing about them.

Invariant: a finding names the key to change. Rules that one key can break alone are in its model (`stacks.aws_settings`, `fleet.cloud_settings`).
Sources: EKS user guide, "Network requirements" and "Access entries"; AWS IAM, "IAM and AWS STS quotas".
"""

import ipaddress
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from fleet.cloud import Cloud
from fleet.environment import Environment
from stacks.aws_settings import AwsSpec

NAME_LENGTH_MAX = 28
"""Of `<fleet>-<stack>`: the name of a role begins with it and has 64 characters at most, that of a results store 40."""

ANY_NETWORK = "0.0.0.0/0"

MAJORITY_ZONES = 3
"""With brokers in two zones the loss of one can take the majority of every quorum queue."""


@dataclass(frozen=True, kw_only=True)
class Wrong:
    """Something that cannot be, or is worth knowing."""

    key: str
    """Below `celery-fleet:`."""
    problem: str
    fix: str


def place_name(fleet: str, stack: str) -> str:
    """Name of everything in the account."""
    return f"{fleet}-{stack}"


def check_aws(spec: AwsSpec, environment: Environment, *, fleet: str, stack: str) -> Iterator[Wrong]:
    """What of an EKS stack's settings cannot be."""
    name, cloud = place_name(fleet, stack), environment.cloud
    if len(name) > NAME_LENGTH_MAX:
        yield Wrong(
            key="name",
            problem=f"makes {name!r} with the stack's name, {len(name)} characters",
            fix=f"Names in AWS begin with it and leave room for {NAME_LENGTH_MAX}: write a shorter one.",
        )
    if cloud is None:
        yield Wrong(
            key="environment.cloud.provider",
            problem="is none, but target is eks",
            fix="An EKS cluster has a region and nodes: write `provider: aws`, or `target: existing` for a cluster of your own.",
        )
    else:
        yield from _check_zones(spec, environment, cloud)
    yield from _check_endpoint(spec)
    yield from _check_access(spec)


def _check_zones(spec: AwsSpec, environment: Environment, cloud: Cloud) -> Iterator[Wrong]:
    if environment.broker_nodes >= MAJORITY_ZONES > cloud.zones:
        yield Wrong(
            key="environment.cloud.zones",
            problem=f"is {cloud.zones}, for {environment.broker_nodes} RabbitMQ nodes",
            fix=f"Losing a zone would take the majority of every quorum queue: write {MAJORITY_ZONES}, or `broker.nodes: 1`.",
        )
    existing = spec.network.existing
    if existing is None:
        return
    for field, ids in (
        ("privateSubnetIds", existing.private_subnet_ids),
        ("intraSubnetIds", existing.intra_subnet_ids),
    ):
        if ids and len(ids) != cloud.network_zones:
            yield Wrong(
                key=f"aws.network.existing.{field}",
                problem=f"names {len(ids)} subnets, for {cloud.network_zones} zones",
                fix="Name one for each zone, in the same order everywhere, or set environment.cloud.zones.",
            )
    if not spec.web.internal and has_web_balancer(spec) and not existing.public_subnet_ids:
        yield Wrong(
            key="aws.network.existing.publicSubnetIds",
            problem="is empty, but the load balancer of the web layer faces the internet",
            fix="Name a public subnet for each zone, or set aws.web.internal.",
        )


def _check_endpoint(spec: AwsSpec) -> Iterator[Wrong]:
    for index, cidr in enumerate(spec.endpoint.public_cidrs):
        if ipaddress.IPv4Network(cidr).prefixlen == 0:
            yield Wrong(
                key=f"aws.endpoint.publicCidrs[{index}]",
                problem=f"is {cidr}, the whole internet",
                fix="Write the networks that people and pipelines come from, such as 203.0.113.7/32.",
            )


def _check_access(spec: AwsSpec) -> Iterator[Wrong]:
    access = spec.access
    named = [access.deployer_role_arn] if access.deployer_role_arn else []
    named += [*access.admins, *access.edit, *access.view, *access.view_all]
    for arn, times in Counter(named).items():
        if times > 1:
            yield Wrong(
                key="aws.access",
                problem=f"names {arn} {times} times",
                fix="EKS takes one access entry for an identity, and the deployer is an admin: leave it in one list.",
            )


def notes_on(spec: AwsSpec, *, web_asks_for_tokens: bool = False) -> Iterator[Wrong]:
    """What works as it is stated, but perhaps not as one expects."""
    if spec.network.existing is not None:
        yield Wrong(
            key="aws.network.existing",
            problem="names a VPC, to which nothing is added, NAT and endpoints included",
            fix="The cost counts the NAT of environment.cloud.nat all the same: say there what the VPC has.",
        )
    if not spec.endpoint.public_cidrs:
        yield Wrong(
            key="aws.endpoint.publicCidrs",
            problem="is empty, so the Kubernetes API answers inside the VPC alone",
            fix="Run pulumi there (a runner in the VPC, a VPN), or add your address:"
            " pulumi config set --path 'celery-fleet:aws.endpoint.publicCidrs[0]' 203.0.113.7/32",
        )
    if not has_web_balancer(spec):
        yield Wrong(
            key="aws.web",
            problem="names neither certificateArn nor hostname, so there is no load balancer in front of the web layer",
            fix="The web layer is then reached inside the cluster alone, or by kubectl port-forward.",
        )
    elif not (web_asks_for_tokens or spec.web.internal) and ANY_NETWORK in spec.web.inbound_cidrs:
        yield Wrong(
            key="aws.web.inboundCidrs",
            problem=f"is {ANY_NETWORK}, and the web layer asks nobody who they are",
            fix="Whoever finds it can enqueue tasks and read their results: name the networks of your callers, set aws.web.internal,"
            " or give them tokens (pulumi config set --secret celery-fleet:webTokens).",
        )
    if spec.access.deployer_role_arn is None:
        yield Wrong(
            key="aws.access.deployerRoleArn",
            problem="is not set, so whoever runs pulumi becomes the deployer",
            fix="Where several people or a pipeline deploy, name the role that they share.",
        )


def has_web_balancer(spec: AwsSpec) -> bool:
    """Whether a load balancer stands in front of the web layer: TLS needs a certificate, or a name to find one by."""
    return spec.web.certificate_arn is not None or spec.web.hostname is not None
