"""What each committed stack has in AWS: closed, encrypted, tagged, protected, and as large as its environment says."""

import json
from typing import Any

import pulumi
import pulumi_aws as aws
import pytest

from infra.manifests.broker import GRACE_SECONDS
from stacks.aws_settings import AccessSpec
from stacks.caller import ask_caller
from tests.infra.recording import record
from tests.stacks.programs import EKS_STACKS, PASSWORD, before, eks_graph, named, only, run_eks

pytestmark = pytest.mark.scan

each_stack = pytest.mark.parametrize("stack", EKS_STACKS)

DRAIN_LIMIT_SECONDS = 900
"""How long EKS waits for the pods of a node that a managed group replaces."""


# What holds in every environment.


@each_stack
def test_the_control_plane_is_closed_and_written_down(stack: str) -> None:
    """Standard support, access entries alone, a key of one's own, audit logs in a group that was there first."""
    recorded = eks_graph(stack)
    cluster = only(recorded, "aws:eks/cluster:Cluster")
    said = cluster.inputs
    assert said["upgradePolicy"] == {"supportType": "STANDARD"}
    assert said["accessConfig"] == {"authenticationMode": "API", "bootstrapClusterCreatorAdminPermissions": False}
    assert said["encryptionConfig"]["resources"] == ["secrets"]
    assert said["vpcConfig"]["endpointPrivateAccess"] is True
    assert "audit" in said["enabledClusterLogTypes"]
    assert "cluster-logs" in before(recorded, cluster)


@each_stack
def test_nothing_is_open_to_the_world(stack: str) -> None:
    """But the way out: the routes that lead to the internet."""
    opened = {item.kind for item in eks_graph(stack).resources if "0.0.0.0/0" in json.dumps(item.inputs)}
    assert opened == {"Route"}


@each_stack
def test_nodes_keep_their_credentials_and_encrypt_their_disks(stack: str) -> None:
    """IMDSv2 that pods do not reach, and encrypted volumes, whoever starts the node."""
    recorded = eks_graph(stack)
    for template in recorded.of("LaunchTemplate"):
        options, (disk,) = template.inputs["metadataOptions"], template.inputs["blockDeviceMappings"]
        assert (options["httpTokens"], options["httpPutResponseHopLimit"]) == ("required", 1)
        assert disk["ebs"]["encrypted"] == "true"
    for node_class in recorded.of("EC2NodeClass"):
        spec = node_class.inputs["spec"]
        options, (disk,) = spec["metadataOptions"], spec["blockDeviceMappings"]
        assert (options["httpTokens"], options["httpPutResponseHopLimit"]) == ("required", 1)
        assert disk["ebs"]["encrypted"] is True
    assert recorded.one("StorageClass").inputs["parameters"]["encrypted"] == "true"


@each_stack
def test_what_is_tagged_says_whose_it_is(stack: str) -> None:
    """Also what the cluster's controllers make: nodes, volumes, load balancers."""
    wanted = {
        "project": "celery-fleet", "environment": stack, "managed-by": "pulumi",
        "owner": "platform", "cost-center": "celery-fleet",
    }  # fmt: skip
    recorded = eks_graph(stack)
    tagged = [
        item.inputs["tags"] for item in recorded.resources if item.typ.startswith("aws:") and "tags" in item.inputs
    ]
    tagged += [item.inputs["spec"]["tags"] for item in recorded.of("EC2NodeClass")]
    tagged.append(named(recorded, "controllers-load-balancers").inputs["values"]["defaultTags"])
    assert len(tagged) > 40
    assert [tags for tags in tagged if not wanted.items() <= tags.items()] == []


@each_stack
def test_everything_goes_where_it_belongs(stack: str) -> None:
    """AWS resources to the stack's region, objects to the stack's cluster; a default provider would follow the shell."""
    for item in eks_graph(stack).resources:
        if item.typ.startswith("aws:"):
            assert "pulumi:providers:aws::aws::" in item.provider, item.name
        if item.typ.startswith("kubernetes:"):
            assert "pulumi:providers:kubernetes::kubernetes::" in item.provider, item.name
    assert only(eks_graph(stack), "pulumi:providers:aws").inputs["region"] == "us-east-1"


