"""The results store as AWS runs it: ElastiCache for Valkey, over TLS, with a replica in another zone where there are several nodes.

Invariant: it is reached from the cluster's nodes alone, over TLS and with the fleet's password; losing it loses results and counters, never a task.
Whatever has a name in ElastiCache begins with the place's, because who deploys may touch nothing else there.
Source: ElastiCache user guide, "Authenticating with the Valkey and Redis OSS AUTH command", "In-transit encryption", "Minimizing downtime with
Multi-AZ"; pulumi-aws 7.51, `elasticache.ReplicationGroup`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pulumi
import pulumi_aws as aws

from infra.aws.place import Place
from infra.manifests.pods import RESULTS_PORT, ResultsAddress

ENGINE_VERSION = "8.1"
"""Of Valkey, as in the cluster (`fleet.versions`); ElastiCache takes major and minor alone and keeps the patches to itself."""

PARAMETER_FAMILY = "valkey8"

EVICTION = "volatile-ttl"
"""As in the cluster: a full store gives up results that end soonest, and keeps counters, which never end."""

SNAPSHOT_DAYS = 7
SNAPSHOT_WINDOW = "03:00-04:00"
"""UTC; has to end before the maintenance begins."""

MAINTENANCE_WINDOW = "sun:05:00-sun:06:00"
"""UTC; where the place is protected, changes wait for it."""


@dataclass(frozen=True, kw_only=True)
class ManagedResultsArgs:
    """Where the store runs, how large it is, who may reach it and what opens it."""

    place: Place

    vpc_id: pulumi.Input[str]

    subnet_ids: Sequence[pulumi.Input[str]]
    """Private ones, one for each zone."""

    client_security_group_id: pulumi.Input[str]
    """Of the nodes whose pods use the store: the EKS cluster security group."""

    instance: str
    """Node type without `cache.`: `m7g.large`."""

    nodes: int
    """With two or more, one stands by in another zone; plain, because it decides whether there is a failover."""

    key_arn: pulumi.Input[str]
    """KMS key of what is written to disk: snapshots, and what is replicated."""

    password: pulumi.Output[str] = field(repr=False)
    """A secret output; 16 to 128 letters, digits and hyphens."""


class ManagedResults(pulumi.ComponentResource):
    """A replication group of Valkey that the cluster's nodes may reach."""

    host: pulumi.Output[str]
    """Of the node that takes writes; a failover moves the name to the other one."""

    address: ResultsAddress
    """How pods find it."""

    def __init__(self, name: str, args: ManagedResultsArgs, *, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("celery-fleet:aws:ManagedResults", name, None, opts)
        place, child, shown = args.place, pulumi.ResourceOptions(parent=self), f"{args.place.name}-results"
        subnets = aws.elasticache.SubnetGroup(
            f"{name}-subnets",
            name=place.name,
            description=f"Results store of {place.name}",
            subnet_ids=args.subnet_ids,
            tags=place.tagged(shown),
            opts=child,
        )
        parameters = aws.elasticache.ParameterGroup(
            f"{name}-parameters",
            # Another family is another group beside this one, until the store has moved.
            name=f"{place.name}-{PARAMETER_FAMILY}",
            description=f"Results store of {place.name}",
            family=PARAMETER_FAMILY,
            parameters=[{"name": "maxmemory-policy", "value": EVICTION}],
            tags=place.tagged(shown),
            opts=child,
        )
        several = args.nodes > 1
        group = aws.elasticache.ReplicationGroup(
            f"{name}-group",
            # A person names it when a password is rotated or a snapshot is looked for.
            replication_group_id=place.name,
            description=f"Results and counters of {place.name}",
            engine="valkey",
            engine_version=ENGINE_VERSION,
            node_type=f"cache.{args.instance}",
            num_cache_clusters=args.nodes,
            automatic_failover_enabled=several,
            multi_az_enabled=several,
            port=RESULTS_PORT,
            parameter_group_name=parameters.name,
            subnet_group_name=subnets.name,
            security_group_ids=[self._add_security_group(name, args).id],
            transit_encryption_enabled=True,
            transit_encryption_mode="required",
            at_rest_encryption_enabled=True,
            kms_key_id=args.key_arn,
            auth_token=args.password,
            # Both passwords open the store until the next change, so pods are rolled from one to the other without a failure.
            auth_token_update_strategy="ROTATE",  # noqa: S106 -- the name of a strategy
            snapshot_retention_limit=SNAPSHOT_DAYS if place.keep else 0,
            snapshot_window=SNAPSHOT_WINDOW,
            maintenance_window=MAINTENANCE_WINDOW,
            final_snapshot_identifier=f"{shown}-final" if place.keep else None,
            auto_minor_version_upgrade=True,
            apply_immediately=not place.protect,
            tags=place.tagged(shown),
            # Its name is taken while the old one is there.
            opts=pulumi.ResourceOptions(parent=self, protect=place.protect, delete_before_replace=True),
        )
        self.host = group.primary_endpoint_address
        self.address = ResultsAddress(host=self.host, port=RESULTS_PORT, tls=True)
        self.register_outputs({"host": self.host})

    def _add_security_group(self, name: str, args: ManagedResultsArgs) -> aws.ec2.SecurityGroup:
        shown = f"{args.place.name}-results"
        # The store answers and calls nobody: without a rule for it, nothing goes out.
        group = aws.ec2.SecurityGroup(
            f"{name}-security-group",
            description=f"Results store of {args.place.name}",
            vpc_id=args.vpc_id,
            tags=args.place.tagged(shown),
            opts=pulumi.ResourceOptions(parent=self),
        )
        aws.vpc.SecurityGroupIngressRule(
            f"{name}-from-nodes",
            security_group_id=group.id,
            description="Valkey over TLS from the pods of the cluster",
            referenced_security_group_id=args.client_security_group_id,
            ip_protocol="tcp",
            from_port=RESULTS_PORT,
            to_port=RESULTS_PORT,
            tags=args.place.tagged(shown),
            opts=pulumi.ResourceOptions(parent=self),
        )
        return group
