"""One of every component of `infra.aws`, to test with.

Invariant: `AWS_COMPONENTS` holds every component of the package; a test compares the two.
"""

from collections.abc import Callable
from functools import cache

import pulumi

from fleet.cloud import CLOUDS
from infra.aws.addons import Addons, AddonsArgs, AddonStage
from infra.aws.cluster import AccessEntry, Cluster, ClusterArgs
from infra.aws.controllers import Controllers, ControllersArgs
from infra.aws.identity import PodRole, PodRoleArgs
from infra.aws.ingress import LoadBalancerController, LoadBalancerControllerArgs
from infra.aws.karpenter import Karpenter, KarpenterArgs
from infra.aws.network import Network, NetworkArgs
from infra.aws.node_groups import node_groups
from infra.aws.node_role import NodeEntry, NodeRole, NodeRoleArgs
from infra.aws.nodes import ManagedNodes, ManagedNodesArgs
from infra.aws.place import Place
from infra.aws.policies import allow
from infra.aws.registry import Registry, RegistryArgs
from infra.aws.results import ManagedResults, ManagedResultsArgs
from infra.aws.volumes import BrokerVolumes, BrokerVolumesArgs
from infra.aws.worker_pools import NodeMaker, WorkerPools, WorkerPoolsArgs
from infra.placement import eks_placements
from tests.infra.recording import Recorded, record
from tests.infra.samples import PASSWORD, sample_plan

ACCOUNT = "123456789012"
TAGS = {"project": "celery-fleet", "environment": "prod", "owner": "platform"}
PLACE = Place(
    name="celery-fleet-prod",
    region="us-east-1",
    account=ACCOUNT,
    tags=TAGS,
    protect=True,
    keep=True,
    role_path="/celery-fleet/",
    permissions_boundary=f"arn:aws:iam::{ACCOUNT}:policy/boundary",
)
"""A place in which everything is asked for."""

AwsBuild = Callable[[str], pulumi.ComponentResource]

KEY_ARN = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/00000000-0000-0000-0000-000000000000"
CLUSTER_ARN = f"arn:aws:eks:us-east-1:{ACCOUNT}:cluster/celery-fleet-prod"

AWS_COMPONENTS: dict[str, AwsBuild] = {
    "Addons": lambda name: Addons(
        name,
        AddonsArgs(
            place=PLACE,
            cluster_name=PLACE.name,
            cluster_arn=CLUSTER_ARN,
            version="1.36",
            stage=AddonStage.AFTER_NODES,
            key_arn=KEY_ARN,
            snapshots=True,
        ),
    ),
    "BrokerVolumes": lambda name: BrokerVolumes(
        name, BrokerVolumesArgs(fleet="celery-fleet", iops=4000, keep=True, auto_mode=False, key_arn=KEY_ARN, tags=TAGS)
    ),
    "Controllers": lambda name: Controllers(
        name,
        ControllersArgs(
            place=PLACE,
            cluster_name=PLACE.name,
            vpc_id="vpc-1",
            placement=eks_placements("karpenter").system,
            system_nodes=3,
            karpenter_queue="celery-fleet-prod-karpenter",
        ),
    ),
    "Network": lambda name: Network(name, NetworkArgs(place=PLACE, zones=3, nat="instance", flow_logs=True)),
    "Cluster": lambda name: Cluster(
        name,
        ClusterArgs(
            place=PLACE,
            version="1.36",
            subnet_ids=("subnet-a", "subnet-b", "subnet-c"),
            public_access=("203.0.113.7/32",),
            deployer_arn=f"arn:aws:iam::{ACCOUNT}:role/deploy",
            access=(
                AccessEntry(
                    principal_arn=f"arn:aws:iam::{ACCOUNT}:role/developers", policy="edit", namespaces=("fleet",)
                ),
            ),
            auto_mode=True,
            oidc_provider=True,
        ),
    ),
    "ManagedNodes": lambda name: ManagedNodes(
        name,
        ManagedNodesArgs(
            place=PLACE,
            cluster_name=PLACE.name,
            version="1.36",
            subnet_ids=("subnet-a", "subnet-b", "subnet-c"),
            groups=node_groups(sample_plan("prod"), CLOUDS["prod"], "mng"),
            key_arn=KEY_ARN,
            sessions=True,
        ),
    ),
    "NodeRole": lambda name: NodeRole(
        name,
        NodeRoleArgs(place=PLACE, cluster_name=PLACE.name, purpose="node", entry=NodeEntry.AUTO_MODE, sessions=True),
    ),
    "Karpenter": lambda name: Karpenter(
        name,
        KarpenterArgs(place=PLACE, cluster_name=PLACE.name, cluster_arn=CLUSTER_ARN, key_arn=KEY_ARN, sessions=True),
    ),
    "WorkerPools": lambda name: WorkerPools(
        name,
        WorkerPoolsArgs(
            place=PLACE,
            plan=sample_plan("prod"),
            cloud=CLOUDS["prod"],
            maker=NodeMaker.AUTO_MODE,
            node_identity="celery-fleet-prod-node",
            subnet_ids=("subnet-a", "subnet-b", "subnet-c"),
            security_group_id="sg-cluster",
            key_arn=KEY_ARN,
        ),
    ),
    "PodRole": lambda name: PodRole(
        name,
        PodRoleArgs(
            place=PLACE,
            cluster_name=PLACE.name,
            cluster_arn=CLUSTER_ARN,
            namespace="celery-fleet",
            service_account="worker-reports",
            managed_policies=("arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess",),
            statements=(allow("ReadReports", ["s3:GetObject"], ["arn:aws:s3:::reports/*"]),),
        ),
    ),
    "LoadBalancerController": lambda name: LoadBalancerController(
        name,
        LoadBalancerControllerArgs(
            place=PLACE, cluster_name=PLACE.name, cluster_arn=CLUSTER_ARN, vpc_id="vpc-0123456789abcdef0"
        ),
    ),
    "ManagedResults": lambda name: ManagedResults(
        name,
        ManagedResultsArgs(
            place=PLACE,
            vpc_id="vpc-1",
            subnet_ids=["subnet-1", "subnet-2", "subnet-3"],
            client_security_group_id="sg-cluster",
            instance="m7g.large",
            nodes=2,
            key_arn=KEY_ARN,
            password=pulumi.Output.secret(PASSWORD),
        ),
    ),
    "Registry": lambda name: Registry(
        name, RegistryArgs(place=PLACE, repositories=("web", "worker", "cache"), key_arn=KEY_ARN)
    ),
}
"""Class name -> how one is made, with every option that adds resources."""


@cache
def component_graph(name: str) -> Recorded:
    """Everything that the component of that class registers, as `thing`; registered once for all tests of a process."""
    return record(lambda: AWS_COMPONENTS[name]("thing"), stack_name="prod")
