"""The key `celery-fleet:aws`: everything about an EKS stack that is not where its nodes stand and what they are.

Region, zones, instances and NAT are the environment's (`celery-fleet:environment`, key `cloud`), because the cost is counted from them. Invariant:
what an environment decides stands in one table, `AWS_ENVIRONMENTS`; everything else has one default, the secure one.
Sources: EKS user guide, "Amazon EKS cluster endpoint access control" and "Control plane logs"; CloudWatch Logs API, `PutRetentionPolicy`.
"""

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from fleet.catalogue import Model
from fleet.cloud import Cloud
from fleet.versions import KUBERNETES
from infra.placement import Compute

LogType = Literal["api", "audit", "authenticator", "controllerManager", "scheduler"]
RetentionDays = Literal[
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653
]


def _check_network(text: str) -> str:
    try:
        ipaddress.IPv4Network(text)
    except ValueError as error:
        raise ValueError(f"{error}; write an IPv4 network such as 10.0.0.0/16") from None
    return text


def _check_tag(text: str) -> str:
    if text.lower().startswith("aws:"):
        raise ValueError("names that begin with aws: are AWS's own")
    return text


def _arn(what: str, pattern: str, example: str) -> Callable[[str], str]:
    form = re.compile(rf"arn:aws(-cn|-us-gov)?:{pattern}")

    def check(text: str) -> str:
        if form.fullmatch(text) is None:
            raise ValueError(f"it is no ARN of {what}; write one such as arn:aws:{example}")
        return text

    return check


Network = Annotated[str, AfterValidator(_check_network)]
RoleArn = Annotated[
    str, AfterValidator(_arn("an IAM role", r"iam::\d{12}:role/[\w+=,.@/-]+", "iam::111122223333:role/deploy"))
]
PrincipalArn = Annotated[
    str,
    AfterValidator(
        _arn("an IAM role or user", r"iam::\d{12}:(role|user)/[\w+=,.@/-]+", "iam::111122223333:role/developers")
    ),
]
PolicyArn = Annotated[
    str, AfterValidator(_arn("an IAM policy", r"iam::\d{12}:policy/[\w+=,.@/-]+", "iam::111122223333:policy/boundary"))
]
CertificateArn = Annotated[
    str,
    AfterValidator(
        _arn(
            "an ACM certificate",
            r"acm:[a-z0-9-]+:\d{12}:certificate/[\w-]+",
            "acm:us-east-1:111122223333:certificate/ID",
        )
    ),
]
WebAclArn = Annotated[
    str,
    AfterValidator(
        _arn(
            "a regional web ACL of WAF",
            r"wafv2:[a-z0-9-]+:\d{12}:regional/webacl/[\w-]+/[\w-]+",
            "wafv2:us-east-1:111122223333:regional/webacl/NAME/ID",
        )
    ),
]
TagKey = Annotated[str, Field(pattern=r"^[\w .:/=+@-]{1,128}$"), AfterValidator(_check_tag)]
SubnetIds = list[Annotated[str, Field(pattern=r"^subnet-[0-9a-f]+$")]]


class ExistingNetworkSpec(Model):
    """A VPC that is there already, with DNS names on; its subnets are listed in the order of their zones, and tagged by its owner.

    Public ones `kubernetes.io/role/elb`, private ones `kubernetes.io/role/internal-elb` (both `1`) and `karpenter.sh/discovery` (the cluster's
    name, which is that of the fleet with that of the stack behind it).
    """

    vpc_id: Annotated[str, Field(alias="vpcId", pattern=r"^vpc-[0-9a-f]+$")]
    """The VPC."""
    cidr: Network
    """Its network."""
    private_subnet_ids: Annotated[SubnetIds, Field(alias="privateSubnetIds", min_length=2)]
    """Subnets of nodes and pods, with a way to the internet."""
    public_subnet_ids: Annotated[SubnetIds, Field(alias="publicSubnetIds")] = []
    """Subnets of a load balancer that faces the internet."""
    intra_subnet_ids: Annotated[SubnetIds, Field(alias="intraSubnetIds")] = []
    """Subnets of the control plane's interfaces; otherwise the private ones."""


class NetworkSpec(Model):
    """The VPC."""

    cidr: Network = "10.0.0.0/16"
    """Network of a VPC that is made here; peers must not overlap with it."""
    existing: ExistingNetworkSpec | None = None
    """A VPC that is there already; nothing of it is changed."""
    flow_logs: Annotated[bool | None, Field(alias="flowLogs")] = None
    """Whether the VPC's traffic is logged."""


class EndpointSpec(Model):
    """The Kubernetes API's endpoint."""

    public_cidrs: Annotated[list[Network], Field(alias="publicCidrs")] = []
    """Networks outside the VPC that reach it; without one it answers inside the VPC alone."""


class AccessSpec(Model):
    """Who may do what in the cluster, by IAM identity."""

    deployer_role_arn: Annotated[RoleArn | None, Field(alias="deployerRoleArn")] = None
    """Role that deploys; otherwise that of whoever runs `pulumi up`. State it where several people or a pipeline do."""
    admins: list[PrincipalArn] = []
    """Roles and users that may do everything in the cluster."""
    edit: list[PrincipalArn] = []
    """Roles and users that may change what is in the fleet's namespace."""
    view: list[PrincipalArn] = []
    """Roles and users that may look at what is in the fleet's namespace, Secrets excepted."""
    view_all: Annotated[list[PrincipalArn], Field(alias="viewAll")] = []
    """Roles and users that may look at everything in the cluster, Secrets too: the pipeline's role for previews and drift."""


