"""The EKS cluster: its control plane, who may use it, what it writes down, and the key that it encrypts with.

Invariant: the control plane's log group is there before the cluster (EKS would make one that is kept for ever), the API always answers inside the VPC
and outside of it to stated networks alone, and every identity that may use it is stated. Its one security group is EKS's own, which lets the cluster
talk to itself. Add-ons come through the EKS API, so none is installed at creation.
Sources: EKS user guide, "Amazon EKS cluster IAM role", "Cluster API server endpoint", "Send control plane logs to CloudWatch Logs", "Change
authentication mode to use access entries", "Protect EKS clusters from accidental deletion", "Learn about Amazon Application Recovery Controller's
zonal shift in Amazon EKS" and "Create an EKS Auto Mode Cluster".
"""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from fleet.errors import FleetError
from infra.aws.access import AccessEntry, check_access, entry_suffix, grant
from infra.aws.auto_mode import CLUSTER_POLICIES, auto_mode_config, tag_statements
from infra.aws.keys import create_key, logs_statement, volumes_statement
from infra.aws.kubernetes_versions import check_version
from infra.aws.place import Place
from infra.aws.policies import allow, document, service_trust
from infra.aws.roles import attach_managed, create_role
from infra.aws.subnets import PRIVATE_NETWORKS

__all__ = ["AccessEntry", "Cluster", "ClusterArgs"]

LOG_TYPES = ("api", "audit", "authenticator", "controllerManager", "scheduler")
CIDRS_KEY = "celery-fleet:aws.endpoint.publicCidrs"


@dataclass(frozen=True, kw_only=True)
class ClusterArgs:
    """What the cluster is to be."""

    place: Place
    """Its name is the cluster's name."""
    version: str
    """Minor version of Kubernetes."""
    subnet_ids: Sequence[pulumi.Input[str]]
    """Where the control plane's interfaces stand: intra subnets in two zones at least.

    With Auto Mode private ones: AWS's own pools start their nodes in these too, once and for all (terraform-aws-eks#3284, containers-roadmap#2793).
    """
    public_access: tuple[str, ...] = ()
    """Networks outside the VPC from which the API is reached; without any it answers inside the VPC alone."""
    public_access_from_anywhere: bool = False
    """Whether the whole internet may be among them."""
    log_types: tuple[str, ...] = LOG_TYPES
    log_retention_days: int = 90
    deletion_protection: bool = True
    """Whether EKS refuses to delete the cluster; it has to be taken off and applied before a `destroy`."""
    deployer_arn: pulumi.Input[str]
    """Role that deploys: it may do everything in the cluster, and makes every Kubernetes object of the stack."""
    access: tuple[AccessEntry, ...] = ()
    """Everybody else."""
    auto_mode: bool = False
    """EKS Auto Mode: AWS runs the nodes and the add-ons, for 12 % of their price."""
    oidc_provider: bool = False
    """An IAM OIDC provider for the cluster's service accounts; EKS Pod Identity, which all roles here use, needs none."""