@each_stack
def test_the_cluster_is_reached_without_a_stored_credential(stack: str) -> None:
    """Whoever runs asks AWS for a token; only another ARN is another cluster."""
    provider = only(eks_graph(stack), "pulumi:providers:kubernetes").inputs
    assert provider["clusterIdentifier"].startswith("arn:aws:eks:us-east-1:123456789012:")
    kubeconfig = json.loads(provider["kubeconfig"])
    (user,), (cluster,) = kubeconfig["users"], kubeconfig["clusters"]
    assert user["user"] == {
        "exec": {
            "apiVersion": "client.authentication.k8s.io/v1beta1", "command": "aws", "interactiveMode": "Never",
            "args": [
                "eks", "get-token", "--cluster-name", f"celery-fleet-{stack}", "--region", "us-east-1",
                "--output", "json",
            ],
        }
    }  # fmt: skip
    assert cluster["cluster"] == {
        "server": "https://cluster-cluster.eks.amazonaws.com", "certificate-authority-data": "Y2VydGlmaWNhdGU=",
    }  # fmt: skip


DEPLOYER = "arn:aws:iam::123456789012:role/deployer"
"""Behind the session of whoever runs a test."""

PIPELINE = "arn:aws:iam::123456789012:role/pipeline"


@pytest.mark.parametrize(
    ("access", "deployer", "role"),
    [
        pytest.param({}, DEPLOYER, None, id="whoever-runs-is-the-deployer"),
        pytest.param({"deployerRoleArn": DEPLOYER}, DEPLOYER, None, id="the-deployer-asks-as-it-is"),
        pytest.param({"deployerRoleArn": PIPELINE}, PIPELINE, PIPELINE, id="somebody-else-takes-the-deployers-role"),
        pytest.param(
            {"deployerRoleArn": PIPELINE, "admins": [DEPLOYER]}, PIPELINE, None, id="who-has-access-needs-no-other-role"
        ),
        pytest.param(
            {"deployerRoleArn": PIPELINE, "viewAll": [DEPLOYER]},
            PIPELINE,
            None,
            id="a-preview-takes-no-role-that-may-change",
        ),
    ],
)
def test_the_deployer_has_access_and_others_take_its_role(
    access: dict[str, Any], deployer: str, role: str | None
) -> None:
    """A role does not trust itself by default, so it is taken only where it has to be."""

    def program() -> None:
        caller = ask_caller(AccessSpec.model_validate(access), aws.Provider("aws", region="us-east-1"))
        pulumi.export("deployer", caller.deployer_arn)
        pulumi.export("role", caller.token_role_arn)

    assert record(program).exports == {"deployer": deployer, "role": role}


@each_stack
def test_the_password_is_a_secret_wherever_it_goes(stack: str) -> None:
    """To the results store, and to the pods that use it."""
    holders = {item.name: item for item in eks_graph(stack).resources if PASSWORD in json.dumps(item.inputs)}
    assert set(holders) == {"results-store-group", "results-secret"}
    assert "authToken" in holders["results-store-group"].secret_paths
    assert any(path.startswith("stringData") for path in holders["results-secret"].secret_paths)


# What an environment decides.