class IamSpec(Model):
    """What every IAM role of the stack has in common."""

    path: Annotated[str, Field(pattern=r"^/([\w+=,.@-]+/)*$", max_length=128)] = "/"
    """Path of the roles: `/teams/orders/`."""
    permissions_boundary: Annotated[PolicyArn | None, Field(alias="permissionsBoundary")] = None
    """Policy that no role exceeds."""


class TagsSpec(Model):
    """Tags beside `project`, `environment` and `managed-by`."""

    owner: Annotated[str | None, Field(min_length=1, max_length=256)] = None
    """Tag `owner`: whom to ask."""
    cost_center: Annotated[str | None, Field(alias="costCenter", min_length=1, max_length=256)] = None
    """Tag `cost-center`: whom to charge."""
    more: dict[TagKey, Annotated[str, Field(max_length=256)]] = {}
    """Further tags."""


class WebSpec(Model):
    """The load balancer in front of the web layer; there is one where a certificate or a host name is stated."""

    certificate_arn: Annotated[CertificateArn | None, Field(alias="certificateArn")] = None
    """ACM certificate; otherwise the controller looks for one of the host name."""
    hostname: Annotated[str | None, Field(pattern=r"^[a-z0-9*]([a-z0-9.-]*[a-z0-9])?$", max_length=253)] = None
    """Host name of requests; otherwise any."""
    inbound_cidrs: Annotated[list[Network], Field(alias="inboundCidrs", min_length=1)] = ["0.0.0.0/0"]
    """Networks that reach it."""
    internal: bool = False
    """Whether it stands inside the VPC alone."""
    waf_acl_arn: Annotated[WebAclArn | None, Field(alias="wafAclArn")] = None
    """Web ACL of AWS WAF in front of it."""


class AwsSpec(Model):
    """What may stand under `aws`."""

    kubernetes_version: Annotated[Literal["1.35", "1.36"] | None, Field(alias="kubernetesVersion")] = None
    """Minor version of Kubernetes, in quotes; otherwise the one that everything is tested on."""
    compute: Compute | None = None
    """What workers run on: nodes that `karpenter` chooses, node groups of a fixed size (`mng`), or EKS Auto Mode (`auto`, 12 % on every instance)."""
    network: NetworkSpec = NetworkSpec()
    """The VPC."""
    endpoint: EndpointSpec = EndpointSpec()
    """The Kubernetes API's endpoint."""
    access: AccessSpec = AccessSpec()
    """Who may do what in the cluster."""
    iam: IamSpec = IamSpec()
    """What every IAM role of the stack has in common."""
    tags: TagsSpec = TagsSpec()
    """On everything that AWS can tag."""
    web: WebSpec = WebSpec()
    """The load balancer in front of the web layer."""
    broker_load_balancer: Annotated[bool, Field(alias="brokerLoadBalancer")] = False
    """Whether publishers in the VPC and its peers reach the broker by an internal load balancer."""
    log_types: Annotated[list[LogType] | None, Field(alias="logTypes")] = None
    """Logs of the control plane."""
    log_retention_days: Annotated[RetentionDays | None, Field(alias="logRetentionDays")] = None
    """Days for which logs are kept."""


@dataclass(frozen=True, kw_only=True)
class AwsEnvironment:
    """What an environment decides where its settings do not."""

    compute: Compute
    flow_logs: bool
    log_types: tuple[LogType, ...]
    log_retention_days: int


_AUDITED: tuple[LogType, ...] = ("api", "audit", "authenticator")

AWS_ENVIRONMENTS = {
    "dev": AwsEnvironment(compute="mng", flow_logs=False, log_types=_AUDITED, log_retention_days=30),
    "staging": AwsEnvironment(compute="karpenter", flow_logs=False, log_types=_AUDITED, log_retention_days=90),
    "prod": AwsEnvironment(
        compute="karpenter",
        flow_logs=True,
        log_types=(*_AUDITED, "controllerManager", "scheduler"),
        log_retention_days=365,
    ),
}
"""Environment -> what it decides; another name starts from `dev`. What it runs on, and how much of it, stands in `fleet.cloud`."""


@dataclass(frozen=True, kw_only=True)
class AwsSettings:
    """The AWS part of a stack's settings with every default filled in."""

    spec: AwsSpec
    cloud: Cloud
    """Region, zones, instances and NAT, which the cost is counted from."""
    kubernetes_version: str
    compute: Compute
    flow_logs: bool
    log_types: tuple[LogType, ...]
    log_retention_days: int


def derive_aws(stack: str, spec: AwsSpec, cloud: Cloud) -> AwsSettings:
    """The settings of an environment from what its file states."""
    base = AWS_ENVIRONMENTS.get(stack, AWS_ENVIRONMENTS["dev"])
    return AwsSettings(
        spec=spec,
        cloud=cloud,
        kubernetes_version=spec.kubernetes_version or KUBERNETES,
        compute=spec.compute or base.compute,
        flow_logs=base.flow_logs if spec.network.flow_logs is None else spec.network.flow_logs,
        log_types=base.log_types if spec.log_types is None else tuple(spec.log_types),
        log_retention_days=spec.log_retention_days or base.log_retention_days,
    )