class Cluster(pulumi.ComponentResource):
    """The control plane. Whatever makes Kubernetes objects depends on `deployer_access`, so that it is still allowed to take them away again."""

    cluster_name: pulumi.Output[str]
    arn: pulumi.Output[str]
    endpoint: pulumi.Output[str]
    certificate_authority: pulumi.Output[str]
    """Of the API server's certificate, in base64."""
    security_group_id: pulumi.Output[str]
    """EKS's own, on the control plane's interfaces and on every node of managed node groups and Auto Mode."""
    oidc_issuer: pulumi.Output[str]
    key_arn: pulumi.Output[str]
    """Key for Secrets, control plane logs and volumes."""
    deployer_access: pulumi.Resource

    def __init__(self, name: str, args: ClusterArgs, *, opts: pulumi.ResourceOptions | None = None) -> None:
        check_version(args.version)
        check_public_access(args.public_access, anywhere=args.public_access_from_anywhere)
        check_access(args.access, deployer_arn=args.deployer_arn)
        super().__init__("celery-fleet:aws:Cluster", name, None, opts)
        place = args.place
        key = create_key(
            f"{name}-key",
            place,
            alias=place.name,
            description=f"Secrets, control plane logs and volumes of {place.name}",
            statements=[logs_statement(place, f"/aws/eks/{place.name}/*"), volumes_statement(place)],
            parent=self,
        )
        logs = aws.cloudwatch.LogGroup(
            f"{name}-logs",
            name=f"/aws/eks/{place.name}/cluster",
            retention_in_days=args.log_retention_days,
            kms_key_id=key.arn,
            tags=place.tagged(f"{place.name}-control-plane"),
            opts=pulumi.ResourceOptions(parent=self, protect=place.protect, retain_on_delete=place.keep),
        )
        role, permissions = self._role(name, args, key)
        auto = auto_mode_config(f"{name}-auto-node", place, parent=self) if args.auto_mode else None
        cluster = aws.eks.Cluster(
            f"{name}-cluster",
            name=place.name,
            version=args.version,
            role_arn=role.arn,
            vpc_config=aws.eks.ClusterVpcConfigArgs(
                subnet_ids=args.subnet_ids,
                endpoint_private_access=True,
                endpoint_public_access=bool(args.public_access),
                public_access_cidrs=list(args.public_access) or None,
            ),
            access_config=aws.eks.ClusterAccessConfigArgs(
                authentication_mode="API", bootstrap_cluster_creator_admin_permissions=False
            ),
            bootstrap_self_managed_addons=False,
            deletion_protection=args.deletion_protection,
            enabled_cluster_log_types=list(args.log_types),
            encryption_config=aws.eks.ClusterEncryptionConfigArgs(
                provider=aws.eks.ClusterEncryptionConfigProviderArgs(key_arn=key.arn), resources=["secrets"]
            ),
            upgrade_policy=aws.eks.ClusterUpgradePolicyArgs(support_type="STANDARD"),
            zonal_shift_config=aws.eks.ClusterZonalShiftConfigArgs(enabled=True),
            compute_config=auto.compute if auto else None,
            kubernetes_network_config=auto.network if auto else None,
            storage_config=auto.storage if auto else None,
            tags=place.tagged(place.name),
            # Without its permissions EKS can neither make nor take away what belongs to a cluster.
            opts=pulumi.ResourceOptions(parent=self, protect=place.protect, depends_on=[logs, *permissions]),
        )
        self._access(name, args, cluster)
        self.cluster_name, self.arn, self.endpoint = cluster.name, cluster.arn, cluster.endpoint
        self.certificate_authority = cluster.certificate_authority.apply(lambda authority: str(authority.data))
        self.security_group_id = cluster.vpc_config.apply(lambda config: str(config.cluster_security_group_id))
        self.oidc_issuer = cluster.identities.apply(_issuer)
        self.key_arn = key.arn
        if args.oidc_provider:
            aws.iam.OpenIdConnectProvider(
                f"{name}-oidc",
                url=self.oidc_issuer,
                client_id_lists=["sts.amazonaws.com"],
                tags=place.tagged(f"{place.name}-oidc"),
                opts=pulumi.ResourceOptions(parent=self),
            )
        self.register_outputs(
            {
                "cluster_name": self.cluster_name,
                "arn": self.arn,
                "endpoint": self.endpoint,
                "certificate_authority": self.certificate_authority,
                "security_group_id": self.security_group_id,
                "oidc_issuer": self.oidc_issuer,
                "key_arn": self.key_arn,
            }
        )

    def _role(self, name: str, args: ClusterArgs, key: aws.kms.Key) -> tuple[aws.iam.Role, list[pulumi.Resource]]:
        """The role that EKS takes, and what gives it its permissions."""
        place, child = args.place, pulumi.ResourceOptions(parent=self)
        # Auto Mode tags its sessions; elsewhere EKS needs the first alone.
        actions = ("sts:AssumeRole", *(["sts:TagSession"] if args.auto_mode else []))
        role = create_role(
            f"{name}-role", place, "cluster", trust=service_trust("eks.amazonaws.com", *actions), parent=self
        )
        secrets = allow("SecretsKey", ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:ListGrants"], [key.arn])
        own = aws.iam.RolePolicy(
            f"{name}-role-policy",
            role=role.name,
            policy=document(secrets, *(tag_statements(place) if args.auto_mode else [])),
            opts=child,
        )
        policies = ("AmazonEKSClusterPolicy", *(CLUSTER_POLICIES if args.auto_mode else ()))
        return role, [own, *attach_managed(f"{name}-role", role, place, policies, parent=self)]

    def _access(self, name: str, args: ClusterArgs, cluster: aws.eks.Cluster) -> None:
        self.deployer_access = grant(
            f"{name}-deployer", args.place, cluster.name, args.deployer_arn, policy="admin", parent=self
        )
        for entry in args.access:
            grant(
                f"{name}-{entry_suffix(entry.principal_arn)}",
                args.place,
                cluster.name,
                entry.principal_arn,
                policy=entry.policy,
                namespaces=entry.namespaces,
                parent=self,
            )


def _issuer(identities: Sequence[aws.eks.outputs.ClusterIdentity]) -> str:
    return next(str(oidc.issuer) for identity in identities for oidc in identity.oidcs or ())


def check_public_access(cidrs: Sequence[str], *, anywhere: bool) -> None:
    """Networks from which the API may be reached outside the VPC.

    Raises: FleetError for what is no network, for one that only exists inside networks, and for the whole internet unless that is meant.
    """
    for cidr in cidrs:
        try:
            network = ipaddress.IPv4Network(cidr)
        except ValueError as error:
            raise FleetError(CIDRS_KEY, f"names {cidr}: {error}", "Write a network such as 203.0.113.7/32.") from None
        if network.prefixlen == 0 and not anywhere:
            raise FleetError(
                CIDRS_KEY,
                f"names {cidr}, the whole internet",
                "Write the networks that people and pipelines come from, such as 203.0.113.7/32.",
            )
        if any(network.subnet_of(private) for private in PRIVATE_NETWORKS):
            raise FleetError(
                CIDRS_KEY,
                f"names {cidr}, a private network",
                "EKS refuses it: whoever is in the VPC, or connected to it, reaches the API anyway. Leave it out.",
            )