@pytest.mark.parametrize(
    ("stack", "gateways", "zones", "brokers", "kinds"),
    [
        pytest.param("dev", 1, 2, 1, set(), id="dev"),
        pytest.param("staging", 1, 3, 3, {"NodePool"}, id="staging"),
        pytest.param("prod", 3, 3, 3, {"NodePool"}, id="prod"),
    ],
)
def test_an_environment_is_as_large_as_it_says(
    stack: str, gateways: int, zones: int, brokers: int, kinds: set[str]
) -> None:
    """NAT gateways, zones of the network, groups of brokers, and who starts the workers' nodes."""
    recorded = eks_graph(stack)
    groups = {item.name.removeprefix("nodes-") for item in recorded.of("NodeGroup")}
    private = [item for item in recorded.of("Subnet") if "private" in item.name]
    assert (len(recorded.of("NatGateway")), len(private)) == (gateways, zones)
    assert {name for name in groups if name.startswith("broker-")} == {f"broker-{zone}" for zone in range(brokers)}
    assert {item.kind for item in recorded.of("NodePool")} == kinds
    assert any(name.startswith("workers-") for name in groups) is not bool(kinds)


STATEFUL = {
    "Vpc": "network", "Cluster": "cluster", "Key": "key", "LogGroup": "logs", "Repository": "images",
    "ReplicationGroup": "results", "RabbitmqCluster": "messages", "Namespace": "the broker's namespace",
}  # fmt: skip
"""Kind -> what would be lost with it."""


@pytest.mark.parametrize(("stack", "kept"), [("dev", False), ("staging", True), ("prod", True)])
def test_what_holds_state_has_to_be_told_twice_to_go(stack: str, kept: bool) -> None:
    """Refused by Pulumi, and for the cluster by EKS too; keys and logs stay in the account even then."""
    recorded = eks_graph(stack)
    found = {item.kind: item.protect for item in recorded.resources if item.kind in STATEFUL and item.custom}
    assert found == dict.fromkeys(STATEFUL, kept)
    assert only(recorded, "aws:eks/cluster:Cluster").inputs["deletionProtection"] is kept
    assert {item.retain_on_delete for kind in ("Key", "LogGroup") for item in recorded.of(kind)} == {kept}
    assert recorded.one("StorageClass").inputs["reclaimPolicy"] == ("Retain" if kept else "Delete")


def test_what_nobody_could_make_again_outlives_a_destroy() -> None:
    """The protection is taken off for it; keys, logs, volumes and a last snapshot stay all the same."""
    recorded = run_eks("prod", protect=False)
    assert [item.name for item in recorded.resources if item.protect] == []
    assert {item.retain_on_delete for kind in ("Key", "LogGroup") for item in recorded.of(kind)} == {True}
    assert recorded.one("StorageClass").inputs["reclaimPolicy"] == "Retain"
    assert only(recorded, "aws:elasticache/replicationGroup:ReplicationGroup").inputs["finalSnapshotIdentifier"]


def test_prod_loses_a_zone_and_no_message() -> None:
    """Three zones, a broker and a NAT gateway in each, an endpoint inside the VPC alone, logs for a year."""
    recorded = eks_graph("prod")
    cluster = only(recorded, "aws:eks/cluster:Cluster").inputs
    assert cluster["vpcConfig"]["endpointPublicAccess"] is False
    assert len(cluster["enabledClusterLogTypes"]) == 5
    assert {item.inputs["retentionInDays"] for item in recorded.of("LogGroup")} == {365}
    places = [item.inputs["subnetIds"] for item in recorded.of("NodeGroup") if "broker" in item.name]
    assert places == [["subnet-networkprivate0"], ["subnet-networkprivate1"], ["subnet-networkprivate2"]]
    spread = recorded.one("RabbitmqCluster").inputs["spec"]
    assert spread["replicas"] == 3
    assert spread["persistence"]["storageClassName"] == "gp3-encrypted"


def test_brokers_nodes_are_replaced_one_after_another() -> None:
    """One `pulumi up` would drain all three at a time otherwise."""
    recorded = eks_graph("prod")
    assert "nodes-broker-0" in before(recorded, named(recorded, "nodes-broker-1"))
    assert "nodes-broker-1" in before(recorded, named(recorded, "nodes-broker-2"))
    assert recorded.one("RabbitmqCluster").inputs["spec"]["terminationGracePeriodSeconds"] == GRACE_SECONDS
    assert GRACE_SECONDS < DRAIN_LIMIT_SECONDS
