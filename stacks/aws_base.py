"""Where an EKS stack stands: the provider of its region, its place in the account, its network and its cluster.

Invariant: whose account it is comes from AWS, and whatever is registered has the place's name, tags and protection from here.
"""

import math
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.aws.cluster import AccessEntry, Cluster, ClusterArgs
from infra.aws.network import ExistingNetwork, Network, NetworkArgs
from infra.aws.place import Place
from stacks.aws_checks import place_name
from stacks.aws_settings import AccessSpec, AwsSettings, ExistingNetworkSpec
from stacks.caller import Caller, ask_caller, partition_of
from stacks.loading import Loaded


@dataclass(frozen=True, kw_only=True)
class AwsBase:
    """What every later part stands on."""

    loaded: Loaded
    aws: AwsSettings
    place: Place
    caller: Caller
    network: Network
    cluster: Cluster
    opts: pulumi.ResourceOptions
    """With the provider of the region."""

    def after(self, *needed: pulumi.Resource) -> pulumi.ResourceOptions:
        """The options of something in AWS that waits for more than its inputs say."""
        return pulumi.ResourceOptions.merge(self.opts, pulumi.ResourceOptions(depends_on=needed))

    @property
    def auto_mode(self) -> bool:
        """Whether AWS runs the nodes."""
        return self.aws.compute == "auto"


def aws_base(loaded: Loaded, settings: AwsSettings) -> AwsBase:
    """Registers network and cluster, once AWS has said whose account it is."""
    spec, cloud, fleet, stack = settings.spec, settings.cloud, loaded.plan.fleet, loaded.settings.stack
    provider = aws.Provider("aws", region=cloud.region)
    opts = pulumi.ResourceOptions(provider=provider)
    caller = ask_caller(spec.access, provider)
    place = Place(
        name=place_name(fleet, stack),
        region=cloud.region,
        account=caller.account,
        partition=partition_of(cloud.region),
        tags=tags_of(settings, fleet=fleet, stack=stack),
        protect=loaded.settings.protect,
        keep=loaded.settings.keep,
        role_path=spec.iam.path,
        permissions_boundary=spec.iam.permissions_boundary,
    )
    network = Network(
        "network",
        NetworkArgs(
            place=place,
            zones=cloud.network_zones,
            cidr=spec.network.cidr,
            nat=cloud.nat,
            pods=sum(math.ceil(group.pods.maximum) for group in loaded.plan.nodes.workers),
            flow_logs=settings.flow_logs,
            log_retention_days=settings.log_retention_days,
            existing=None if spec.network.existing is None else _existing(spec.network.existing),
        ),
        opts=opts,
    )
    auto_mode = settings.compute == "auto"
    cluster = Cluster(
        "cluster",
        ClusterArgs(
            place=place,
            version=settings.kubernetes_version,
            subnet_ids=network.private_subnet_ids if auto_mode else network.intra_subnet_ids,
            public_access=tuple(spec.endpoint.public_cidrs),
            log_types=settings.log_types,
            log_retention_days=settings.log_retention_days,
            deletion_protection=place.protect,
            deployer_arn=caller.deployer_arn,
            access=access_entries(spec.access, fleet),
            auto_mode=auto_mode,
        ),
        opts=opts,
    )
    return AwsBase(
        loaded=loaded,
        aws=settings,
        place=place,
        caller=caller,
        network=network,
        cluster=cluster,
        opts=opts,
    )


def access_entries(spec: AccessSpec, fleet: str) -> tuple[AccessEntry, ...]:
    """Who may use the cluster beside the deployer; whoever is neither an admin nor a pipeline that looks is kept to the fleet's namespace."""
    return (
        *(AccessEntry(principal_arn=arn, policy="admin") for arn in spec.admins),
        *(AccessEntry(principal_arn=arn, policy="edit", namespaces=(fleet,)) for arn in spec.edit),
        *(AccessEntry(principal_arn=arn, policy="view", namespaces=(fleet,)) for arn in spec.view),
        *(AccessEntry(principal_arn=arn, policy="view-all") for arn in spec.view_all),
    )


def _existing(spec: ExistingNetworkSpec) -> ExistingNetwork:
    return ExistingNetwork(
        vpc_id=spec.vpc_id,
        cidr=spec.cidr,
        private_subnet_ids=tuple(spec.private_subnet_ids),
        public_subnet_ids=tuple(spec.public_subnet_ids),
        intra_subnet_ids=tuple(spec.intra_subnet_ids),
    )


def tags_of(settings: AwsSettings, *, fleet: str, stack: str) -> dict[str, str]:
    """The tags of everything in AWS."""
    spec = settings.spec.tags
    stated = {"owner": spec.owner, "cost-center": spec.cost_center}
    return {
        **spec.more,
        "project": fleet,
        "environment": stack,
        "managed-by": "pulumi",
        **{key: value for key, value in stated.items() if value is not None},
    }
